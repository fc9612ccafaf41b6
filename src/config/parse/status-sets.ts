import { InvalidValueError, type Parser } from '../option.ts';

/** The parts of a list: `200,3xx` as text, a JSON list of text and numbers, or one number. White space is dropped. */
function listOf(value: unknown): readonly string[] | undefined {
  if (typeof value === 'number') return [String(value)];
  if (typeof value === 'string') return value.split(',').map((part) => part.trim());
  if (!Array.isArray(value) || !value.every((part) => typeof part === 'string' || typeof part === 'number')) {
    return undefined;
  }
  return value.map((part) => String(part).trim());
}

export type Range = readonly [first: number, last: number];

/** A set of status codes from 100 to 999. */
export class StatusSet {
  readonly #ranges: readonly Range[];

  /** Takes ranges with both ends included, in any order, also overlapping ones. */
  constructor(ranges: readonly Range[]) {
    this.#ranges = merge(ranges);
  }

  has(status: number): boolean {
    return this.#ranges.some(([first, last]) => status >= first && status <= last);
  }

  /** The shortest list that gives the same set: `200-299,304`. */
  toString(): string {
    return this.#ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
  }
}

/** Status codes, ranges and classes: `200-299,304,4xx`. */
export const statusSet: Parser<StatusSet> = {
  parse(value) {
    const parts = listOf(value);
    if (parts === undefined || parts.length === 0) throw new InvalidValueError(WISH);
    return new StatusSet(parts.map(parseStatusRange));
  },
  print: (set) => set.toString(),
};

const WISH = 'it must be a list of status codes from 100 to 999, such as 200-299,304 or 2xx';

/** Reads one code, range or class; throws `InvalidValueError`. */
function parseStatusRange(part: string): Range {
  const [, one, first = one, last = one, hundreds] =
    /^(?:([1-9]\d\d)|([1-9]\d\d)-([1-9]\d\d)|([1-9])xx)$/i.exec(part) ?? [];
  if (hundreds !== undefined) return [Number(hundreds) * 100, Number(hundreds) * 100 + 99];
  if (first === undefined || last === undefined) throw new InvalidValueError(WISH);
  if (Number(first) > Number(last))
    throw new InvalidValueError(`the range must go upwards: ${last}-${first}`);
  return [Number(first), Number(last)];
}

function merge(ranges: readonly Range[]): readonly Range[] {
  const merged: Range[] = [];
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before[1] + 1) {
      merged[merged.length - 1] = [before[0], Math.max(before[1], last)];
    } else merged.push([first, last]);
  }
  return merged;
}

/** What is worth another attempt: some answers, and failures before there is an answer. */
export interface RetryOn {
  readonly statuses: StatusSet;
  readonly network: boolean;
}

/** Status codes, ranges and classes as in `statusSet`, and the word `network`. */
export const retryOn: Parser<RetryOn> = {
  parse(value) {
    const parts = listOf(value);
    if (parts === undefined || parts.length === 0) throw new InvalidValueError(RETRY_WISH);
    const ranges = parts.filter((part) => part !== 'network').map(rangeOf);
    return Object.freeze({ statuses: new StatusSet(ranges), network: parts.includes('network') });
  },
  print: ({ statuses, network }) => [`${statuses}`, network ? 'network' : ''].filter(Boolean).join(','),
};

const RETRY_WISH =
  'it must be a list of status codes from 100 to 999 and the word network, such as 429,5xx,network';

function rangeOf(part: string): ReturnType<typeof parseStatusRange> {
  if (/^[a-z]*$/i.test(part)) throw new InvalidValueError(RETRY_WISH);
  return parseStatusRange(part);
}
