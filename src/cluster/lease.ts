import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import { failedRequest } from '../output/failed-list.ts';
import type { Delivery } from './chunk.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';

interface LeaseHolder {
  readonly worker: string;
  readonly leasedSince: number;
}

/** A chunk that is leased to this worker. */
export class LeasedChunk {
  readonly jobs: readonly Job[];
  readonly results: Result[] = [];
  /** The last delivery to this worker: the broker ignores what is sent for earlier ones. */
  delivery: Delivery;
  /** When the last extension that reached the broker was sent: the ack wait counts from then, in ms. */
  leasedSince: number;
  /** Whether the lease is over: the chunk was given back, or another worker has it. */
  isLost = false;
  /** Of a chunk that is fetched URL by URL: resolves when that is over, and the broker knows that no URL is in flight. */
  serialFetch: Promise<void> | undefined;
  /** Resolves when all results are there, or after `release()`. */
  readonly ended: Promise<void>;
  /** Ends the wait for more results. */
  release: () => void = () => {};
  readonly #worker: string;
  /** Made when the first job fails. */
  #jobsByIndex: ReadonlyMap<number, Job> | undefined;

  constructor(delivery: Delivery, jobs: readonly Job[], { worker, leasedSince }: LeaseHolder) {
    this.delivery = delivery;
    this.jobs = jobs;
    this.#worker = worker;
    this.leasedSince = leasedSince;
    this.ended = new Promise((resolve) => {
      this.release = resolve;
    });
  }

  /** Whether all results are there. */
  get isFetched(): boolean {
    return this.results.length === this.jobs.length;
  }

  /** Adds a result, and to it the name of its worker and, if it failed, what the list of `--failed` repeats of its job. */
  add(result: Result): void {
    const { index, ok } = result;
    const job = ok ? undefined : this.#jobAt(index);
    const request = job && failedRequest(job);
    this.results.push(Object.assign(result, { worker: this.#worker }, request && { request })); // copying that many keys costs as much as encoding them
    if (this.isFetched) this.release();
  }

  #jobAt(index: number): Job | undefined {
    this.#jobsByIndex ??= new Map(this.jobs.map((job) => [job.index, job]));
    return this.#jobsByIndex.get(index);
  }

  /** Adds what an earlier worker has fetched. Returns the jobs without a result. */
  restore(results: readonly Result[]): readonly Job[] {
    const indexes = new Set(this.jobs.map(({ index }) => index));
    for (const result of results) if (indexes.delete(result.index)) this.results.push(result);
    if (this.isFetched) this.release();
    return this.jobs.filter(({ index }) => indexes.has(index));
  }

  /** It was redelivered to this worker: the last extension did not reach the broker in time. */
  redelivered(delivery: Delivery, leasedSince: number): void {
    this.delivery = delivery;
    this.leasedSince = Math.max(this.leasedSince, leasedSince);
  }
}

interface LeasesParts {
  readonly engine: JetStreamEngine;
  readonly now: () => number;
  /** The chunks that are leased now. */
  readonly chunks: () => Iterable<LeasedChunk>;
  /** Called with chunks whose lease may be over. */
  readonly lost: (chunks: readonly LeasedChunk[]) => void;
}

/**
 * Extends the leases of a worker, and notices when that came too late: then another worker has the chunk, and with
 * partitions no two workers may fetch from one host.
 * - A process that was suspended for longer than the ack wait has lost its leases.
 * - With partitions it also loses a lease when no extension reached the broker for that long; without, its results
 *   are still valid.
 */
export class Leases {
  readonly #parts: LeasesParts;
  #timer: NodeJS.Timeout | undefined;
  #checkedAt: number;
  #resumedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: LeasesParts) {
    this.#parts = parts;
    this.#checkedAt = parts.now();
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#reportLost();
      this.extend();
    }, this.#parts.engine.settings.ackWaitMs / 3);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Extends all leases. They count from the time of sending, once the broker has received it. */
  extend(): void {
    const { engine, chunks } = this.#parts;
    const sentAt = this.#checkSuspended();
    const extended = [...chunks()];
    if (extended.length === 0) return;
    for (const { delivery } of extended) delivery.extend();
    const confirm = (): void => {
      for (const chunk of extended) chunk.leasedSince = Math.max(chunk.leasedSince, sentAt);
    };
    engine.flush().then(confirm, () => {}); // the broker is away, and did not receive it
  }

  /** Whether a chunk that was requested at this time may still be leased to this worker. */
  isFresh(requestedAt: number): boolean {
    this.#checkSuspended();
    return requestedAt >= this.#resumedAt;
  }

  #reportLost(): void {
    const { engine, chunks, lost } = this.#parts;
    const { partitions, ackWaitMs } = engine.settings;
    const now = this.#checkSuspended();
    const lostChunks = [...chunks()].filter(
      ({ leasedSince, isFetched }) =>
        !isFetched && (leasedSince < this.#resumedAt || (partitions > 1 && now - leasedSince > ackWaitMs)),
    );
    if (lostChunks.length > 0) lost(lostChunks);
  }

  /** Notices that the process was suspended. Returns the time. */
  #checkSuspended(): number {
    const now = this.#parts.now();
    if (now - this.#checkedAt > this.#parts.engine.settings.ackWaitMs) this.#resumedAt = now;
    this.#checkedAt = now;
    return now;
  }
}
