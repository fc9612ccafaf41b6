import type { Result } from '../../model/result.ts';
import { type Summary, SummaryFold } from '../../model/summary.ts';

const DAY_MS = 24 * 3600 * 1000;

/** All of a summary that the result records alone can tell, and when they were made. */
export interface ReportSummary
  extends Omit<Summary, 'read' | 'skipped' | 'notFetched' | 'wallMs' | 'urlsPerSecond'> {
  readonly results: number;
  /** Start of the first attempt and end of the last, in ms since the epoch; left out when there is no result. */
  readonly startedAt?: number;
  readonly endedAt?: number;
}

/** Folds results into a `ReportSummary`, in memory that does not depend on their number. */
export class ReportFold {
  readonly #fold = new SummaryFold();
  #startedAt = Number.POSITIVE_INFINITY;
  #endedAt = Number.NEGATIVE_INFINITY;

  add(result: Result): void {
    this.#fold.add(result);
    this.#startedAt = Math.min(this.#startedAt, result.startedAt);
    this.#endedAt = Math.max(this.#endedAt, endOf(result));
  }

  summary(): ReportSummary {
    const { read, skipped, notFetched, wallMs, urlsPerSecond, ...told } = this.#fold.summary(0);
    const results = told.ok + told.failed;
    if (results === 0) return { results, ...told };
    return { results, startedAt: this.#startedAt, endedAt: this.#endedAt, ...told };
  }

  /** The same as the summary of a run that took as long as its results and read nothing else. */
  asRun(): Summary {
    const wallMs = Math.max(0, this.#endedAt - this.#startedAt);
    const summary = this.#fold.summary(wallMs);
    return { ...summary, read: summary.ok + summary.failed };
  }
}

/** When the last attempt of a result ended, in ms since the epoch. A record may say anything, so a day is the most. */
export function endOf({ startedAt, durationMs }: Result): number {
  return startedAt + Math.min(durationMs, DAY_MS);
}
