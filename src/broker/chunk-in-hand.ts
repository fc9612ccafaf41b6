import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import type { Delivery } from './queue-engine.ts';

/** A chunk that this worker is at. */
export class ChunkInHand {
  readonly jobs: readonly Job[];
  readonly results: Result[] = [];
  /** The last time it was handed to this worker: the broker listens to that one alone. */
  delivery: Delivery;
  readonly #onDone: () => void;

  constructor(delivery: Delivery, jobs: readonly Job[], onDone: () => void) {
    this.delivery = delivery;
    this.jobs = jobs;
    this.#onDone = onDone;
  }

  add(result: Result): void {
    this.results.push(result);
    if (this.results.length === this.jobs.length) this.#onDone();
  }
}
