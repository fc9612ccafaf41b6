import { InvalidValueError, type Parser } from '../option.ts';
import { asList } from './texts.ts';

const STATUS_REQUIREMENT = 'must be a list of status codes from 100 to 999, such as 200-299,304 or 2xx';
const RETRY_REQUIREMENT =
  'must be a list of status codes from 100 to 999 and the word network, such as 429,5xx,network';

type Range = readonly [first: number, last: number];

/** A set of status codes from 100 to 999. */
export class StatusSet {
  readonly #ranges: readonly Range[];

  /** Takes ranges with both ends included, in any order; they may overlap. */
  constructor(ranges: readonly Range[]) {
    this.#ranges = mergeRanges(ranges);
  }

  has(status: number): boolean {
    return this.#ranges.some(([first, last]) => status >= first && status <= last);
  }

  /** The shortest list that gives the same set: `200-299,304`. */
  toString(): string {
    return this.#ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
  }
}

function mergeRanges(ranges: readonly Range[]): readonly Range[] {
  const merged: Range[] = [];
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const previous = merged.at(-1);
    if (previous !== undefined && first <= previous[1] + 1) {
      merged[merged.length - 1] = [previous[0], Math.max(previous[1], last)];
    } else merged.push([first, last]);
  }
  return merged;
}

/** Status codes, ranges and classes: `200-299,304,4xx`, or a JSON list. */
export const statusSet: Parser<StatusSet> = {
  parse: (value) => new StatusSet(parseList(value, STATUS_REQUIREMENT).map(parseRange)),
  print: (set) => set.toString(),
};

/** What is retried: responses with these status codes, and failures without a response. */
export interface RetryOn {
  readonly statuses: StatusSet;
  readonly network: boolean;
}

/** Status codes, ranges and classes as in `statusSet`, and the word `network`. */
export const retryOn: Parser<RetryOn> = {
  parse(value) {
    const items = parseList(value, RETRY_REQUIREMENT);
    const ranges = items
      .filter((item) => item !== 'network')
      .map((item) => {
        if (/^[a-z]*$/i.test(item)) throw new InvalidValueError(RETRY_REQUIREMENT);
        return parseRange(item);
      });
    return Object.freeze({ statuses: new StatusSet(ranges), network: items.includes('network') });
  },
  print: ({ statuses, network }) => [`${statuses}`, network ? 'network' : ''].filter(Boolean).join(','),
};

/** The trimmed items, at least one, of `200,3xx`, of a single number, or of a list of these. */
function parseList(value: unknown, requirement: string): readonly string[] {
  const items = asList(value);
  if (items.length === 0 || !items.every((item) => typeof item === 'string' || typeof item === 'number')) {
    throw new InvalidValueError(requirement);
  }
  return items.flatMap((item) => String(item).split(',')).map((item) => item.trim());
}

function parseRange(item: string): Range {
  const [, single, first = single, last = single, hundreds] =
    /^(?:([1-9]\d\d)|([1-9]\d\d)-([1-9]\d\d)|([1-9])xx)$/i.exec(item) ?? [];
  if (hundreds !== undefined) return [Number(hundreds) * 100, Number(hundreds) * 100 + 99];
  if (first === undefined || last === undefined) throw new InvalidValueError(STATUS_REQUIREMENT);
  if (Number(first) > Number(last)) throw new InvalidValueError(`range must be ascending: ${last}-${first}`);
  return [Number(first), Number(last)];
}
