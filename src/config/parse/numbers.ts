import { InvalidValueError, type Parser } from '../option.ts';

/** Whole numbers from `min` to `max`, both included: digits as text, or a JSON number. */
export function wholeNumber({ min, max = Number.MAX_SAFE_INTEGER }: WholeNumberBounds): Parser<number> {
  return {
    parse(value) {
      const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isInteger(number) || number < min) {
        throw new InvalidValueError(
          min === 1 ? 'it must be a whole number above 0' : `it must be a whole number, ${min} or more`,
        );
      }
      if (number > max) throw new InvalidValueError(`it must be a whole number, ${max} or less`);
      return number;
    },
    print: (value) => value,
  };
}

export interface WholeNumberBounds {
  readonly min: number;
  readonly max?: number;
}

/** How many times as much: a decimal number, 1 or more. */
export const ratio: Parser<number> = {
  parse(value) {
    const number = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number) || number < 1) {
      throw new InvalidValueError('it must be a number, 1 or more, as in 2 or 1.5');
    }
    return number;
  },
  print: (value) => value,
};

/** Also takes the word `none`, which gives `nothing`: so a flag can lift a limit that the configuration file sets. */
export function orNone<T, Nothing extends number | undefined>(
  parser: Parser<T>,
  nothing: Nothing,
): Parser<T | Nothing> {
  return {
    parse: (value) => (value === 'none' || value === nothing ? nothing : parser.parse(value)),
    // `nothing` lies outside of what `parser` gives, so what is not `nothing` is a T.
    print: (value) => (value === nothing ? 'none' : parser.print(value as T)),
  };
}

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
      throw new InvalidValueError(
        'it must be a number above 0 of requests a second, minute or hour: 10, 10/s, 30/m or 500/h',
      );
    }
    return Object.freeze({ text: `${amount}/${unit}`, perMs: Number(amount) / unitMs });
  },
  print: ({ text }) => text,
};

const WORDS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [true, true],
  ['true', true],
  ['1', true],
  ['yes', true],
  [false, false],
  ['false', false],
  ['0', false],
  ['no', false],
]);

/** A flag, a JSON boolean, or in the environment one of true, false, 1, 0, yes, no in any case. */
export const boolean: Parser<boolean> = {
  parse(value) {
    const found = WORDS.get(typeof value === 'string' ? value.toLowerCase() : value);
    if (found === undefined) throw new InvalidValueError('it must be true or false');
    return found;
  },
  print: (value) => value,
};
