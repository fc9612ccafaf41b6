/** What `JSON.parse` gives. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What a shell may complete: these words, where `KIND=` waits for more, or the names of what there is on the disk. */
export type Suggestions = readonly string[] | 'files' | 'directories';

/** Reads and writes the values of one kind of option. */
export interface Parser<T> {
  /** Takes text (a flag, the environment) or JSON (a file, the library); throws `BadValue`. */
  parse(value: unknown): T;
  /** Gives the form people write, which `parse` reads back as the same value. `undefined` leaves the key out. */
  print(value: T): Json | undefined;
  /** What an error message may show of a refused value, where the value can hold a secret. */
  show?(value: unknown): string;
  /** Nothing where any text may be meant. */
  readonly suggestions?: Suggestions;
}
