import type { Result } from '../../../model/result.ts';
import { LatencyBuckets } from '../latency-buckets.ts';
import { endOf, ReportFold } from '../report-fold.ts';
import { type Row, rowOf, Samples, sectionOf } from '../samples.ts';
import { Slowest } from '../slowest.ts';
import { TimeBuckets } from '../time-buckets.ts';

/** How much is kept for the page, so that a browser opens it at once, however many results there are. */
const LIMITS = { section: 1000, group: 500 };
const OK_ROWS = 300;
const REDIRECTS = 200;
const SLOWEST = 25;
const TIME_BUCKETS = 120;

/** Everything that the page shows, folded in memory that does not depend on the number of results. */
export class PageData {
  readonly fold = new ReportFold();
  readonly samples = new Samples(LIMITS);
  readonly slowest = new Slowest(SLOWEST);
  readonly latency = new LatencyBuckets();
  readonly timeline = new TimeBuckets(TIME_BUCKETS);
  /** The first results that are no more than OK, and how many there are. */
  readonly okRows: Row[] = [];
  okCount = 0;
  /** The first results that were redirected, and how many there are. */
  readonly redirects: Row[] = [];
  redirectCount = 0;

  add(result: Result): void {
    this.fold.add(result);
    this.samples.add(result);
    this.timeline.add(endOf(result), result.ok);
    if (result.attempts > 0) {
      this.slowest.add(result);
      this.latency.add(result.durationMs, result.ok);
    }
    if (sectionOf(result) === undefined) {
      this.okCount += 1;
      if (this.okRows.length < OK_ROWS) this.okRows.push(rowOf(result));
    }
    if (result.redirects.length > 0) {
      this.redirectCount += 1;
      if (this.redirects.length < REDIRECTS) this.redirects.push(rowOf(result));
    }
  }
}
