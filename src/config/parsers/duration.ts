import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';
import { inLargestUnit, scaled } from './scaled.ts';

const UNITS: ReadonlyMap<string, number> = new Map([
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
      if (ms < minMs) throw new BadValue(`it must be ${minMs}ms or more`);
      if (ms > MAX_MS) throw new BadValue('it must be 596h or less');
      return ms;
    },
    print: (ms) => inLargestUnit(ms, UNITS),
  };
}

function milliseconds(value: unknown): number {
  if (typeof value === 'number' && value >= 0) return value;
  const parts = typeof value === 'string' ? scaled(value) : undefined;
  const factor = UNITS.get(parts?.unit ?? '');
  if (parts !== undefined && factor !== undefined) return parts.amount * factor;
  if (parts?.unit === '' && parts.amount === 0) return 0;
  throw new BadValue('it must be a duration with a unit: 500ms, 10s, 2m or 1h');
}
