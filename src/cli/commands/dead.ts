import { feed } from '../../cluster/feeder.ts';
import type { JetStreamEngine } from '../../cluster/jetstream-engine.ts';
import { isRunName, retryName } from '../../cluster/jetstream-setup.ts';
import { jobWire } from '../../cluster/job-codec.ts';
import { deadUrls } from '../../cluster/poison-urls.ts';
import { COMPLETE_KEY } from '../../cluster/run-stop.ts';
import { deadOptions } from '../../config/cluster-command-options.ts';
import { brokerOptions } from '../../config/cluster-options.ts';
import type { Resolved } from '../../config/option.ts';
import { systemClock } from '../../core/clock.ts';
import { UsageError } from '../../model/errors.ts';
import type { Job } from '../../model/job.ts';
import { printable } from '../../model/printable.ts';
import { escapeJson } from '../../output/format.ts';
import { givenTo, openBroker, resolveVisit } from '../cluster.ts';
import { createWarn } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { openOutput } from '../output-files.ts';
import { showConfig } from '../print-config.ts';

/**
 * `fanout dead retry`: sends the dead of a complete run once more, as a run of its own, one URL in a chunk. Resolves to the
 * exit code.
 *
 * Not in the same run: its results were written, counted and shown, and a second one for a URL would be one too many.
 */
async function retryDead(
  values: Resolved<typeof brokerOptions>,
  warn: (text: string) => void,
): Promise<number> {
  const { engine, run } = await openBroker(values, warn);
  let jobs: readonly Job[];
  try {
    await checkComplete(engine, run);
    jobs = (await deadUrls(engine, jobWire)).map(({ job }) => job);
  } finally {
    await engine.close();
  }
  if (jobs.length === 0) {
    warn(`the run "${run}" has no dead URLs`);
    return EXIT.ok;
  }
  const name = retryName(run);
  if (!isRunName(name)) {
    throw new UsageError(
      `Cannot name the run of another try "${name}": it must have 64 characters at most; type "fanout dead export | fanout feed - --run NAME"`,
    );
  }
  const settings = { ...engine.settings, chunk: 1 };
  const again = await openBroker({ ...values, run: name }, warn, { settings, wanted: {} });
  try {
    await send(again.engine, jobs, run);
  } finally {
    await again.engine.close();
  }
  warn(
    `the run "${name}" has the ${jobs.length} dead URLs of "${run}": type "fanout work --run ${name}" and "fanout collect --run ${name}"`,
  );
  return EXIT.ok;
}

// Until then more may die, and the retry would be of other URLs each time it is asked for.
async function checkComplete(engine: JetStreamEngine, run: string): Promise<void> {
  if ((await engine.state(COMPLETE_KEY)) === true) return;
  throw new UsageError(
    `Cannot retry the dead of the run "${run}": it is not complete; wait until "fanout collect" has ended, or type "fanout dead export"`,
  );
}

async function* all(jobs: readonly Job[]): AsyncGenerator<readonly Job[], void, void> {
  yield jobs;
}

function send(engine: JetStreamEngine, jobs: readonly Job[], run: string): Promise<unknown> {
  return feed({
    engine,
    wire: jobWire,
    jobs: all(jobs),
    tally: { read: jobs.length, skipped: 0 },
    inputs: [`the dead of the run "${run}"`],
    reconcile: false,
    allowEmpty: false,
    now: systemClock.now,
    signal: new AbortController().signal,
  });
}

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
  const warn = createWarn(process);
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
