import type { Result } from '../model/result.ts';

/** How often in a row a URL has failed, one entry for each URL whose last run was bad. */
export interface FlakyRun {
  readonly method: string;
  readonly url: string;
  readonly id?: string | undefined;
  readonly badRuns: number;
}

interface Entry extends FlakyRun {
  /** Whether this run has come to it. */
  readonly isFresh: boolean;
}

/** Counts the bad runs in a row of each URL, so that one bad day does not fail a run. Memory grows with the URLs that failed. */
export class FlakyHistory {
  readonly #enough: number;
  readonly #entries = new Map<string, Entry>();

  /** @param enough so many bad runs in a row are a failure, 1 or more */
  constructor(enough: number, earlier: Iterable<FlakyRun> = []) {
    this.#enough = enough;
    for (const entry of earlier) this.#entries.set(keyOf(entry), { ...entry, isFresh: false });
  }

  /** The result, with the number of its bad runs as long as they are not enough. To be called once for each result. */
  judge(result: Result): Result {
    const key = keyOf(result);
    if (result.ok) {
      this.#entries.delete(key);
      return result;
    }
    const { method, url, id } = result;
    const entry = this.#entries.get(key);
    // A URL that stands in the list twice has had one bad run, not two.
    const badRuns = entry?.isFresh ? entry.badRuns : (entry?.badRuns ?? 0) + 1;
    this.#entries.set(key, { method, url, id, badRuns, isFresh: true });
    return badRuns < this.#enough ? { ...result, badRuns } : result;
  }

  /** What the next run is to know. A run that did not come to its end keeps what it has not asked for. */
  *remembered(isComplete: boolean): Generator<FlakyRun> {
    for (const { isFresh, ...entry } of this.#entries.values()) if (isFresh || !isComplete) yield entry;
  }
}

function keyOf({ method, url, id }: Omit<FlakyRun, 'badRuns'>): string {
  return `${method} ${url} ${id ?? ''}`;
}
