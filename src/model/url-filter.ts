import { createMatcher, createReplacer } from './expectation.ts';
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

/** A URL that is fetched instead of those that match. */
export interface Remap {
  readonly from: RegExp;
  /** `$1`, `${1}`, `$<name>` and `${name}` stand for groups of `from`, `$&` for the match, and `$$` for a `$`. */
  readonly to: string;
}

const GROUP = /\$(?:([$&])|(\d{1,2})|\{(\w+)\}|<(\w+)>)/g;

/** The first reference in `to` to a group that `from` does not have. */
export function missingGroup(from: RegExp, to: string): string | undefined {
  const match = new RegExp(`${from.source}|`).exec('');
  const { length = 1, groups = {} } = match ?? {};
  for (const [reference, , digits, braced, name = braced] of to.matchAll(GROUP)) {
    const number = digits ?? (/^\d+$/.test(name ?? '') ? name : undefined);
    const isThere =
      number === undefined ? name === undefined || Object.hasOwn(groups, name) : Number(number) < length;
    if (!isThere) return reference;
  }
  return undefined;
}

/** Returns what is fetched instead of a URL by the first rule that matches it; `undefined` if there are no rules. */
export function createRemap(rules: readonly Remap[]): ((url: string) => string | undefined) | undefined {
  if (rules.length === 0) return undefined;
  const replacers = rules.map(({ from, to }) =>
    createReplacer(from, (group) =>
      to.replace(GROUP, (_, special?: string, digits?: string, braced?: string, name = braced) => {
        if (special !== undefined) return special === '$' ? '$' : group(0);
        const key = digits ?? name ?? '';
        return group(/^\d+$/.test(key) ? Number(key) : key);
      }),
    ),
  );
  return (url) => {
    for (const replace of replacers) {
      const replaced = replace(url.slice(0, MAX_SEARCHED));
      if (replaced !== undefined) return replaced + url.slice(MAX_SEARCHED);
    }
    return undefined;
  };
}

/** Creates the filter of a run; `undefined` if it leaves out nothing, so that no URL is searched. */
export function createUrlFilter(patterns: UrlPatterns): UrlFilter | undefined {
  return patterns.include.length + patterns.exclude.length === 0 ? undefined : new UrlFilter(patterns);
}
