import { purgeOptions } from '../../config/broker-command-options.ts';
import { brokerOptions } from '../../config/broker-options.ts';
import { givenTo, resolveVisit } from '../broker-flags.ts';
import { warner } from '../broker-warnings.ts';
import { EXIT } from '../exit-code.ts';
import { openBroker } from '../open-broker.ts';
import { showConfig } from '../show-config.ts';

export interface PurgeArguments {
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

/** `fanout purge`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function purgeCommand({ flags, process }: PurgeArguments): Promise<number> {
  const { values } = resolveVisit(purgeOptions, await givenTo(flags, process.env));
  if (values.printConfig) return showConfig(brokerOptions, values, process);
  const warn = warner(process);
  const { engine, run } = await openBroker(values, warn);
  try {
    await engine.purge();
    warn(`the broker has forgotten the run "${run}"; the collector's files are still there`);
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}
