import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import type { Delivery } from './chunk.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';

/** Who has a chunk, and since when. */
interface Holder {
  readonly worker: string;
  readonly heldFrom: number;
}

/** A chunk that this worker is at. */
export class LeasedChunk {
  readonly jobs: readonly Job[];
  readonly #worker: string;
  readonly results: Result[] = [];
  /** The last time it was handed to this worker: the broker listens to that one alone. */
  delivery: Delivery;
  /** The time of our last word on it that has reached the broker: from then on it waits for the next one. */
  heldFrom: number;
  /** Whether it is not ours any more: it was given back, or others have it. */
  isLost = false;
  /** Of a chunk that is fetched URL by URL: resolves when that is over, and the broker knows that no URL is under way. */
  turns: Promise<void> | undefined;
  /** Resolves when all results are there, or nobody waits for more of them. */
  readonly ended: Promise<void>;
  /** Nobody waits for more results. */
  release: () => void = () => {};

  constructor(delivery: Delivery, jobs: readonly Job[], { worker, heldFrom }: Holder) {
    this.delivery = delivery;
    this.jobs = jobs;
    this.#worker = worker;
    this.heldFrom = heldFrom;
    this.ended = new Promise((resolve) => {
      this.release = resolve;
    });
  }

  /** Takes a result, which then has the name of its worker. */
  add(result: Result): void {
    this.results.push(Object.assign(result, { worker: this.#worker })); // a copy of so many keys would cost as much as to write them
    if (this.isFetched) this.release();
  }

  /** It was handed to this worker once more: the broker did not hear in time that it is being worked on. */
  comeAgain(delivery: Delivery, heldFrom: number): void {
    this.delivery = delivery;
    this.heldFrom = Math.max(this.heldFrom, heldFrom);
  }

  /** Gives it back to the broker. Whoever gets it next is to know that nobody died at the URL that was under way here. */
  giveBack(): void {
    if (this.turns === undefined) this.delivery.giveBack();
    else this.turns.then(() => this.delivery.giveBack()).catch(() => {}); // the broker is away
  }

  /** Whether all results are there. */
  get isFetched(): boolean {
    return this.results.length === this.jobs.length;
  }
}

interface LeasesParts {
  readonly engine: JetStreamEngine;
  readonly now: () => number;
  /** What is under way here. */
  readonly chunks: () => Iterable<LeasedChunk>;
  /** Told of chunks that others may be at by now. */
  readonly lost: (chunks: readonly LeasedChunk[]) => void;
}

/**
 * Asks the broker for more time while chunks are under way, and notices when it came too late: then the chunk is in other
 * hands, and with partitions no two workers may be at one host.
 * - A process that was stopped for longer than the broker waits has lost what it had.
 * - With partitions, so has one whose word did not reach the broker for so long; without, its results are still of use.
 */
export class Leases {
  readonly #parts: LeasesParts;
  #timer: NodeJS.Timeout | undefined;
  #lookedAt: number;
  #wokeAt = Number.NEGATIVE_INFINITY;

  constructor(parts: LeasesParts) {
    this.#parts = parts;
    this.#lookedAt = parts.now();
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#giveUp();
      this.extend();
    }, this.#parts.engine.settings.ackWaitMs / 3);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Asks for more time for all that is under way. What the broker has heard counts from when it was said. */
  extend(): void {
    const { engine, chunks } = this.#parts;
    const saidAt = this.#look();
    const extended = [...chunks()];
    if (extended.length === 0) return;
    for (const { delivery } of extended) delivery.extend();
    const hold = (): void => {
      for (const chunk of extended) chunk.heldFrom = Math.max(chunk.heldFrom, saidAt);
    };
    engine.heard().then(hold, () => {}); // it is away, and did not hear it
  }

  /** Whether what was asked for at this time may still be ours. */
  isFresh(askedAt: number): boolean {
    this.#look();
    return askedAt >= this.#wokeAt;
  }

  #giveUp(): void {
    const { engine, chunks, lost } = this.#parts;
    const { partitions, ackWaitMs } = engine.settings;
    const now = this.#look();
    const isShared = partitions > 1;
    const late = [...chunks()].filter(
      ({ heldFrom, isFetched }) =>
        !isFetched && (heldFrom < this.#wokeAt || (isShared && now - heldFrom > ackWaitMs)),
    );
    if (late.length > 0) lost(late);
  }

  /** Notices that the process did not run. */
  #look(): number {
    const now = this.#parts.now();
    if (now - this.#lookedAt > this.#parts.engine.settings.ackWaitMs) this.#wokeAt = now;
    this.#lookedAt = now;
    return now;
  }
}
