import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/** Whole numbers from `min` to `max`, both included: digits as text, or a JSON number. */
export function wholeNumber({ min, max = Number.MAX_SAFE_INTEGER }: WholeNumberBounds): Parser<number> {
  return {
    parse(value) {
      const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isInteger(number) || number < min) {
        throw new BadValue(
          min === 1 ? 'it must be a whole number above 0' : `it must be a whole number, ${min} or more`,
        );
      }
      if (number > max) throw new BadValue(`it must be a whole number, ${max} or less`);
      return number;
    },
    print: (value) => value,
  };
}

export interface WholeNumberBounds {
  readonly min: number;
  readonly max?: number;
}
