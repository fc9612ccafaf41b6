import { didYouMean } from '../model/did-you-mean.ts';
import { errorCode, systemReason, UsageError } from '../model/errors.ts';
import { excerpt } from '../model/printable.ts';
import { type GivenOptions, InvalidValueError, type Json, type Option, type Table } from './option.ts';

const PREFIX = 'FANOUT_';
/** `$NAME`, `${NAME}`, or `$$` for a `$`. */
const VARIABLE = /\$(?:\$|\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g;
/** Names the JSON schema of the file, for editors. */
const SCHEMA_KEY = '$schema';
const DEFAULT_CONFIG_PATH = 'fanout.config.json';

/** Environment variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A configuration file after `JSON.parse`. */
export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Options from the command line. `flags` has only those that were typed, by key. */
export function optionsFromFlags(
  table: Table,
  flags: Readonly<Record<string, unknown>>,
  environment: Environment,
): GivenOptions {
  return {
    values: new Map(Object.entries(flags)),
    label: (key) => longFlag(table[key]?.flags ?? key),
    expand: (entry, value) => (entry.expands ? expandVariables(value, environment) : value),
  };
}

/** Options from variables such as `FANOUT_MAX_SIZE`, of this table only. An empty variable counts as not set. */
export function optionsFromEnvironment(table: Table, environment: Environment): GivenOptions {
  const values = new Map<string, unknown>();
  for (const [key, { repeatable, inFileOnly }] of Object.entries(table)) {
    if (inFileOnly) continue;
    const value = environment[toVariableName(key)];
    if (value !== undefined && value !== '') values.set(key, repeatable ? splitLines(value) : value);
  }
  return {
    values,
    label: toVariableName,
    expand: (entry, value) => (entry.expands ? expandVariables(value, environment) : value),
  };
}

/** Throws a `UsageError` for a variable that begins with `FANOUT_`, is not empty, and is not an option in `known`. */
export function checkVariables(known: Table, environment: Environment): void {
  const keys = Object.keys(known).filter((key) => known[key]?.inFileOnly !== true);
  const names = new Set(keys.map(toVariableName));
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || value === undefined || value === '' || names.has(name)) continue;
    const inFile = Object.keys(known).find((key) => toVariableName(key) === name);
    if (inFile !== undefined) {
      throw new UsageError(
        `cannot use the environment variable ${name}: "${inFile}" is a key of the configuration file only`,
      );
    }
    const key = closestKey(name.slice(PREFIX.length), keys);
    throw unknownOption(`environment variable ${excerpt(name)}`, key && toVariableName(key));
  }
}

/** Options from a configuration file, of this table only. Environment variables are expanded in all of its text. */
export function optionsFromFile(
  table: Table,
  { path, values }: ConfigFile,
  environment: Environment,
): GivenOptions {
  return {
    values: new Map(Object.entries(values).filter(([key]) => Object.hasOwn(table, key))),
    label: (key) => fileLabel(key, path),
    expand: (_, value) => expandVariables(value, environment),
  };
}

/** Throws a `UsageError` for a key in the file that is not an option in `known`, or not allowed in a file. */
export function checkFileKeys(known: Table, { path, values }: ConfigFile): void {
  for (const key of Object.keys(values)) {
    if (key === SCHEMA_KEY) continue;
    if (!Object.hasOwn(known, key)) {
      const closest = closestKey(key, Object.keys(known));
      throw unknownOption(`key ${fileLabel(key, path)}`, closest && `"${closest}"`);
    }
    if (known[key]?.notInFile) {
      throw new UsageError(`cannot use ${fileLabel(key, path)}: it is for the command line only`);
    }
  }
}

function fileLabel(key: string, path: string): string {
  return `"${excerpt(key)}" in ${excerpt(path)}`;
}

/** The key that was probably meant: one of a similar spelling, or one that begins with the same word. */
function closestKey(name: string, keys: readonly string[]): string | undefined {
  const start = name.replace(/[-_]/g, '').toLowerCase();
  return didYouMean(name, keys) ?? keys.find((key) => start !== '' && key.toLowerCase().startsWith(start));
}

/** Options from an object that the caller of the library gives. `undefined` counts as not given. */
export function optionsFromObject(table: Table, options: object): GivenOptions {
  const values = new Map<string, unknown>(Object.entries(options).filter(([, value]) => value !== undefined));
  for (const key of values.keys()) {
    if (!Object.hasOwn(table, key)) {
      throw unknownOption(`option ${excerpt(key)}`, closestKey(key, Object.keys(table)));
    }
  }
  return { values, label: optionLabel, expand: (_, value) => value };
}

/** How messages name an option of the library. */
export function optionLabel(key: string): string {
  return `option ${key}`;
}

/** `maxSize` is `FANOUT_MAX_SIZE` in the environment. */
export function toVariableName(key: string): string {
  return `${PREFIX}${key.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
}

function longFlag(flags: string): string {
  return /--[\w-]+/.exec(flags)?.[0] ?? flags;
}

function splitLines(value: string): readonly string[] {
  return value.split(/\r?\n/).filter((line) => line.trim() !== '');
}

function unknownOption(label: string, suggestion: string | undefined): UsageError {
  const advice = suggestion === undefined ? '' : `; did you mean ${suggestion}?`;
  return new UsageError(`unknown ${label}${advice}`);
}

/**
 * Replaces `$NAME` and `${NAME}` by the values of environment variables, in text and in the text of lists and objects
 * (not in keys). `$$` gives `$`; a `$` before anything else is kept. Throws `InvalidValueError` if a variable is not set.
 */
export function expandVariables(value: unknown, environment: Environment): unknown {
  if (typeof value === 'string') return expandText(value, environment);
  if (Array.isArray(value)) return value.map((item) => expandVariables(item, environment));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, expandVariables(item, environment)]),
  );
}

function expandText(text: string, environment: Environment): string {
  return text.replace(VARIABLE, (found: string, braced?: string, name = braced, at = 0) => {
    if (name === undefined) return '$';
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value === undefined) throw new InvalidValueError(missingVariable(name, text, at, at + found.length));
    return value;
  });
}

/** Shows a name only if it is a word of its own: within a word, it may be a part of a password that contains a `$`. */
function missingVariable(name: string, text: string, start: number, end: number): string {
  const isWord = /^\s?$/.test(text.charAt(start - 1)) && /^\s?$/.test(text.charAt(end));
  return isWord
    ? `needs the environment variable ${name}, which is not set`
    : 'needs the environment variable that is named after its $, which is not set (write $$ for a $)';
}

/** Escapes text so that `expandVariables` gives it back unchanged. */
export function escapeVariables(text: string): string {
  return text.replace(/\$(?=[A-Za-z_{$])/g, '$$$$');
}

/**
 * Reads the configuration file at `path`; without one, `fanout.config.json` in the working directory, which may be
 * missing. `readText` returns the text of a file, or fails as `node:fs` does; `isNamed` says that the user has named it.
 * Throws `UsageError`.
 */
export async function readConfigFile(
  path: string | undefined,
  readText: (path: string, isNamed: boolean) => Promise<string>,
): Promise<ConfigFile | undefined> {
  const actualPath = path ?? DEFAULT_CONFIG_PATH;
  let text: string;
  try {
    text = await readText(actualPath, path !== undefined);
  } catch (error) {
    const code = errorCode(error);
    if (path === undefined && code === 'ENOENT') return undefined;
    throw unreadable(actualPath, code === 'ENOENT' ? 'no such file' : (code ?? systemReason(error)));
  }
  return { path: actualPath, values: parseConfig(text.replace(/^\ufeff/, ''), actualPath) };
}

function parseConfig(text: string, path: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw unreadable(path, `must be JSON${describePosition(text, error)}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw unreadable(path, 'must be a JSON object');
  }
  // All objects that JSON.parse gives have text for keys.
  return json as Record<string, unknown>;
}

// The message of JSON.parse is not shown: it quotes the file, which may contain secrets. Not every message has a position.
function describePosition(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const [, digits] = / at position (\d+)/.exec(message) ?? [];
  const position = message.includes('end of JSON input') ? text.length : Number(digits ?? Number.NaN);
  if (Number.isNaN(position)) return '';
  const lines = text.slice(0, position).split('\n');
  return ` (see line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1})`;
}

function unreadable(path: string, reason: string): UsageError {
  return new UsageError(`cannot read the configuration file ${excerpt(path)}: ${reason}`);
}

/**
 * Returns the text of a configuration file with these options: keys in camel case, values as people write them.
 * With `mask`, secrets are hidden. Without it, reading the file gives the same options.
 */
export function toConfigFile(table: Table, values: object, { mask }: { readonly mask: boolean }): string {
  const byKey = new Map<string, unknown>(Object.entries(values));
  const entries = Object.entries(table).flatMap(([key, option]) => {
    const value = byKey.get(key);
    return value === undefined || option.notInFile
      ? []
      : [[key, escapeStrings(printValue(option, value, mask))] as const];
  });
  return `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`;
}

function printValue(option: Option<unknown, unknown>, value: unknown, mask: boolean): Json | undefined {
  return mask && option.mask !== undefined ? option.mask(value) : option.parser.print(value);
}

// Unescaped, a `$NAME` in a value would be replaced by a variable when the file is read.
function escapeStrings(json: Json | undefined): Json | undefined {
  if (typeof json === 'string') return escapeVariables(json);
  if (Array.isArray(json)) return json.map((item) => escapeStrings(item) ?? null);
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, escapeStrings(item) ?? null]));
}
