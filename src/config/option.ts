/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What a shell completes: these words (more follows a word that ends in `=`), or names of files or directories. */
export type Suggestions = readonly string[] | 'files' | 'directories';

/**
 * Thrown by a parser that rejects a value. The message is only the requirement (`must be a positive integer`):
 * a parser does not know where the value came from, nor whether a message may show it.
 */
export class InvalidValueError extends Error {
  override readonly name = 'InvalidValueError';
}

/** Reads and writes the values of one kind of option. */
export interface Parser<T> {
  /** Takes text (flags, environment) or JSON (configuration file, library). Throws `InvalidValueError`. */
  parse(value: unknown): T;
  /** Gives the written form, which `parse` reads back as the same value; `undefined` leaves the option out. */
  print(value: T): Json | undefined;
  /** What an error message shows of a rejected value, or empty text. Set where a value may contain a secret. */
  show?(value: unknown): string;
  /** Unset if any text is possible. */
  readonly suggestions?: Suggestions;
}

/** The headings of `--help`, in their order. */
export const GROUPS = [
  'Cluster',
  'Input',
  'Request',
  'Speed and politeness',
  'Time, retries, size',
  'What counts as OK',
  'Output',
  'Bodies',
  'Resume',
  'Reports and comparison',
  'Network',
  'Configuration',
] as const;

export type Group = (typeof GROUPS)[number];

/** One option. Its key in a table is the long flag in camel case, without `no-`. */
export interface Option<T, Default> {
  /** In the syntax of commander: `-c, --concurrency <n>`. */
  readonly flags: string;
  readonly group: Group;
  readonly parser: Parser<T>;
  readonly default: Default;
  /** How `--help` describes a default that depends on other values. */
  readonly defaultText?: string;
  /** One line of at most 60 characters: an imperative or a noun phrase, in lower case. */
  readonly help: string;
  /** Sentences that `--help`, the manual and the man page show after `help`. */
  readonly details?: string;
  /** Help of the `--no-` flag. Set if there is one beside the positive flag. */
  readonly noHelp?: string;
  /** May be given several times on the command line. Its environment variable has one value per line. */
  readonly repeatable?: true;
  /** `$NAME` is expanded in flags and environment variables too, not only in a configuration file. */
  readonly expands?: true;
  /** Not allowed in a configuration file. */
  readonly notInFile?: true;
  /** Only for a configuration file and the library: its value is an object. */
  readonly inFileOnly?: true;
  /** What `--print-config` shows instead of a value that may contain a secret. */
  mask?(value: T): Json;
}

/** Returns the entry. Checks that its default has the type of its parser, and keeps both types exact. */
export function option<T, const Default extends NoInfer<T> | undefined>(
  entry: Option<T, Default>,
): Option<T, Default> {
  return entry;
}

/** Options by key. */
export type Table = Readonly<Record<string, Option<unknown, unknown>>>;

/** Options as given in one source (flags, environment, file or library): raw values, neither parsed nor checked. */
export interface GivenOptions {
  readonly values: ReadonlyMap<string, unknown>;
  /** How messages name an option: `--retries`, `FANOUT_RETRIES`, `"retries" in fanout.config.json`, `option retries`. */
  label(key: string): string;
  /** Expands environment variables in a value, where the source allows that. Throws `InvalidValueError`. */
  expand(entry: Option<unknown, unknown>, value: unknown): unknown;
}

/** Options as resolved over all sources: each one parsed, or its default. */
export interface ResolvedOptions<T extends Table> {
  readonly values: OptionValues<T>;
  /** The labels of the options that were given. An option that has its default is missing. */
  readonly labels: ReadonlyMap<string, string>;
  /** The options that an option of an earlier source excludes. Those that need them are ignored. */
  readonly dropped?: ReadonlySet<string>;
}

/** The parsed values of a whole table, by key. */
export type OptionValues<T extends Table> = {
  readonly [Key in keyof T]: T[Key] extends Option<infer Value, infer Default> ? Value | Default : never;
};
