import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import type { Delivery } from './queue-engine.ts';

/** A chunk that this worker is at. */
export class ChunkInHand {
  readonly jobs: readonly Job[];
  readonly results: Result[] = [];
  /** The last time it was handed to this worker: the broker listens to that one alone. */
  delivery: Delivery;
  /** Resolves when all results are there, or nobody waits for them any more. */
  readonly ended: Promise<void>;
  /** Nobody waits for the results any more. */
  release: () => void = () => {};

  constructor(delivery: Delivery, jobs: readonly Job[]) {
    this.delivery = delivery;
    this.jobs = jobs;
    this.ended = new Promise((resolve) => {
      this.release = resolve;
    });
  }

  add(result: Result): void {
    this.results.push(result);
    if (this.results.length === this.jobs.length) this.release();
  }
}
