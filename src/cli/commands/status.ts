import { setTimeout as pause } from 'node:timers/promises';
import { runStatus } from '../../broker/run-status.ts';
import { statusOptions } from '../../config/broker-command-options.ts';
import { brokerOptions } from '../../config/broker-options.ts';
import { givenTo, resolveVisit } from '../broker-flags.ts';
import { warner } from '../broker-warnings.ts';
import { EXIT } from '../exit-code.ts';
import { openBroker } from '../open-broker.ts';
import { showConfig } from '../show-config.ts';
import { statusText } from '../status-text.ts';
import { writeText } from '../write-text.ts';

export interface StatusArguments {
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

const AGAIN_MS = 1000;

/** `fanout status`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function statusCommand({ flags, process }: StatusArguments): Promise<number> {
  const { values } = resolveVisit(statusOptions, await givenTo(flags, process.env));
  if (values.printConfig) return showConfig(brokerOptions, values, process);
  const { engine, run } = await openBroker(values, warner(process));
  try {
    for (;;) {
      const status = await runStatus(engine);
      writeText(
        process.stdout,
        values.json ? `${JSON.stringify({ run, ...status })}\n` : statusText(run, status),
      );
      if (!values.watch || status.state === 'complete' || status.state === 'stopped') return EXIT.ok;
      await pause(AGAIN_MS);
    }
  } finally {
    await engine.close();
  }
}
