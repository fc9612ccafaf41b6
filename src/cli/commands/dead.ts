import { decodeJob } from '../../broker/job-line.ts';
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
import { showConfig } from '../show-config.ts';

export interface DeadArguments {
  /** What is to be done: `list` or `export`. */
  readonly action: string;
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
}

/** `fanout dead`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function deadCommand({ action, flags, process }: DeadArguments): Promise<number> {
  if (action !== 'list' && action !== 'export') {
    throw new UsageError(`Cannot do "${printable(action, 50)}" with the dead: it must be list or export`);
  }
  const { values } = resolveVisit(deadOptions, await givenTo(flags, process.env));
  if (values.printConfig) return showConfig(brokerOptions, values, process);
  const { engine } = await openBroker(values, warner(process));
  try {
    const output = await openOutput(values.output, process);
    for await (const { job, reason } of engine.deadLetters()) {
      const read = decodeJob(JSON.stringify(job ?? null), jobWire);
      if (read === undefined) continue;
      const line =
        action === 'list'
          ? `${read.source}:${read.line}  ${read.url}  ${printable(reason)}`
          : escapeJson(JSON.stringify(jobWire.write(read)));
      await output.write(`${line}\n`);
    }
    await output.end();
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}
