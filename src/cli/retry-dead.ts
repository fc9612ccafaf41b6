import { deadUrls } from '../broker/dead-letters.ts';
import { feed } from '../broker/feeder.ts';
import type { QueueEngine } from '../broker/queue-engine.ts';
import { COMPLETE_KEY } from '../broker/run-end.ts';
import { isRunName, retryName } from '../broker/run-names.ts';
import type { brokerOptions } from '../config/broker-options.ts';
import type { Resolved } from '../config/option.ts';
import { UsageError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { systemClock } from '../system-clock.ts';
import { EXIT } from './exit-code.ts';
import { jobWire } from './job-wire.ts';
import { openBroker } from './open-broker.ts';

/**
 * `fanout dead retry`: sends the dead of a complete run once more, as a run of its own, one URL in a chunk. Resolves to the
 * exit code.
 *
 * Not in the same run: its results were written, counted and shown, and a second one for a URL would be one too many.
 */
export async function retryDead(
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
async function checkComplete(engine: QueueEngine, run: string): Promise<void> {
  if ((await engine.state(COMPLETE_KEY)) === true) return;
  throw new UsageError(
    `Cannot retry the dead of the run "${run}": it is not complete; wait until "fanout collect" has ended, or type "fanout dead export"`,
  );
}

async function* all(jobs: readonly Job[]): AsyncGenerator<readonly Job[], void, void> {
  yield jobs;
}

function send(engine: QueueEngine, jobs: readonly Job[], run: string): Promise<unknown> {
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
