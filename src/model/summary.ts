import { createHistogram } from 'node:perf_hooks';
import { AccountingError } from './errors.ts';
import type { FailureKind } from './failure.ts';
import { type FailedResult, failsRun, type OkResult, type Result } from './result.ts';
import { HeavyHitters } from './top-k.ts';
import { hostOf } from './url.ts';

const HIGHEST_US = 24 * 3600 * 1e6;

/** Percentiles in ms. */
interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/**
 * Percentiles of many durations in constant memory: Node's own HDR histogram (G. Tene, HdrHistogram) over
 * microseconds with three significant figures, so a percentile is at most 0.1 % or 1 µs off. About 300 kB and
 * 20 ns a record. Durations above 24 hours count as 24 hours.
 */
export class LatencyHistogram {
  readonly #histogram = createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 3 });
  #count = 0;

  record(durationMs: number): void {
    const us = Math.round(durationMs * 1000);
    // The histogram throws on 0 and on what is not a number.
    this.#histogram.record(us >= 1 ? Math.min(us, HIGHEST_US) : 1);
    this.#count += 1;
  }

  /** Nothing when nothing was recorded: a percentile of no durations is not 0. */
  percentiles(): Latency | undefined {
    if (this.#count === 0) return undefined;
    return { p50: this.#at(50), p90: this.#at(90), p99: this.#at(99) };
  }

  #at(percent: number): number {
    return this.#histogram.percentile(percent) / 1000;
  }
}

const HOST_COUNTERS = 100;
const WORST_HOSTS = 10;

/** What became of a run, as plain data: also the object that `--summary json` writes. */
export interface Summary {
  /** Jobs read from the inputs. */
  readonly read: number;
  readonly ok: number;
  /** Those that are OK with a warning: a part of `ok`. */
  readonly warned: number;
  /** Those that the baseline has as failed and that are OK now: a part of `ok`. */
  readonly mended: number;
  readonly failed: number;
  /** Failures that the baseline knows: a part of `failed`. */
  readonly known: number;
  /** Failures that the baseline does not know: a part of `failed`, 0 without a baseline. */
  readonly new: number;
  /** Failures that are not known and have not come often enough yet to fail the run: a part of `failed`. */
  readonly flaky: number;
  /** Those that come from the journal of an earlier run: a part of `ok` and `failed`. */
  readonly resumed: number;
  /** Left out on purpose, such as the second of two equal URLs. */
  readonly skipped: number;
  /** Read, but never asked for, because the run was stopped. */
  readonly notFetched: number;
  readonly wallMs: number;
  /** URLs that this run has finished, OK or failed, for each second of wall time. */
  readonly urlsPerSecond: number;
  readonly bytes: number;
  /** Of the last attempt of each URL that was asked for; left out when none was. */
  readonly latencyMs?: Latency;
  readonly failuresByKind: Readonly<Partial<Record<FailureKind, number>>>;
  /** The failures of kind `status` by their status code. */
  readonly failuresByStatus: Readonly<Record<string, number>>;
  readonly worstHosts: readonly FailingHost[];
}

/** A host with the most failures; the true number lies between `failures - overcount` and `failures`. */
export interface FailingHost {
  readonly host: string;
  readonly failures: number;
  readonly overcount: number;
}

/**
 * Folds results into a `Summary`, in memory that depends on neither their number nor that of their hosts.
 * `add()` counts `ok`, `failed` and their parts; the other counts belong to whoever reads the input and stops the run.
 */
export class SummaryFold {
  read = 0;
  ok = 0;
  failed = 0;
  warned = 0;
  mended = 0;
  known = 0;
  new = 0;
  flaky = 0;
  resumed = 0;
  skipped = 0;
  notFetched = 0;
  #bytes = 0;
  readonly #latency = new LatencyHistogram();
  readonly #kinds = new Map<FailureKind, number>();
  readonly #statuses = new Map<number, number>();
  readonly #hosts = new HeavyHitters(HOST_COUNTERS);

  add(result: Result): void {
    if (result.isResumed) this.resumed += 1;
    this.#bytes += result.bytes;
    if (result.attempts > 0) this.#latency.record(result.durationMs);
    if (result.ok) this.#addOk(result);
    else this.#addFailure(result);
  }

  /** The state so far, `wallMs` milliseconds after the run began. */
  summary(wallMs: number): Summary {
    const latencyMs = this.#latency.percentiles();
    const fetched = this.ok + this.failed - this.resumed;
    return {
      read: this.read,
      ok: this.ok,
      warned: this.warned,
      mended: this.mended,
      failed: this.failed,
      known: this.known,
      new: this.new,
      flaky: this.flaky,
      resumed: this.resumed,
      skipped: this.skipped,
      notFetched: this.notFetched,
      wallMs,
      urlsPerSecond: wallMs > 0 ? (fetched * 1000) / wallMs : 0,
      bytes: this.#bytes,
      ...(latencyMs && { latencyMs }),
      failuresByKind: Object.fromEntries(this.#kinds),
      failuresByStatus: Object.fromEntries(this.#statuses),
      worstHosts: this.#hosts
        .top(WORST_HOSTS)
        .map(({ key, count, overcount }) => ({ host: key, failures: count, overcount })),
    };
  }

  #addOk({ warning, baseline }: OkResult): void {
    this.ok += 1;
    if (warning !== undefined) this.warned += 1;
    if (baseline === 'mended') this.mended += 1;
  }

  #addFailure(result: FailedResult): void {
    this.failed += 1;
    if (result.baseline === 'known') this.known += 1;
    else if (!failsRun(result)) this.flaky += 1;
    if (result.baseline === 'new') this.new += 1;
    const { kind } = result.failure;
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
    if (kind === 'status' && result.status !== undefined) {
      this.#statuses.set(result.status, (this.#statuses.get(result.status) ?? 0) + 1);
    }
    // The URL of an invalid job is whatever was read, so it has no host to blame.
    if (kind !== 'invalid') this.#hosts.add(hostOf(result.finalUrl ?? result.url));
  }
}

/** Throws an AccountingError with all counts unless read = ok + failed + skipped + notFetched. */
export function checkBalance(
  counts: Pick<Summary, 'read' | 'ok' | 'failed' | 'skipped' | 'notFetched'>,
): void {
  const { read, ok, failed, skipped, notFetched } = counts;
  const sum = ok + failed + skipped + notFetched;
  if (read === sum) return;
  throw new AccountingError(
    `The counts do not add up, which is a bug in fanout: read ${read}, but ok ${ok} + failed ${failed}` +
      ` + skipped ${skipped} + not fetched ${notFetched} = ${sum}`,
  );
}
