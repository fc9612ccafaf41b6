import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import type { Delivery } from './queue-engine.ts';

/** A chunk that this worker is at. */
export class ChunkInHand {
  readonly jobs: readonly Job[];
  readonly #worker: string;
  readonly results: Result[] = [];
  /** The last time it was handed to this worker: the broker listens to that one alone. */
  delivery: Delivery;
  /** Resolves when all results are there, or nobody waits for them any more. */
  readonly ended: Promise<void>;
  /** Nobody waits for the results any more. */
  release: () => void = () => {};

  constructor(delivery: Delivery, jobs: readonly Job[], worker: string) {
    this.delivery = delivery;
    this.jobs = jobs;
    this.#worker = worker;
    this.ended = new Promise((resolve) => {
      this.release = resolve;
    });
  }

  /** Takes a result, which then has the name of its worker. */
  add(result: Result): void {
    this.results.push(Object.assign(result, { worker: this.#worker })); // a copy of so many keys would cost as much as to write them
    if (this.results.length === this.jobs.length) this.release();
  }
}
