import { errorCode } from '../model/error-code.ts';
import { UsageError } from '../model/errors.ts';

/** The packages of the client, which are installed with fanout where npm does not leave out what is optional. */
export interface Nats {
  readonly transport: typeof import('@nats-io/transport-node');
  readonly jetstream: typeof import('@nats-io/jetstream');
}

/** Loads the client on use. Throws a `UsageError` that says how to install it when it is missing. */
export async function loadNats(
  load: (name: string) => Promise<unknown> = (name) => import(name),
): Promise<Nats> {
  const names = ['@nats-io/transport-node', '@nats-io/jetstream'] as const;
  try {
    const [transport, jetstream] = await Promise.all(names.map(load));
    // The types are those of the packages that were loaded by these names.
    return { transport, jetstream } as Nats;
  } catch (error) {
    if (!/MODULE_NOT_FOUND$/.test(errorCode(error) ?? '')) throw error;
    throw new UsageError(
      `Cannot use a broker: its client is not installed; type "npm install ${names.map((name) => `${name}@3.3`).join(' ')}"`,
      { cause: error },
    );
  }
}
