import type { Job } from '../model/job.ts';
import type { FailedResult } from '../model/result.ts';
import { encodeJob, type JobWire } from './job-line.ts';
import type { QueueEngine } from './queue-engine.ts';

/** A chunk that was handed out more often than this is fetched one URL at a time. */
export const CAREFUL_AFTER = 3;

/** A URL at which so many workers have died in a row is given up. */
const DEATHS = 3;

/** What is known of a chunk whose workers keep dying. */
interface Suspicion {
  /** The job that was under way last. */
  readonly index: number;
  /** How often it was begun. */
  readonly tries: number;
  /** Jobs that were given up. */
  readonly dead: readonly number[];
}

export interface SuspectsParts {
  readonly engine: QueueEngine;
  readonly wire: JobWire;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/**
 * Finds the URL that kills its worker. Before a URL of a suspected chunk is begun, the broker is told of it; the worker that
 * gets the chunk next then knows at which URL the last one died.
 */
export class Suspects {
  readonly #parts: SuspectsParts;
  readonly #key: string;
  #known: Suspicion = { index: -1, tries: 0, dead: [] };

  private constructor(parts: SuspectsParts, chunk: number) {
    this.#parts = parts;
    this.#key = `suspect-${chunk}`;
  }

  static async of(chunk: number, parts: SuspectsParts): Promise<Suspects> {
    const suspects = new Suspects(parts, chunk);
    suspects.#known = suspicionFrom(await parts.engine.state(suspects.#key)) ?? suspects.#known;
    return suspects;
  }

  /** The result of a job that is given up; `undefined` of one that is to be fetched, which the broker then knows. */
  async begin(job: Job): Promise<FailedResult | undefined> {
    const { engine, wire } = this.#parts;
    const { index, tries, dead } = this.#known;
    if (dead.includes(job.index)) return this.#givenUp(job);
    const again = job.index === index ? tries + 1 : 1;
    const isDead = again > DEATHS;
    this.#known = { index: job.index, tries: again, dead: isDead ? [...dead, job.index] : dead };
    if (isDead) {
      const reason = `${DEATHS} workers died while they fetched it`;
      await engine.bury({ index: job.index, job: JSON.parse(encodeJob(job, wire)), reason });
    }
    await engine.setState(this.#key, this.#known);
    return isDead ? this.#givenUp(job) : undefined;
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
        code: 'ERR_WORKER_DIED',
        message: `${DEATHS} workers died while they fetched it`,
      },
    };
  }
}

function suspicionFrom(value: unknown): Suspicion | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { index, tries, dead }: Record<string, unknown> = { ...value };
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(tries) || !Array.isArray(dead)) return undefined;
  return {
    index: Number(index),
    tries: Number(tries),
    dead: dead.filter((one) => Number.isSafeInteger(one)),
  };
}
