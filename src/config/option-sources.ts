import { didYouMean } from '../model/did-you-mean.ts';
import { errorCode, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { InvalidValueError, type Option, type Parser, type Resolved, type Table } from './option.ts';

/** Environment variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Puts the values of environment variables in place of `$NAME` and `${NAME}`, in text and in the text inside of
 * lists and objects. `$$` is a `$`; a `$` before anything else stays. Throws `InvalidValueError` when one is missing.
 */
export function expandVariables(value: unknown, environment: Environment): unknown {
  if (typeof value === 'string') return expandText(value, environment);
  if (Array.isArray(value)) return value.map((item) => expandVariables(item, environment));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, expandVariables(item, environment)]),
  );
}

/** Writes text so that `expandVariables` gives it back unchanged. */
export function escapeVariables(text: string): string {
  return text.replace(/\$(?=[A-Za-z_{$])/g, '$$$$');
}

function expandText(text: string, environment: Environment): string {
  return text.replace(/\$(?:\$|\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g, (_, braced?: string, name = braced) => {
    if (name === undefined) return '$';
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value === undefined)
      throw new InvalidValueError(`it needs the environment variable ${name}, which is not set`);
    return value;
  });
}

/** Options as they were given in one place, not yet parsed. */
interface Layer {
  readonly given: ReadonlyMap<string, unknown>;
  /** How messages call an option of this layer. */
  place(key: string): string;
  /** Puts environment variables into a value, where this layer allows them. Throws `InvalidValueError`. */
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

const DEFAULT_PATH = 'fanout.config.json';

/**
 * Reads the configuration file that was named, or `fanout.config.json` if there is one in the working directory.
 * `readText` gives the text of a file, or fails as `node:fs` does. Throws `UsageError`.
 */
export async function readConfigFile(
  named: string | undefined,
  readText: (path: string) => Promise<string>,
): Promise<ConfigFile | undefined> {
  const path = named ?? DEFAULT_PATH;
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    const code = errorCode(error);
    if (named === undefined && code === 'ENOENT') return undefined;
    throw new UsageError(`Cannot read the configuration file ${printable(path)}: ${reason(code)}`);
  }
  return { path, values: parseConfig(text.replace(/^\ufeff/, ''), path) };
}

function parseConfig(text: string, path: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `Cannot read the configuration file ${printable(path)}: it must be JSON${where(text, error)}`,
    );
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new UsageError(`Cannot read the configuration file ${printable(path)}: it must be a JSON object`);
  }
  // JSON.parse gives no other objects than those with text for keys.
  return json as Record<string, unknown>;
}

// The message itself is not shown: it quotes the file, which may hold secrets. Some have no position.
function where(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const [, digits] = / at position (\d+)/.exec(message) ?? [];
  const position = message.includes('end of JSON input') ? text.length : Number(digits ?? Number.NaN);
  if (Number.isNaN(position)) return '';
  const before = text.slice(0, position).split('\n');
  return ` (see line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1})`;
}

function reason(code: string | undefined): string {
  if (code === 'ENOENT') return 'there is no such file';
  return `it cannot be read${code === undefined ? '' : ` (${code})`}`;
}

/** Parses one value of a layer. A refused one becomes a `UsageError` that tells the value, its place and the wish. */
function parseValue(entry: Option<unknown, unknown>, key: string, layer: Layer): unknown {
  const value = layer.given.get(key);
  try {
    return entry.parser.parse(layer.expand(entry, value));
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    // The value as it was written, without the environment variables that it names.
    throw new UsageError(
      `Cannot use ${shown(entry.parser, value)} for ${layer.place(key)}: ${printable(error.message)}`,
    );
  }
}

function shown(parser: Parser<unknown>, value: unknown): string {
  if (parser.show !== undefined) return parser.show(value);
  if (typeof value === 'string') return `"${printable(value, 200)}"`;
  // What was given by a flag that may be repeated.
  const [only, ...others] = Array.isArray(value) ? value : [];
  if (typeof only === 'string' && others.length === 0) return shown(parser, only);
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  return Array.isArray(value) ? 'a list' : 'an object';
}

/** A parsed value and what messages call its place. */
interface Given {
  readonly value: unknown;
  readonly place: string;
}

interface Rivals {
  readonly keys: readonly [string, string];
  /** Whether the two values can hold together all the same. */
  agree(first: unknown, second: unknown): boolean;
}

const RIVALS: readonly Rivals[] = [
  { keys: ['head', 'method'], agree: (head, method) => head === false || method === 'HEAD' },
  { keys: ['head', 'data'], agree: (head) => head === false },
  // An answer to HEAD has no body.
  { keys: ['head', 'saveDir'], agree: (head) => head === false },
  { keys: ['head', 'inlineBody'], agree: (head, bytes) => head === false || bytes === undefined },
  { keys: ['json', 'format'], agree: (json, format) => json === false || format === 'jsonl' },
  { keys: ['ipv4', 'ipv6'], agree: (ipv4, ipv6) => ipv4 === false || ipv6 === false },
];

/** Throws a `UsageError` when two options that were given in the same place cannot hold together. */
function refuseRivals(given: ReadonlyMap<string, Given>): void {
  for (const [first, second] of clashes(given)) {
    throw new UsageError(`Cannot use ${first.place} with ${second.place}: give one of the two`);
  }
}

/** Takes out the options that cannot hold together with one that was given in a place that wins. */
function dropRivals(lower: Map<string, Given>, higher: ReadonlyMap<string, Given>): void {
  for (const key of [...lower.keys()]) {
    const entry = lower.get(key);
    if (entry !== undefined && clashes(new Map(higher).set(key, entry)).length > 0) lower.delete(key);
  }
}

function clashes(given: ReadonlyMap<string, Given>): readonly (readonly [Given, Given])[] {
  return RIVALS.flatMap(({ keys, agree }) => {
    const [first, second] = [given.get(keys[0]), given.get(keys[1])];
    return first && second && !agree(first.value, second.value) ? [[first, second] as const] : [];
  });
}

/** The values of a table, and the place of each one that is no default. */
export interface ResolvedOptions<T extends Table> {
  readonly values: Resolved<T>;
  readonly places: ReadonlyMap<string, string>;
}

/**
 * Applies layers, the one that wins first, and then the defaults.
 * - Every value is parsed, also one that loses: a mistake in a file is one whether a flag hides it or not.
 * - Options that exclude each other are an error within a layer; between layers the lower one is dropped.
 */
export function resolveOptions<T extends Table>(table: T, layers: readonly Layer[]): ResolvedOptions<T> {
  const winners = new Map<string, Given>();
  for (const layer of layers) {
    const given = parseLayer(table, layer);
    refuseRivals(given);
    dropRivals(given, winners);
    for (const [key, entry] of given) if (!winners.has(key)) winners.set(key, entry);
  }
  const values = Object.entries(table).map(([key, entry]) => {
    const winner = winners.get(key);
    return [key, winner === undefined ? entry.default : winner.value] as const;
  });
  return {
    // Each key of the table has what its own parser gave, or its own default.
    values: Object.freeze(Object.fromEntries(values)) as Resolved<T>,
    places: new Map([...winners].map(([key, { place }]) => [key, place])),
  };
}

function parseLayer(table: Table, layer: Layer): Map<string, Given> {
  const parsed = new Map<string, Given>();
  for (const key of layer.given.keys()) {
    const entry = table[key];
    if (entry === undefined) throw new TypeError(`The table has no option ${key}`);
    parsed.set(key, { value: parseValue(entry, key, layer), place: layer.place(key) });
  }
  return parsed;
}
