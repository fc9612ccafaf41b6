import { errorCode } from '../model/error-code.ts';
import { UsageError } from '../model/errors.ts';

/** The package that writes metrics, installed with fanout where npm does not leave out what is optional. */
export type PromClient = typeof import('prom-client');

/** Loads it on use. Throws a `UsageError` that says how to install it when it is missing. */
export async function loadPromClient(): Promise<PromClient> {
  try {
    return (await import('prom-client')).default;
  } catch (error) {
    if (!/MODULE_NOT_FOUND$/.test(errorCode(error) ?? '')) throw error;
    throw new UsageError(
      'Cannot serve metrics: the package for them is not installed; type "npm install prom-client@15"',
      { cause: error },
    );
  }
}
