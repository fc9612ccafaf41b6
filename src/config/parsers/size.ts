import { BadValue } from '../bad-value.ts';
import type { Json, Parser } from '../parser.ts';
import { inLargestUnit, scaled } from './scaled.ts';

const UNITS: ReadonlyMap<string, number> = new Map([
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
    if (bytes < 1) throw new BadValue('it must be 1b or more');
    if (bytes > Number.MAX_SAFE_INTEGER) throw new BadValue('it must be 8388607gb or less');
    return bytes;
  },
  print: (bytes): Json => inLargestUnit(bytes, UNITS),
};

function inBytes(value: unknown): number {
  if (typeof value === 'number' && value >= 0) return value;
  const parts = typeof value === 'string' ? scaled(value) : undefined;
  const factor = UNITS.get(parts?.unit.replace(/b?$/, 'b') ?? '');
  if (parts === undefined || factor === undefined) {
    throw new BadValue('it must be a size in bytes, or one such as 64kb, 10mb or 1gb');
  }
  return parts.amount * factor;
}
