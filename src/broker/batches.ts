import type { Job } from '../model/job.ts';

/** Hands batches of jobs from many lanes to the one reader of a run. What bounds it is the number of lanes. */
export class Batches implements AsyncIterable<readonly Job[]> {
  #waiting: (readonly Job[])[] = [];
  #isClosed = false;
  #wake: () => void = () => {};

  add(jobs: readonly Job[]): void {
    this.#waiting.push(jobs);
    this.#wake();
  }

  /** The reader comes to its end when it has all that was added. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Job[], void, void> {
    for (;;) {
      const batch = this.#waiting.shift();
      if (batch !== undefined) yield batch;
      else if (this.#isClosed) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
