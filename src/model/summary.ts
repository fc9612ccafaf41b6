import { createHistogram } from 'node:perf_hooks';
import { AccountingError } from './errors.ts';
import type { FailureKind } from './failure.ts';
import {
  type FailedResult,
  type FileNote,
  failsRun,
  isNotFetched,
  type OkResult,
  outcomeLabel,
  type Result,
  type Verdict,
  verdictOf,
} from './result.ts';
import { hostOf } from './url.ts';

const HIGHEST_US = 24 * 3600 * 1e6;

/** Percentiles in ms. */
interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/**
 * Percentiles of durations in constant memory: Node's HDR histogram (G. Tene, HdrHistogram) over microseconds with three
 * significant figures, so the error of a percentile is at most 0.1 % or 1 µs. About 300 kB, and 20 ns per record. Durations
 * above 24 hours count as 24 hours.
 */
export class LatencyHistogram {
  readonly #histogram = createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 3 });
  #count = 0;

  record(durationMs: number): void {
    const us = Math.round(durationMs * 1000);
    // The histogram throws for 0 and NaN.
    this.#histogram.record(us >= 1 ? Math.min(us, HIGHEST_US) : 1);
    this.#count += 1;
  }

  /** `undefined` if nothing was recorded. */
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
const MAX_DOWN_HOSTS = 100;

/**
 * Why a line has no result: an equal one came before (`--unique`), its scheme is one such as `mailto:`, or `--include` and
 * `--exclude` leave its URL out.
 */
export type SkipReason = 'duplicate' | 'scheme' | 'excluded';

/** The counts of a run as plain data: the object that `--summary json` writes. */
export interface Summary {
  /** Jobs read from the inputs. */
  readonly read: number;
  readonly ok: number;
  /** OK with a warning; part of `ok`. */
  readonly warned: number;
  /** OK, but failed in the baseline; part of `ok`. */
  readonly fixed: number;
  readonly failed: number;
  /** Failures in the baseline; part of `failed`. */
  readonly known: number;
  /** Failures not in the baseline; part of `failed`, 0 without a baseline. */
  readonly new: number;
  /** Failures not in the baseline that are below `--flaky-after`; part of `failed`. */
  readonly flaky: number;
  /** Taken from the journal of an earlier run; part of `ok` and `failed`. */
  readonly resumed: number;
  /** `resumed` by verdict; left out if it is 0. */
  readonly resumedByVerdict?: Readonly<Partial<Record<Verdict, number>>>;
  /** Left out on purpose, such as duplicate URLs. */
  readonly skipped: number;
  /** `skipped` by reason; left out if it is 0 or the reasons are not known. */
  readonly skippedByReason?: Readonly<Partial<Record<SkipReason, number>>>;
  /** In the list, but not fetched because the run was stopped. */
  readonly notFetched: number;
  /** Whether the list is known to its end. If not, more URLs than `notFetched` were not fetched. */
  readonly isListComplete: boolean;
  readonly wallMs: number;
  /** URLs that this run finished, OK or failed, per second of wall time. */
  readonly urlsPerSecond: number;
  readonly bytes: number;
  /** Bodies that this run saved as files, and their bytes. */
  readonly savedFiles: number;
  readonly savedBytes: number;
  /** Results by what they say of their file; left out if none does. */
  readonly files?: Readonly<Partial<Record<FileNote, number>>>;
  /** Durations of the last attempt of each URL; left out if nothing was sent. */
  readonly latencyMs?: Latency;
  readonly failuresByKind: Readonly<Partial<Record<FailureKind, number>>>;
  /** Failures of kind `status`, by status code. */
  readonly failuresByStatus: Readonly<Record<string, number>>;
  /**
   * Of these failures, those that do not fail the run (known, or below `--flaky-after`), by status for failures of kind `status`,
   * otherwise by kind; left out if there are none.
   */
  readonly excusedByOutcome?: Readonly<Record<string, number>>;
  /** The hosts with most failures that fail the run. */
  readonly worstHosts: readonly FailingHost[];
  /** The first hosts that were given up: those with failures of kind `down`. */
  readonly downHosts: readonly DownHost[];
}

/** A host that was given up. */
interface DownHost {
  readonly host: string;
  /** URLs that failed because of that. */
  readonly urls: number;
  /** The message of the first of them, with the last error of the host. */
  readonly message: string;
}

/** A host with many failures. The true number is between `failures - overcount` and `failures`. */
export interface FailingHost {
  readonly host: string;
  readonly failures: number;
  readonly overcount: number;
}

/**
 * Folds results into a `Summary`, in constant memory for any number of results and hosts.
 * `add()` sets `ok`, `failed` and their parts, and `notFetched` as far as there are results; the caller sets `read`,
 * `skipped`, and the rest of `notFetched`.
 */
export class SummaryFold {
  read = 0;
  ok = 0;
  failed = 0;
  warned = 0;
  fixed = 0;
  known = 0;
  new = 0;
  flaky = 0;
  resumed = 0;
  skipped = 0;
  skippedByReason: Summary['skippedByReason'] | undefined = undefined;
  notFetched = 0;
  isListComplete = true;
  #bytes = 0;
  #savedFiles = 0;
  #savedBytes = 0;
  readonly #files = new Map<FileNote, number>();
  readonly #latency = new LatencyHistogram();
  readonly #kinds = new Map<FailureKind, number>();
  readonly #statuses = new Map<number, number>();
  readonly #resumed = new Map<Verdict, number>();
  readonly #excused = new Map<string, number>();
  readonly #hosts = new TopK(HOST_COUNTERS);
  readonly #downHosts = new Map<string, DownHost>();

  add(result: Result): void {
    if (isNotFetched(result)) {
      this.notFetched += 1;
      return;
    }
    if (result.isResumed) {
      this.resumed += 1;
      count(this.#resumed, verdictOf(result));
    }
    this.#bytes += result.bytes;
    if (result.file !== undefined) count(this.#files, result.file);
    if (result.body?.path !== undefined && !result.isResumed && isNewFile(result)) {
      this.#savedFiles += 1;
      this.#savedBytes += result.body.bytes;
    }
    if (result.attempts > 0) this.#latency.record(result.durationMs);
    if (result.ok) this.#addOk(result);
    else this.#addFailure(result);
  }

  /** The summary so far, `wallMs` after the start of the run. */
  summary(wallMs: number): Summary {
    const latencyMs = this.#latency.percentiles();
    const fetched = this.ok + this.failed - this.resumed - (this.#files.get('existing') ?? 0);
    return {
      read: this.read,
      ok: this.ok,
      warned: this.warned,
      fixed: this.fixed,
      failed: this.failed,
      known: this.known,
      new: this.new,
      flaky: this.flaky,
      resumed: this.resumed,
      ...(this.resumed > 0 && { resumedByVerdict: Object.fromEntries(this.#resumed) }),
      skipped: this.skipped,
      ...(this.skippedByReason && { skippedByReason: this.skippedByReason }),
      notFetched: this.notFetched,
      isListComplete: this.isListComplete,
      wallMs,
      urlsPerSecond: wallMs > 0 ? (fetched * 1000) / wallMs : 0,
      bytes: this.#bytes,
      savedFiles: this.#savedFiles,
      savedBytes: this.#savedBytes,
      ...(this.#files.size > 0 && { files: Object.fromEntries(this.#files) }),
      ...(latencyMs && { latencyMs }),
      failuresByKind: Object.fromEntries(this.#kinds),
      failuresByStatus: Object.fromEntries(this.#statuses),
      ...(this.#excused.size > 0 && { excusedByOutcome: Object.fromEntries(this.#excused) }),
      worstHosts: this.#hosts
        .top(WORST_HOSTS)
        .map(({ key, count, overcount }) => ({ host: key, failures: count, overcount })),
      downHosts: [...this.#downHosts.values()],
    };
  }

  #addOk({ warning, baseline }: OkResult): void {
    this.ok += 1;
    if (warning !== undefined) this.warned += 1;
    if (baseline === 'fixed') this.fixed += 1;
  }

  #addFailure(result: FailedResult): void {
    this.failed += 1;
    if (result.baseline === 'known') this.known += 1;
    else if (!failsRun(result)) this.flaky += 1;
    if (result.baseline === 'new') this.new += 1;
    const { kind } = result.failure;
    count(this.#kinds, kind);
    if (kind === 'status' && result.status !== undefined) count(this.#statuses, result.status);
    if (!failsRun(result)) count(this.#excused, outcomeLabel(result));
    // The `url` of an invalid job is any text, without a host.
    if (kind === 'invalid') return;
    const host = hostOf(result.finalUrl ?? result.url);
    if (failsRun(result) && host !== '') this.#hosts.add(host);
    if (kind === 'down') this.#addDown(host, result.failure.message);
  }

  #addDown(host: string, message: string): void {
    const counted = this.#downHosts.get(host);
    if (counted === undefined && this.#downHosts.size >= MAX_DOWN_HOSTS) return;
    this.#downHosts.set(host, { host, message, ...counted, urls: (counted?.urls ?? 0) + 1 });
  }
}

function isNewFile({ file }: Result): boolean {
  return file === undefined || file === 'changed';
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** @throws AccountingError unless read = ok + failed + skipped + notFetched */
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

/**
 * Finds out from the indexes of results whether a file lacks some: the index of a result is its place in the list, so a file
 * with index 200 belongs to a list of 201 URLs or more.
 */
export class IndexSpan {
  #count = 0;
  #highest = -1;

  add(index: number): void {
    this.#count += 1;
    this.#highest = Math.max(this.#highest, index);
  }

  /** The number of results that are missing at least. */
  get missing(): number {
    return Math.max(0, this.#highest + 1 - this.#count);
  }
}

/** A key with its count. The true count is between `count - overcount` and `count`. */
interface CountedKey {
  readonly key: string;
  readonly count: number;
  readonly overcount: number;
}

/**
 * The most frequent keys of an unbounded stream in constant memory: the Space-Saving algorithm (A. Metwally, D. Agrawal, A. El
 * Abbadi: Efficient computation of frequent and top-k elements in data streams, ICDT 2005).
 * - A key that makes up more than 1/capacity of the stream always has a counter.
 * - `overcount` is 0 for all keys while at most `capacity` distinct keys were seen.
 * - A new key beyond the capacity is O(capacity), any other key O(1).
 */
export class TopK {
  readonly #slots = new Map<string, number>();
  readonly #keys: string[] = [];
  // Typed arrays, since a stream of new keys scans all counters for each of them.
  readonly #counts: Float64Array;
  readonly #overcounts: Float64Array;

  /** @param capacity number of counters, above 0 */
  constructor(capacity: number) {
    this.#counts = new Float64Array(capacity);
    this.#overcounts = new Float64Array(capacity);
  }

  add(key: string): void {
    const slot = this.#slots.get(key) ?? this.#slotFor(key);
    this.#counts[slot] = this.#count(slot) + 1;
  }

  /** At most `limit` keys, in descending order of the lower bound of their count. */
  top(limit: number): CountedKey[] {
    return this.#keys
      .map((key, slot) => ({ key, count: this.#count(slot), overcount: this.#overcounts[slot] ?? 0 }))
      .sort((a, b) => b.count - b.overcount - (a.count - a.overcount) || b.count - a.count)
      .slice(0, limit);
  }

  /** A new key takes over the smallest counter, since it cannot have been missed more often than that. */
  #slotFor(key: string): number {
    const isFree = this.#keys.length < this.#counts.length;
    const slot = isFree ? this.#keys.length : this.#smallest();
    if (!isFree) {
      this.#slots.delete(this.#keys[slot] ?? '');
      this.#overcounts[slot] = this.#count(slot);
    }
    this.#keys[slot] = key;
    this.#slots.set(key, slot);
    return slot;
  }

  #smallest(): number {
    let smallest = 0;
    for (let slot = 1; slot < this.#counts.length; slot += 1) {
      if (this.#count(slot) < this.#count(smallest)) smallest = slot;
    }
    return smallest;
  }

  #count(slot: number): number {
    return this.#counts[slot] ?? 0;
  }
}
