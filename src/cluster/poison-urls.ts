import type { Job } from '../model/job.ts';
import type { FailedResult } from '../model/result.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { decodeJob, encodeJob, type JobWire } from './job-codec.ts';
import type { LeasedChunk } from './lease.ts';

/** A URL that no worker survived. */
interface DeadUrl {
  readonly job: Job;
  readonly reason: string;
}

/** The dead of a run in the order of its list; what is damaged is left out. */
export async function deadUrls(engine: JetStreamEngine, wire: JobWire): Promise<readonly DeadUrl[]> {
  const dead: DeadUrl[] = [];
  for await (const { job, reason } of engine.deadLetters()) {
    const read = decodeJob(JSON.stringify(job ?? null), wire);
    if (read !== undefined) dead.push({ job: read, reason });
  }
  return dead.sort((a, b) => a.job.index - b.job.index);
}

/** A chunk that was handed out more often than this is fetched one URL at a time. */
export const SERIAL_AFTER_DELIVERIES = 3;

/** A URL at which so many workers have died is given up. */
const DEATHS = 3;
/** The code of the failure of such a URL. */
export const DEAD_CODE = 'ERR_WORKER_DIED';

const REASON = `${DEATHS} workers died while they fetched it`;

/** What is known of a chunk whose workers keep dying. */
interface Suspicion {
  /** The job that was begun last; -1 before the first. */
  readonly current: number;
  /** How many workers have died at a job, by its index. */
  readonly deaths: Readonly<Record<string, number>>;
}

interface SuspectsParts {
  readonly engine: Pick<JetStreamEngine, 'state' | 'setState' | 'addDeadLetter'>;
  readonly wire: JobWire;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/**
 * Finds the URL that kills its worker. Before a URL of a suspected chunk is begun, the broker is told of it; the worker that
 * gets the chunk next then knows at which URL the last one died.
 */
class Suspects {
  readonly #parts: SuspectsParts;
  readonly #key: string;
  #deaths: Readonly<Record<string, number>> = {};

  private constructor(parts: SuspectsParts, chunk: number) {
    this.#parts = parts;
    this.#key = `suspect-${chunk}`;
  }

  /** Whoever asks has the chunk because the worker before is dead: it died at what it had begun last. */
  static async of(chunk: number, parts: SuspectsParts): Promise<Suspects> {
    const suspects = new Suspects(parts, chunk);
    const { current, deaths } = suspicionFrom(await parts.engine.state(suspects.#key));
    suspects.#deaths = current < 0 ? deaths : { ...deaths, [current]: (deaths[current] ?? 0) + 1 };
    return suspects;
  }

  /** The result of a job that is given up; `undefined` of one that is to be fetched, which the broker then knows. */
  async begin(job: Job): Promise<FailedResult | undefined> {
    const { engine, wire } = this.#parts;
    if ((this.#deaths[job.index] ?? 0) >= DEATHS) {
      await engine.addDeadLetter({ index: job.index, job: JSON.parse(encodeJob(job, wire)), reason: REASON });
      return this.#givenUp(job);
    }
    await engine.setState(this.#key, { current: job.index, deaths: this.#deaths });
    return undefined;
  }

  /** None is being fetched: whoever lets go of the chunk now, or cannot store its results, has died at none of them. */
  async clear(): Promise<void> {
    await this.#parts.engine.setState(this.#key, { current: -1, deaths: this.#deaths });
  }

  #givenUp({ index, source, line, id, url, method }: Job): FailedResult {
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
      startedAt: this.#parts.now(),
      durationMs: 0,
      failure: {
        kind: 'internal',
        code: DEAD_CODE,
        message: REASON,
      },
    };
  }
}

/**
 * Has the jobs of a suspected chunk fetched one by one, until the signal comes or others have it; those that are given up have
 * their result at once. `fetch` resolves when the result is there, or nobody waits for it any more.
 *
 * A worker that ends in order has not died: when this resolves after the signal, no job is suspected on its account.
 */
export async function fetchSerially(
  chunk: LeasedChunk,
  parts: SuspectsParts,
  signal: AbortSignal,
  fetch: (job: Job) => Promise<void>,
): Promise<void> {
  const isOver = () => signal.aborted || chunk.isLost;
  const suspects = await Suspects.of(chunk.delivery.id, parts);
  for (const job of chunk.jobs) {
    if (isOver()) break;
    const givenUp = await suspects.begin(job);
    if (isOver()) break;
    if (givenUp === undefined) await fetch(job);
    else chunk.add(givenUp);
  }
  // Of a chunk that others have, they tell the broker themselves.
  if (signal.aborted || !chunk.isLost) await suspects.clear();
}

function suspicionFrom(value: unknown): Suspicion {
  const { current, deaths }: Record<string, unknown> = { ...Object(value) };
  const counts = Object.entries({ ...Object(deaths) }).filter(([, count]) => Number.isSafeInteger(count));
  return {
    current: Number.isSafeInteger(current) ? Number(current) : -1,
    deaths: Object.fromEntries(counts.map(([index, count]) => [index, Number(count)])),
  };
}
