import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/** How many times as much: a decimal number, 1 or more. */
export const ratio: Parser<number> = {
  parse(value) {
    const number = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number) || number < 1) {
      throw new BadValue('it must be a number, 1 or more, as in 2 or 1.5');
    }
    return number;
  },
  print: (value) => value,
};
