/**
 * A value that a parser refuses. The message is the wish alone (`it must be a whole number above 0`):
 * a parser knows neither where the value came from nor whether it may be shown.
 */
export class InvalidValueError extends Error {
  override readonly name = 'InvalidValueError';
}

/** What `JSON.parse` gives. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What a shell may complete: these words, where `KIND=` waits for more, or the names of what there is on the disk. */
export type Suggestions = readonly string[] | 'files' | 'directories';

/** Reads and writes the values of one kind of option. */
export interface Parser<T> {
  /** Takes text (a flag, the environment) or JSON (a file, the library); throws `InvalidValueError`. */
  parse(value: unknown): T;
  /** Gives the form people write, which `parse` reads back as the same value. `undefined` leaves the key out. */
  print(value: T): Json | undefined;
  /** What an error message may show of a refused value, where the value can hold a secret. */
  show?(value: unknown): string;
  /** Nothing where any text may be meant. */
  readonly suggestions?: Suggestions;
}

/** The headings of `--help`, in their order. */
export const GROUPS = [
  'Lines',
  'Request',
  'Several machines',
  'Workers',
  'Time, retries, size',
  'What counts as OK',
  'Network',
  'Bodies',
  'Resume',
  'Output',
  'Reports',
  'Configuration',
] as const;

export type Group = (typeof GROUPS)[number];

/** One option. Its key in a table is the long flag in camel case, without `no-`. */
export interface Option<T, Default> {
  /** As commander spells it: `-c, --concurrency <n>`. */
  readonly flags: string;
  readonly group: Group;
  readonly parser: Parser<T>;
  readonly default: Default;
  /** What `--help` says of a default that is worked out from other values. */
  readonly defaultText?: string;
  readonly help: string;
  /** Help of the `--no-` twin, where there is one. */
  readonly noHelp?: string;
  /** May be given several times on the command line; holds one value a line in the environment. */
  readonly repeatable?: true;
  /** `$NAME` is taken from the environment also in a flag, and not in a configuration file alone. */
  readonly expands?: true;
  /** Says which file is read, or what is done with it: has no place in a configuration file. */
  readonly notInFile?: true;
  /** What `--print-config` shows in place of a value that can hold a secret. */
  mask?(value: T): Json;
}

/** Options by key. */
export type Table = Readonly<Record<string, Option<unknown, unknown>>>;

/** The values of a whole table once every layer and default has been applied. */
export type Resolved<T extends Table> = {
  readonly [Key in keyof T]: T[Key] extends Option<infer Value, infer Default> ? Value | Default : never;
};

/** Keeps the types of an entry exact: its values are what its parser gives, or its default. */
export function option<T, const Default extends NoInfer<T> | undefined>(
  entry: Option<T, Default>,
): Option<T, Default> {
  return entry;
}
