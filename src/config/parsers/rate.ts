import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** A rate as it was given, and in requests for each ms. */
export interface Rate {
  readonly text: string;
  readonly perMs: number;
}

/** Rates: `10` or `10/s`, `30/m`, `500/h`; a JSON number is one for each second. */
export const rate: Parser<Rate> = {
  parse(value) {
    const text = typeof value === 'number' ? String(value) : value;
    const [, amount, unit = 's'] =
      /^(\d+(?:\.\d+)?)(?:\/([smh]))?$/.exec(typeof text === 'string' ? text : '') ?? [];
    const unitMs = UNIT_MS.get(unit);
    if (amount === undefined || unitMs === undefined || Number(amount) === 0) {
      throw new BadValue(
        'it must be a number above 0 of requests a second, minute or hour: 10, 10/s, 30/m or 500/h',
      );
    }
    return Object.freeze({ text: `${amount}/${unit}`, perMs: Number(amount) / unitMs });
  },
  print: ({ text }) => text,
};
