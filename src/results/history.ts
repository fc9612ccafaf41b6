import type { FailureKind } from '../model/failure.ts';
import type { Job } from '../model/job.ts';
import { type FailedResult, isNotFetched, type Result } from '../model/result.ts';
import { IndexSpan } from '../model/summary.ts';

// What earlier runs say of a URL.

/** A failure as a baseline has it: its job, and how it failed when the baseline was written. */
export interface KnownFailure {
  readonly url: string;
  /** If unset, any method and any id match. */
  readonly method?: string | undefined;
  readonly id?: string | undefined;
  /** The number of jobs before it with the same method and URL. If unset, its place does not matter, or is not known. */
  readonly occurrence?: number | undefined;
  readonly kind?: FailureKind | undefined;
  readonly status?: number | undefined;
}

/** What a baseline needs of a failed result. */
export type FailureFields = Pick<FailedResult, 'index' | 'url' | 'method' | 'id' | 'failure' | 'status'>;

/** The failures of one key in a baseline. */
interface KnownJobs {
  /** The first of them. */
  readonly failure: KnownFailure;
  /** Whether one of them is a line without a place. */
  isListed: boolean;
  /** The places of jobs that failed, among the jobs with this key. */
  readonly occurrences: Set<number>;
  /** The indexes of records that do not say their place. */
  readonly indexes: Set<number>;
  /** Whether one of the failures does not say its place: then every job that has none matches. */
  isUnnumbered: boolean;
  /** Whether places matter: the records had several jobs with this key. */
  isShared: boolean;
  /** Whether this run had a result for such a job. */
  isSeen: boolean;
}

/**
 * The failures of an earlier run, with which those of this run are compared.
 * - Results match by method, URL and id; HEAD matches GET.
 * - Jobs without an id that have headers, a body or expectations of their own also match by their place among the jobs with
 *   the same method and URL, once `watch()` sees the jobs. A job whose place the baseline does not say is known only if it is
 *   at the same place in the list, or if no other job has its method and URL; otherwise `isUnsure` is set.
 * - O(failures) in memory, or O(records) if they do not say their places.
 */
export class Baseline {
  /** By key, or by URL for a line without a method. */
  readonly #known = new Map<string, KnownJobs>();
  /** By key, the indexes of records that do not say their place, with those that are OK. */
  readonly #places = new Map<string, number[]>();
  readonly #span = new IndexSpan();
  /** The number of jobs that were read, by key: only of known keys, unless all are counted. */
  readonly #counts = new Map<string, number>();
  /** The places of the jobs in flight that are compared by place, by index. */
  readonly #numbered = new Map<number, number>();
  /** The places of jobs that failed, by index, for a new baseline. */
  readonly #failed = new Map<number, number>();
  #isWatched = false;
  #countsAll = false;
  #isUnsure = false;

  /** Whether a failure counts as new because it cannot be told apart from a known one. */
  get isUnsure(): boolean {
    return this.#isUnsure;
  }

  /** Adds a line of a baseline. */
  addFailure(failure: KnownFailure): void {
    const { url, method, id, occurrence } = failure;
    const known = this.#jobsOf(method === undefined ? url : knownKey({ method, url, id }), failure);
    if (occurrence === undefined) known.isListed = true;
    else known.occurrences.add(occurrence);
  }

  /** Adds a record, also one that is OK. The kind of a failure does not matter. */
  addRecord(record: Result): void {
    const { index, id, ok, failure, status, method, url } = record;
    const key = knownKey(record);
    this.#span.add(index);
    if (id === undefined) {
      const places = this.#places.get(key);
      if (places === undefined) this.#places.set(key, [index]);
      else places.push(index);
    }
    if (ok || isNotFetched(record)) return;
    const known = this.#jobsOf(key, { url, method, id, kind: failure?.kind, status });
    known.isUnnumbered = true;
    known.indexes.add(index);
  }

  /** To be called after the last record. */
  endRecords(): void {
    // Without the records of all jobs, places cannot be counted.
    if (this.#span.missing === 0) {
      for (const [key, known] of this.#known) {
        const places = this.#places.get(key)?.sort((a, b) => a - b) ?? [];
        for (const index of known.indexes) known.occurrences.add(places.indexOf(index));
        known.indexes.clear();
        known.isShared ||= places.length > 1;
      }
    }
    this.#places.clear();
  }

  #jobsOf(key: string, failure: KnownFailure): KnownJobs {
    const found = this.#known.get(key);
    if (found !== undefined) return found;
    const known: KnownJobs = {
      failure: { ...failure, occurrence: undefined },
      ...{ isListed: false, isUnnumbered: false, isShared: failure.occurrence !== undefined, isSeen: false },
      ...{ occurrences: new Set(), indexes: new Set() },
    };
    this.#known.set(key, known);
    return known;
  }

  /**
   * Passes the jobs on, and counts those that share method and URL.
   *
   * @param method the method of a job that sets none
   * @param countsAll whether to count jobs of every key, for a new baseline; takes about 100 bytes for each URL
   */
  async *watch(
    batches: AsyncIterable<Iterable<Job>>,
    method: string,
    countsAll: boolean,
  ): AsyncGenerator<Iterable<Job>> {
    this.#isWatched = true;
    this.#countsAll = countsAll;
    for await (const batch of batches) yield this.#number(batch, method);
  }

  *#number(batch: Iterable<Job>, runMethod: string): Generator<Job> {
    for (const job of batch) {
      if (job.id === undefined) {
        const key = knownKey({ url: job.url, method: job.method ?? runMethod, id: undefined });
        if (this.#countsAll || this.#known.has(key) || this.#known.has(job.url)) {
          const count = this.#counts.get(key) ?? 0;
          this.#counts.set(key, count + 1);
          const isOwn = job.headers !== undefined || job.body !== undefined || job.expect !== undefined;
          if (isOwn) this.#numbered.set(job.index, count);
        }
      }
      yield job;
    }
  }

  /** Returns the result with its `baseline` key. A result that is OK and not in the baseline has none. */
  annotate(result: Result): Result {
    const { index, ok, url } = result;
    const occurrence = this.#numbered.get(index);
    this.#numbered.delete(index);
    const key = knownKey(result);
    for (const known of [this.#known.get(key), this.#known.get(url)]) if (known) known.isSeen = true;
    const isKnown = this.#isKnown(result, key, occurrence);
    if (ok) return isKnown ? { ...result, baseline: 'fixed' } : result;
    if (this.#countsAll && occurrence !== undefined) this.#failed.set(index, occurrence);
    return { ...result, baseline: isKnown ? 'known' : 'new' };
  }

  #isKnown(result: Result, key: string, occurrence: number | undefined): boolean {
    const known = this.#known.get(key);
    const isListed = known?.isListed === true || this.#known.get(result.url)?.isListed === true;
    if (occurrence === undefined) {
      return isListed || (known !== undefined && (known.isUnnumbered || !this.#isWatched));
    }
    if (known?.occurrences.has(occurrence) || known?.indexes.has(result.index)) return true;
    if (!isListed && (known === undefined || known.indexes.size === 0)) return false;
    const isOnlyOne = this.#counts.get(key) === 1;
    if (!isOnlyOne && !result.ok) this.#isUnsure = true;
    return isOnlyOne;
  }

  /** The failure of a result for a new baseline, once all jobs were read: only then it is known whether others share its URL. */
  failureOf({ index, url, method, id, failure, status }: FailureFields): KnownFailure {
    const isShared = (this.#counts.get(knownKey({ method, url, id })) ?? 0) > 1;
    return {
      ...{ url, method, id, kind: failure.kind, status },
      occurrence: isShared ? this.#failed.get(index) : undefined,
    };
  }

  /** The failures of jobs for which this run had no result: they are not in its list. */
  *unseen(): Generator<KnownFailure> {
    for (const { failure, occurrences, isListed, isShared, isSeen } of this.#known.values()) {
      if (isSeen) continue;
      if (isListed || !isShared) yield failure;
      if (isShared) for (const occurrence of occurrences) yield { ...failure, occurrence };
    }
  }
}

/** A request that failed in its last runs, and the number of these runs in a row. */
export interface FlakyEntry {
  readonly method: string;
  readonly url: string;
  readonly id?: string | undefined;
  readonly badRuns: number;
}

interface State extends FlakyEntry {
  /** Whether the entry comes from this run. */
  readonly isCurrent: boolean;
  /** Whether this run has had only results that are OK. */
  readonly isOk: boolean;
}

/** Kinds of failures that last until someone changes the list or the options. */
const LASTING_KINDS: ReadonlySet<FailureKind> = new Set(['invalid', 'denied']);

/** Statuses that say that the page is gone. */
const LASTING_STATUSES: ReadonlySet<number | undefined> = new Set([404, 410]);

/**
 * Counts in how many consecutive runs each URL has failed, so that a single bad run is not a failure if it may pass.
 * O(failed URLs) in memory. Jobs that share method, URL and id count as one, which has a bad run if one of them fails.
 */
export class FlakyHistory {
  readonly #threshold: number;
  readonly #states = new Map<string, State>();

  /** @param threshold number of consecutive bad runs that are a failure, 1 or more */
  constructor(threshold: number, earlier: Iterable<FlakyEntry> = []) {
    this.#threshold = threshold;
    for (const entry of earlier)
      this.#states.set(knownKey(entry), { ...entry, isCurrent: false, isOk: false });
  }

  /**
   * Returns the result, with its `badRuns` while these are below the threshold. Must be called once for each result. A request
   * that the end of the run cut off says nothing about its URL.
   */
  annotate(result: Result): Result {
    const { method, url, id } = result;
    if (result.failure?.kind === 'aborted') return result;
    const key = knownKey(result);
    const state = this.#states.get(key);
    if (result.ok) {
      // Another job with the same key may have failed in this run, or may still fail.
      if (state?.isCurrent === false) this.#states.set(key, { ...state, isOk: true });
      return result;
    }
    // A URL that is in the list twice has had one bad run, not two.
    const badRuns = state?.isCurrent ? state.badRuns : (state?.badRuns ?? 0) + 1;
    this.#states.set(key, { method, url, id, badRuns, isCurrent: true, isOk: false });
    return badRuns < this.#threshold && mayPass(result) ? { ...result, badRuns } : result;
  }

  /** The entries for the next run. If this run was not complete, they include the URLs that it did not fetch. */
  *entries(isComplete: boolean): Generator<FlakyEntry> {
    for (const { isCurrent, isOk, ...entry } of this.#states.values()) {
      if (isCurrent || !(isComplete || isOk)) yield entry;
    }
  }
}

function mayPass({ failure: { kind }, status }: FailedResult): boolean {
  const isAboutStatus = kind === 'status' || kind === 'expectation';
  return isAboutStatus ? !LASTING_STATUSES.has(status) : !LASTING_KINDS.has(kind);
}

/** As `keyOf`, with HEAD as GET: a link that fails is known, whether or not it is checked with `--head`. */
function knownKey({ method, url, id }: Pick<Result, 'method' | 'url' | 'id'>): string {
  return keyOf({ method: method === 'HEAD' ? 'GET' : method, url, id });
}

/**
 * What two runs have in common of a job: method, URL and id. Jobs of one list can share it, if they have no id.
 * A method contains no space, and the text of a URL no line break.
 */
export function keyOf({ method, url, id }: Pick<Result, 'method' | 'url' | 'id'>): string {
  return id === undefined ? `${method} ${url}` : `${method} ${url}\n${id}`;
}
