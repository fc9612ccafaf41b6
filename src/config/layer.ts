import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { didYouMean } from './did-you-mean.ts';
import type { Option, Table } from './option.ts';
import { type Environment, expandVariables } from './variables.ts';

/** Options as they were given in one place, not yet parsed. */
export interface Layer {
  readonly given: ReadonlyMap<string, unknown>;
  /** How messages call an option of this layer. */
  place(key: string): string;
  /** Puts environment variables into a value, where this layer allows them. Throws `BadValue`. */
  expand(entry: Option<unknown, unknown>, value: unknown): unknown;
}

/** A configuration file after `JSON.parse`. */
export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Flags that were really given on the command line, by key. */
export function flagLayer(
  table: Table,
  flags: Readonly<Record<string, unknown>>,
  environment: Environment,
): Layer {
  return {
    given: new Map(Object.entries(flags)),
    place: (key) => longFlag(table[key]?.flags ?? key),
    expand: (entry, value) => (entry.expands ? expandVariables(value, environment) : value),
  };
}

/**
 * Variables such as `FANOUT_MAX_SIZE`; an empty one is not set. One that resembles an option is a `UsageError`;
 * any other unknown one is left alone, since other programs may have a use for it.
 */
export function environmentLayer(table: Table, environment: Environment): Layer {
  const keys = new Map(Object.keys(table).map((key) => [variableOf(key), key]));
  const given = new Map<string, unknown>();
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('FANOUT_') || value === undefined || value === '') continue;
    const key = keys.get(name);
    if (key !== undefined) given.set(key, table[key]?.repeatable ? linesOf(value) : value);
    else {
      const meant = didYouMean(name.slice(7), Object.keys(table));
      if (meant !== undefined) throw unknown(printable(name), variableOf(meant));
    }
  }
  return {
    given,
    place: variableOf,
    expand: (entry, value) => (entry.expands ? expandVariables(value, environment) : value),
  };
}

/** The keys of a configuration file; all of its text may name environment variables. */
export function fileLayer(table: Table, { path, values }: ConfigFile, environment: Environment): Layer {
  const place = (key: string) => `"${printable(key)}" in ${printable(path)}`;
  for (const key of Object.keys(values)) {
    if (!Object.hasOwn(table, key)) {
      const meant = didYouMean(key, Object.keys(table));
      throw unknown(place(key), meant === undefined ? undefined : `"${meant}"`);
    }
    if (table[key]?.notInFile)
      throw new UsageError(`Cannot use ${place(key)}: it is for the command line alone`);
  }
  return {
    given: new Map(Object.entries(values)),
    place,
    expand: (_, value) => expandVariables(value, environment),
  };
}

/** The options object of the library, where `undefined` means not given. */
export function libraryLayer(table: Table, options: object): Layer {
  const given = new Map<string, unknown>(Object.entries(options).filter(([, value]) => value !== undefined));
  for (const key of given.keys()) {
    if (!Object.hasOwn(table, key)) {
      throw unknown(`option ${printable(key)}`, didYouMean(key, Object.keys(table)));
    }
  }
  return { given, place: (key) => `option ${key}`, expand: (_, value) => value };
}

/** `maxSize` is `FANOUT_MAX_SIZE` in the environment. */
export function variableOf(key: string): string {
  return `FANOUT_${key.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
}

function longFlag(flags: string): string {
  return /--[\w-]+/.exec(flags)?.[0] ?? flags;
}

function linesOf(value: string): readonly string[] {
  return value.split(/\r?\n/).filter((line) => line.trim() !== '');
}

function unknown(place: string, meant: string | undefined): UsageError {
  return new UsageError(
    `Cannot use ${place}: there is no such option${meant === undefined ? '' : `, did you mean ${meant}?`}`,
  );
}
