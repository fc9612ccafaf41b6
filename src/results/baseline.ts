import type { Result } from '../model/result.ts';

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
    this.#keys.add(method === undefined ? url : keyOf(method, url, id));
  }

  /** Returns the result with its `baseline` key. A result that is OK and not in the baseline has none. */
  annotate(result: Result): Result {
    const { url, method, id, ok } = result;
    const isKnown = this.#keys.has(url) || this.#keys.has(keyOf(method, url, id));
    if (ok) return isKnown ? { ...result, baseline: 'fixed' } : result;
    return { ...result, baseline: isKnown ? 'known' : 'new' };
  }
}

// Neither a serialised URL nor a method contains a space.
function keyOf(method: string, url: string, id: string | undefined): string {
  return `${method} ${url} ${id ?? ''}`;
}
