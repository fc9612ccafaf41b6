import { InvalidValueError, type Parser } from '../option.ts';

/** Longest duration in ms: that of a timer of Node, which fires at once for a longer one. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** Size of an inlined body in bytes if the flag has no value, and the largest one. */
const DEFAULT_INLINE_BYTES = 64 * 1024;
const MAX_INLINE_BYTES = 64 * 1024 ** 2;

/** Milliseconds per unit, smallest unit first. */
const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** Bytes per unit, smallest unit first. */
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ['kb', 1024],
  ['mb', 1024 ** 2],
  ['gb', 1024 ** 3],
]);

/** How often a flag without a value was given, at most twice; or 0, 1 or 2 in the environment and in a file. */
export const verbosity: Parser<number> = {
  parse(value) {
    const list = Array.isArray(value) ? value : [value];
    if (list.every((one) => one === true)) return Math.min(list.length, 2);
    const [only] = list;
    const level = typeof only === 'string' && /^\d$/.test(only) ? Number(only) : only;
    if (list.length > 1 || (level !== 0 && level !== 1 && level !== 2)) {
      throw new InvalidValueError('must be 0, 1 or 2');
    }
    return level;
  },
  print: (value) => value,
};

/** A whole number from `min` to `max`, both included: digits as text, or a JSON number. */
export function wholeNumber({
  min,
  max = Number.MAX_SAFE_INTEGER,
}: {
  readonly min: number;
  readonly max?: number;
}): Parser<number> {
  return {
    parse(value) {
      const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isInteger(number) || number < min) {
        throw new InvalidValueError(
          min === 1 ? 'must be a positive integer' : `must be an integer, ${min} or more`,
        );
      }
      if (number > max) throw new InvalidValueError(`must be an integer, ${max} or less`);
      return number;
    },
    print: (value) => value,
  };
}

const positive = wholeNumber({ min: 1 });

const threads = wholeNumber({ min: 1, max: 64 });

/** A number of threads, or `auto`. */
export const threadCount: Parser<number | 'auto'> = {
  parse(value) {
    if (value === 'auto') return value;
    try {
      return threads.parse(value);
    } catch {
      throw new InvalidValueError('must be an integer from 1 to 64, or auto');
    }
  },
  print: (value) => value,
};

/** A number of failures; the flag without a value is 1. `false` gives no limit. */
export const failureLimit: Parser<number | undefined> = {
  parse(value) {
    if (value === false || value === 'false') return undefined;
    return value === true || value === 'true' ? 1 : positive.parse(value);
  },
  print: (value) => value,
};

/** A decimal number, 1 or more. */
export const ratio: Parser<number> = {
  parse(value) {
    const number = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number) || number < 1) {
      throw new InvalidValueError('must be a number, 1 or more, as in 2 or 1.5');
    }
    return number;
  },
  print: (value) => value,
};

/** A rate of requests. */
export interface Rate {
  /** The amount as given, with its unit: `10/s`. */
  readonly text: string;
  /** Requests per ms. */
  readonly perMs: number;
}

/** A rate above 0: `10/s`, `30/m`, `500/h`; a number without a unit is per second. */
export const rate: Parser<Rate> = {
  parse(value) {
    const written = typeof value === 'number' ? String(value) : value;
    const [, amount, unit = 's'] =
      /^(\d+(?:\.\d+)?)(?:\/([smh]))?$/.exec(typeof written === 'string' ? written : '') ?? [];
    const unitMs = DURATION_UNITS.get(unit);
    if (amount === undefined || unitMs === undefined || Number(amount) === 0) {
      throw new InvalidValueError(
        'must be a positive number of requests per second, minute or hour: 10, 10/s, 30/m or 500/h',
      );
    }
    return Object.freeze({ text: `${amount}/${unit}`, perMs: Number(amount) / unitMs });
  },
  print: ({ text }) => text,
};

/**
 * A duration of `minMs` or more, in ms: `500ms`, `1.5s`, `2m`, `1h` or `0`. Any other number without a unit is rejected, also a
 * JSON number, since it means seconds to curl and milliseconds to JavaScript.
 */
export function duration({ minMs = 0 }: { readonly minMs?: number } = {}): Parser<number> {
  return {
    parse(value) {
      const text = typeof value === 'number' ? String(value) : value;
      if (typeof text === 'string' && /^\d{1,15}(\.\d{1,15})?$/.test(text) && Number(text) > 0) {
        throw new InvalidValueError(`must have a unit: "${text}s" for seconds, or "${text}ms"`);
      }
      const ms = parseQuantity(
        text,
        (suffix, amount) => DURATION_UNITS.get(suffix === '' && amount === 0 ? 'ms' : suffix),
        'must be a duration with a unit: 500ms, 10s, 2m or 1h',
      );
      if (ms < minMs) throw new InvalidValueError(`must be ${minMs}ms or more`);
      if (ms > MAX_DURATION_MS) throw new InvalidValueError('must be 596h or less');
      return ms;
    },
    print: durationText,
  };
}

/** Maximum ages of results in ms; `undefined` for any age. */
export interface ResultAges {
  readonly ok: number | undefined;
  /** `undefined` if failures are kept as for other options. */
  readonly failed: number | undefined;
}

const AGE_UNITS: ReadonlyMap<string, number> = new Map([...DURATION_UNITS, ['d', 86_400_000]]);

/** The age of results: `12h` or `7d`, or one for each class: `ok=7d,fail=1h`. */
export const resultAges: Parser<ResultAges> = {
  parse(value) {
    const requirement = 'must be an age such as 12h or 7d, or one for each class: ok=7d,fail=1h';
    const toAge = (text: unknown) =>
      parseQuantity(
        text,
        (unit, amount) => AGE_UNITS.get(unit === '' && amount === 0 ? 'ms' : unit),
        requirement,
      );
    if (typeof value !== 'string') throw new InvalidValueError(requirement);
    if (!value.includes('=')) return Object.freeze({ ok: toAge(value), failed: undefined });
    const ages = new Map<string, number>();
    for (const part of value.split(',')) {
      const [, name, age] = /^ *(ok|fail)=(.*?) *$/.exec(part) ?? [];
      if (name === undefined || ages.has(name)) throw new InvalidValueError(requirement);
      ages.set(name, toAge(age));
    }
    return Object.freeze({ ok: ages.get('ok'), failed: ages.get('fail') });
  },
  print({ ok, failed }) {
    if (failed === undefined && ok !== undefined) return formatQuantity(ok, AGE_UNITS);
    const classes = Object.entries({ ok, fail: failed });
    return classes
      .flatMap(([name, age]) => (age === undefined ? [] : [`${name}=${formatQuantity(age, AGE_UNITS)}`]))
      .join(',');
  },
};

/** A duration of whole ms as it is typed: `500ms`, `90s`, `2m`. */
export function durationText(ms: number): string {
  return formatQuantity(ms, DURATION_UNITS);
}

/**
 * A size in bytes: `64kb`, `1.5mb`, `1gb`, or a number of bytes. 1kb is 1024 bytes, and the `b` may be left
 * out, as in curl.
 */
export const size: Parser<number> = {
  parse(value) {
    const bytes = parseQuantity(
      value,
      (suffix) => SIZE_UNITS.get(suffix.replace(/b?$/, 'b')),
      'must be a size such as 64kb, 10mb or 1gb, or a number of bytes',
    );
    if (bytes > Number.MAX_SAFE_INTEGER) throw new InvalidValueError('must be 8388607gb or less');
    return bytes;
  },
  print: (bytes) => formatQuantity(bytes, SIZE_UNITS),
};

/** Accepts the word `none` too, which gives `nothing`: with it, a flag removes a limit that the configuration file sets. */
export function orNone<T, Nothing extends number | undefined>(
  parser: Parser<T>,
  nothing: Nothing,
): Parser<T | Nothing> {
  return {
    parse: (value) => (value === 'none' || value === nothing ? nothing : parser.parse(value)),
    // `parser` never gives `nothing`, so any other value is a T.
    print: (value) => (value === nothing ? 'none' : parser.print(value as T)),
  };
}

const sizeOrNone = orNone(size, undefined);

/** Largest body, in bytes, that goes into its record. The flag without a value is 64kb; `none` and `false` disable it. */
export const inlineSize: Parser<number | undefined> = {
  parse(value) {
    if (value === false || value === 'false') return undefined;
    // The value is optional, so the flag takes an input that follows it.
    if (typeof value === 'string' && /^\D/.test(value) && value !== 'true' && value !== 'none') {
      throw new InvalidValueError('must be a size such as 64kb; an input goes before the flag');
    }
    const bytes = sizeOrNone.parse(value === true || value === 'true' ? DEFAULT_INLINE_BYTES : value);
    if (bytes === 0) throw new InvalidValueError('must be 1b or more');
    if (bytes !== undefined && bytes > MAX_INLINE_BYTES) throw new InvalidValueError('must be 64mb or less');
    return bytes;
  },
  print: sizeOrNone.print,
};

/**
 * A number, or a decimal number with a unit, rounded to the smallest unit. `toFactor` gives the factor of a unit in
 * lower case. Throws `InvalidValueError` with `requirement`.
 */
function parseQuantity(
  value: unknown,
  toFactor: (unit: string, amount: number) => number | undefined,
  requirement: string,
): number {
  if (typeof value === 'number' && value >= 0) return Math.round(value);
  const [, digits, unit = ''] = (typeof value === 'string' && /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(value)) || [];
  const amount = Number(digits);
  const factor = toFactor(unit.toLowerCase(), amount);
  if (digits === undefined || factor === undefined) throw new InvalidValueError(requirement);
  return Math.round(amount * factor);
}

/** Writes a whole number in the largest unit that leaves it whole. */
function formatQuantity(value: number, units: ReadonlyMap<string, number>): string {
  let text = String(value);
  for (const [unit, factor] of units) {
    if (value % factor === 0 && (value >= factor || factor === 1)) text = `${value / factor}${unit}`;
  }
  return text;
}
