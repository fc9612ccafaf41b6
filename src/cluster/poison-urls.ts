import type { Job } from '../model/job.ts';
import type { FailedResult } from '../model/result.ts';
import { decodeJob, encodeJob, type LeasedChunk } from './chunk.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';

/** Once this many workers have died at a chunk, it is fetched one URL at a time. */
export const SERIAL_AFTER_DEATHS = 2;

/** The code of the failure of a URL that is given up. */
export const DEAD_CODE = 'ERR_WORKER_DIED';

/** A URL at which this many workers have died is given up. */
const MAX_DEATHS = 2;

const REASON = `${MAX_DEATHS} workers died while they fetched only this URL of its chunk`;

interface PoisonUrlParts {
  readonly engine: Pick<JetStreamEngine, 'state' | 'setState' | 'addDeadLetter'>;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/**
 * Fetches the jobs of a chunk whose workers keep dying one by one, until the signal, or until the lease is lost. A job
 * that is given up gets its result at once. `fetch` resolves when the result is there, or nothing waits for it any
 * more.
 *
 * A worker that ends in order has not died: when this resolves after the signal, the job in flight is not suspected.
 */
export async function fetchSerially(
  chunk: LeasedChunk,
  parts: PoisonUrlParts,
  signal: AbortSignal,
  fetch: (job: Job) => Promise<void>,
): Promise<void> {
  const isOver = () => signal.aborted || chunk.isLost;
  const detector = await PoisonUrlDetector.load(chunk.delivery.id, parts);
  const fetched = new Set(chunk.results.map(({ index }) => index));
  for (const job of chunk.jobs) {
    if (isOver()) break;
    if (fetched.has(job.index)) continue;
    const givenUp = await detector.begin(job);
    if (isOver()) break;
    if (givenUp === undefined) await fetch(job);
    else chunk.add(givenUp);
  }
  // The state of a chunk that another worker has is for that worker to write.
  if (signal.aborted || !chunk.isLost) await detector.clear();
}

interface DeadUrl {
  readonly job: Job;
  readonly reason: string;
}

/** The dead letters of a run in the order of its list. Damaged ones are left out. */
export async function deadUrls(engine: JetStreamEngine): Promise<readonly DeadUrl[]> {
  const dead: DeadUrl[] = [];
  for await (const { job, reason } of engine.deadLetters()) {
    const decoded = decodeJob(JSON.stringify(job ?? null));
    if (decoded !== undefined) dead.push({ job: decoded, reason });
  }
  return dead.sort((a, b) => a.job.index - b.job.index);
}

/**
 * Finds the URL that kills its worker. Each URL of a suspected chunk is written to the run's state before it is
 * fetched; so the next worker that gets the chunk knows at which URL the last one died.
 */
class PoisonUrlDetector {
  readonly #parts: PoisonUrlParts;
  readonly #key: string;
  /** How many workers have died at a job, by its index. */
  readonly #deaths: Readonly<Record<string, number>>;

  private constructor(parts: PoisonUrlParts, key: string, deaths: Readonly<Record<string, number>>) {
    this.#parts = parts;
    this.#key = key;
    this.#deaths = deaths;
  }

  /** The caller has the chunk because its last worker died: at the job that it began last, which counts as a death. */
  static async load(chunk: number, parts: PoisonUrlParts): Promise<PoisonUrlDetector> {
    const key = `suspect-${chunk}`;
    const { current, deaths } = toSuspicion(await parts.engine.state(key));
    const counted = current < 0 ? deaths : { ...deaths, [current]: (deaths[current] ?? 0) + 1 };
    return new PoisonUrlDetector(parts, key, counted);
  }

  /** The result of a job that is given up; `undefined` for a job to fetch, which is then written to the state. */
  async begin(job: Job): Promise<FailedResult | undefined> {
    const { engine, now } = this.#parts;
    if ((this.#deaths[job.index] ?? 0) >= MAX_DEATHS) {
      await engine.addDeadLetter({ index: job.index, job: JSON.parse(encodeJob(job)), reason: REASON });
      return deadResult(job, now());
    }
    await engine.setState(this.#key, { current: job.index, deaths: this.#deaths });
    return undefined;
  }

  /** No job is in flight: a worker that dies from now on did not die at one of them. */
  async clear(): Promise<void> {
    await this.#parts.engine.setState(this.#key, { current: -1, deaths: this.#deaths });
  }
}

interface Suspicion {
  /** The index of the job that was begun last; -1 for none. */
  readonly current: number;
  readonly deaths: Readonly<Record<string, number>>;
}

function toSuspicion(value: unknown): Suspicion {
  const { current, deaths }: Record<string, unknown> = { ...Object(value) };
  const counts = Object.entries({ ...Object(deaths) }).filter(([, count]) => Number.isSafeInteger(count));
  return {
    current: Number.isSafeInteger(current) ? Number(current) : -1,
    deaths: Object.fromEntries(counts.map(([index, count]) => [index, Number(count)])),
  };
}

function deadResult({ index, source, line, id, url, method }: Job, startedAt: number): FailedResult {
  return {
    index,
    source,
    line,
    ...(id === undefined ? {} : { id }),
    url,
    method: method ?? 'GET',
    ok: false,
    attempts: 0,
    redirects: [],
    bytes: 0,
    truncated: false,
    startedAt,
    durationMs: 0,
    totalMs: 0,
    failure: { kind: 'internal', code: DEAD_CODE, message: REASON },
  };
}
