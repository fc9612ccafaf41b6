import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import type { Delivery } from './queue-engine.ts';

/** Who has a chunk, and since when. */
export interface Holder {
  readonly worker: string;
  readonly heldFrom: number;
}

/** A chunk that this worker is at. */
export class ChunkInHand {
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
