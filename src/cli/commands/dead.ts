import { deadUrls } from '../../broker/dead-letters.ts';
import { deadOptions } from '../../config/broker-command-options.ts';
import { brokerOptions } from '../../config/broker-options.ts';
import { UsageError } from '../../model/errors.ts';
import { printable } from '../../model/printable.ts';
import { escapeJson } from '../../sinks/escape-json.ts';
import { givenTo, resolveVisit } from '../broker-flags.ts';
import { warner } from '../broker-warnings.ts';
import { EXIT } from '../exit-code.ts';
import { jobWire } from '../job-wire.ts';
import { openBroker } from '../open-broker.ts';
import { openOutput } from '../open-output.ts';
import { retryDead } from '../retry-dead.ts';
import { showConfig } from '../show-config.ts';

export interface DeadArguments {
  /** What is to be done: `list`, `export` or `retry`. */
  readonly action: string;
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

/** `fanout dead`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function deadCommand({ action, flags, process }: DeadArguments): Promise<number> {
  if (action !== 'list' && action !== 'export' && action !== 'retry') {
    throw new UsageError(
      `Cannot do "${printable(action, 50)}" with the dead: it must be list, export or retry`,
    );
  }
  const { values } = resolveVisit(deadOptions, await givenTo(flags, process.env));
  if (values.printConfig) return showConfig(brokerOptions, values, process);
  const warn = warner(process);
  if (action === 'retry') return retryDead(values, warn);
  const { engine } = await openBroker(values, warn);
  try {
    const output = await openOutput(values.output, process);
    for (const { job, reason } of await deadUrls(engine, jobWire)) {
      const line =
        action === 'list'
          ? `${job.source}:${job.line}  ${job.url}  ${printable(reason)}`
          : escapeJson(JSON.stringify(jobWire.write(job)));
      await output.write(`${line}\n`);
    }
    await output.end();
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}
