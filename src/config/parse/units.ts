import { InvalidValueError, type Json, type Parser } from '../option.ts';
import { orNone } from './numbers.ts';

/** A decimal number and its unit, in lower case: `1.5s` is `{ amount: 1.5, unit: 's' }`. */
function scaled(text: string): { readonly amount: number; readonly unit: string } | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(text) ?? [];
  return digits === undefined || unit === undefined
    ? undefined
    : { amount: Number(digits), unit: unit.toLowerCase() };
}

/** Writes `value` in the largest unit that leaves a whole number. Units go from the smallest to the largest. */
function inLargestUnit(value: number, units: ReadonlyMap<string, number>): string {
  let text = String(value);
  for (const [unit, factor] of units) {
    if (value % factor === 0 && (value >= factor || factor === 1)) text = `${value / factor}${unit}`;
  }
  return text;
}

const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

// The longest delay of a timer: a longer one would fire at once.
const MAX_MS = 2 ** 31 - 1;

/**
 * Durations in ms: `500ms`, `1.5s`, `2m`, `1h`, `0`, or a JSON number of ms. Text without a unit is refused,
 * since to curl it means seconds and to JavaScript milliseconds.
 */
export function duration({ minMs = 0 }: { readonly minMs?: number } = {}): Parser<number> {
  return {
    parse(value) {
      const ms = Math.round(milliseconds(value));
      if (ms < minMs) throw new InvalidValueError(`it must be ${minMs}ms or more`);
      if (ms > MAX_MS) throw new InvalidValueError('it must be 596h or less');
      return ms;
    },
    print: (ms) => inLargestUnit(ms, DURATION_UNITS),
  };
}

function milliseconds(value: unknown): number {
  if (typeof value === 'number' && value >= 0) return value;
  const parts = typeof value === 'string' ? scaled(value) : undefined;
  const factor = DURATION_UNITS.get(parts?.unit ?? '');
  if (parts !== undefined && factor !== undefined) return parts.amount * factor;
  if (parts?.unit === '' && parts.amount === 0) return 0;
  throw new InvalidValueError('it must be a duration with a unit: 500ms, 10s, 2m or 1h');
}

const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ['kb', 1024],
  ['mb', 1024 ** 2],
  ['gb', 1024 ** 3],
]);

/**
 * Sizes in bytes: `64kb`, `1.5mb`, `1gb`, also without the `b` as curl writes them, or a bare number of bytes.
 * 1kb is 1024 bytes, as in curl and wget.
 */
export const size: Parser<number> = {
  parse(value) {
    const bytes = Math.round(inBytes(value));
    if (bytes < 1) throw new InvalidValueError('it must be 1b or more');
    if (bytes > Number.MAX_SAFE_INTEGER) throw new InvalidValueError('it must be 8388607gb or less');
    return bytes;
  },
  print: (bytes): Json => inLargestUnit(bytes, SIZE_UNITS),
};

function inBytes(value: unknown): number {
  if (typeof value === 'number' && value >= 0) return value;
  const parts = typeof value === 'string' ? scaled(value) : undefined;
  const factor = SIZE_UNITS.get(parts?.unit.replace(/b?$/, 'b') ?? '');
  if (parts === undefined || factor === undefined) {
    throw new InvalidValueError('it must be a size in bytes, or one such as 64kb, 10mb or 1gb');
  }
  return parts.amount * factor;
}

const WITHOUT_SIZE = 64 * 1024;
const MAX = 64 * 1024 ** 2;

const sizeOrNone = orNone(size, undefined);

/** How much of a body goes into its record, in bytes: a flag without a size is 64kb, `none` is nothing. */
export const inlineSize: Parser<number | undefined> = {
  parse(value) {
    if (value === false || value === 'false') return undefined;
    const bytes = sizeOrNone.parse(value === true || value === 'true' ? WITHOUT_SIZE : value);
    if (bytes !== undefined && bytes > MAX) throw new InvalidValueError('it must be 64mb or less');
    return bytes;
  },
  print: sizeOrNone.print,
};
