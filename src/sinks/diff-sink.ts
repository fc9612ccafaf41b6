import type { DiffCounts, Difference } from '../collect/run-diff.ts';

/** Takes the differences between two runs, under the terms of a `Sink`. */
export interface DiffSink {
  write(difference: Difference): void | Promise<void>;
  end(counts: DiffCounts): Promise<void>;
}
