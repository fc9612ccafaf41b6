import type { FailureKind } from '../model/failure.ts';
import type { FailedResult, Result } from '../model/result.ts';

// What earlier runs say of a URL.

/** A request that failed in the run that the baseline was made from. */
interface BaselineEntry {
  readonly url: string;
  /** Left out if the baseline is a list of URLs: then the entry matches any method and any id. */
  readonly method?: string | undefined;
  readonly id?: string | undefined;
}

/** The failures of an earlier run, with which those of this run are compared. O(failures) in memory. */
export class Baseline {
  readonly #keys = new Set<string>();

  /** The kind of the failure does not matter. */
  add({ url, method, id }: BaselineEntry): void {
    this.#keys.add(method === undefined ? url : keyOf({ method, url, id }));
  }

  /** Returns the result with its `baseline` key. A result that is OK and not in the baseline has none. */
  annotate(result: Result): Result {
    const { url, ok } = result;
    const isKnown = this.#keys.has(url) || this.#keys.has(keyOf(result));
    if (ok) return isKnown ? { ...result, baseline: 'fixed' } : result;
    return { ...result, baseline: isKnown ? 'known' : 'new' };
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
    for (const entry of earlier) this.#states.set(keyOf(entry), { ...entry, isCurrent: false, isOk: false });
  }

  /**
   * Returns the result, with its `badRuns` while these are below the threshold. Must be called once for each result. A request
   * that the end of the run cut off says nothing about its URL.
   */
  annotate(result: Result): Result {
    const { method, url, id } = result;
    if (result.failure?.kind === 'aborted') return result;
    const key = keyOf(result);
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
  return kind === 'status' ? !LASTING_STATUSES.has(status) : !LASTING_KINDS.has(kind);
}

/**
 * What two runs have in common of a job: method, URL and id. Jobs of one list can share it, if they have no id.
 * A method contains no space, and the text of a URL no line break.
 */
export function keyOf({ method, url, id }: Pick<Result, 'method' | 'url' | 'id'>): string {
  return id === undefined ? `${method} ${url}` : `${method} ${url}\n${id}`;
}
