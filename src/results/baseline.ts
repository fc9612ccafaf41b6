import type { Result } from '../model/result.ts';

/** What is said of a URL in a baseline: that it failed when it was asked for in this way. */
export interface KnownFailure {
  readonly url: string;
  /** Left out in a list of URLs: then any method and any id. */
  readonly method?: string | undefined;
  readonly id?: string | undefined;
}

/** The failures of an earlier run, against which those of this one are told apart. Memory grows with their number. */
export class Baseline {
  readonly #known = new Set<string>();

  /** Why a URL failed does not matter: it is known to be broken. */
  add({ url, method, id }: KnownFailure): void {
    this.#known.add(method === undefined ? url : keyOf(method, url, id));
  }

  /** The result with its place in relation to the baseline; one that was OK and is OK has none. */
  judge(result: Result): Result {
    const { url, method, id, ok } = result;
    const isKnown = this.#known.has(url) || this.#known.has(keyOf(method, url, id));
    if (ok) return isKnown ? { ...result, baseline: 'mended' } : result;
    return { ...result, baseline: isKnown ? 'known' : 'new' };
  }
}

// No serialised URL has a space in it, and no method.
function keyOf(method: string, url: string, id: string | undefined): string {
  return `${method} ${url} ${id ?? ''}`;
}
