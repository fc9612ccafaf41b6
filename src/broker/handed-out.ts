import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import { Batches } from './batches.ts';
import type { ChunkInHand } from './chunk-in-hand.ts';

/** The jobs that a run has been given, and to which chunk the result of each belongs. */
export class HandedOut {
  readonly batches = new Batches();
  /** The chunk of each job that has no result. */
  readonly #chunkOf = new Map<number, ChunkInHand>();
  /** Told of a result, by the place of its job: where jobs go one by one. */
  readonly #told = new Map<number, () => void>();

  add(chunk: ChunkInHand, jobs: readonly Job[]): void {
    for (const { index } of jobs) this.#chunkOf.set(index, chunk);
    this.batches.add(jobs);
  }

  /** Resolves when the job has a result, or nobody waits for one any more. */
  async addOne(chunk: ChunkInHand, job: Job): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#told.set(job.index, resolve);
      this.add(chunk, [job]);
    });
    this.#told.delete(job.index);
  }

  take(result: Result): void {
    const chunk = this.#chunkOf.get(result.index);
    if (chunk === undefined) return;
    this.#chunkOf.delete(result.index);
    chunk.add(result);
    this.#told.get(result.index)?.();
  }

  /** Whether somebody waits for the result of this job. */
  isWanted({ index }: Job): boolean {
    return this.#chunkOf.has(index);
  }

  /** No job waits for its turn any more. */
  endTurns(): void {
    for (const tell of this.#told.values()) tell();
  }

  /** Nobody waits for the results of this chunk any more: it is not ours. */
  lose(chunk: ChunkInHand): void {
    chunk.isLost = true;
    chunk.release();
    for (const { index } of chunk.jobs) {
      if (this.#chunkOf.get(index) === chunk) this.#chunkOf.delete(index);
      this.#told.get(index)?.();
    }
  }
}
