import { createMatcher } from './expectation.ts';
import type { Result } from './result.ts';

/** Expressions that are searched for in serialised URLs, fragments included. */
export interface UrlPatterns {
  /** If there are any, a URL must match one of them. */
  readonly include: readonly RegExp[];
  /** No URL may match one of them. They win over `include`. */
  readonly exclude: readonly RegExp[];
}

/** As long as a URL may be that servers accept, and more: what follows is not searched, so that a test takes milliseconds. */
const MAX_SEARCHED = 64 * 1024;

/** Of the warning that a redirect was not followed, since its target is left out. */
export const EXCLUDED_CODE = 'ERR_EXCLUDED';

/** Decides which URLs are left out of a run. */
export class UrlFilter {
  readonly #include: readonly ((text: string) => boolean)[];
  readonly #exclude: readonly ((text: string) => boolean)[];

  constructor({ include, exclude }: UrlPatterns) {
    this.#include = include.map(createMatcher);
    this.#exclude = exclude.map(createMatcher);
  }

  /** Whether a URL is fetched. */
  isWanted(url: string): boolean {
    const text = url.slice(0, MAX_SEARCHED);
    const isIncluded = this.#include.length === 0 || this.#include.some((matches) => matches(text));
    return isIncluded && !this.excludes(url);
  }

  /** Whether one of the expressions of `exclude` matches. */
  excludes(url: string): boolean {
    const text = url.slice(0, MAX_SEARCHED);
    return this.#exclude.some((matches) => matches(text));
  }
}

/**
 * Whether a result of an earlier run may depend on expressions that this run does not have, or the other way round: a redirect
 * was not followed then, or would not be followed now.
 */
export function hasOtherRedirects({ warning, redirects, finalUrl }: Result, filter?: UrlFilter): boolean {
  if (warning?.code === EXCLUDED_CODE) return true;
  if (filter === undefined || redirects.length === 0) return false;
  const [, ...hops] = redirects;
  return (
    hops.some(({ url }) => filter.excludes(url)) || (finalUrl !== undefined && filter.excludes(finalUrl))
  );
}

/** Creates the filter of a run; `undefined` if it leaves out nothing, so that no URL is searched. */
export function createUrlFilter(patterns: UrlPatterns): UrlFilter | undefined {
  return patterns.include.length + patterns.exclude.length === 0 ? undefined : new UrlFilter(patterns);
}
