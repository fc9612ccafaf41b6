import { UsageError } from '../model/errors.ts';
import { excerpt, printable } from '../model/printable.ts';
import {
  type GivenOptions,
  InvalidValueError,
  type Option,
  type OptionValues,
  type Parser,
  type ResolvedOptions,
  type Table,
} from './option.ts';
import { optionLabel } from './option-sources.ts';

/** Two options that exclude each other, unless the predicate accepts their values. */
interface Conflict {
  readonly keys: readonly [string, string];
  isAllowed(first: unknown, second: unknown): boolean;
}

const CONFLICTS: readonly Conflict[] = [
  { keys: ['head', 'method'], isAllowed: (head, method) => head === false || method === 'HEAD' },
  { keys: ['head', 'data'], isAllowed: (head) => head === false },
  { keys: ['head', 'jsonBody'], isAllowed: (head) => head === false },
  { keys: ['data', 'jsonBody'], isAllowed: () => false },
  { keys: ['null', 'column'], isAllowed: (isNull) => isNull === false },
  { keys: ['null', 'sitemap'], isAllowed: (isNull, isSitemap) => isNull === false || isSitemap === false },
  { keys: ['column', 'sitemap'], isAllowed: (_, isSitemap) => isSitemap === false },
  { keys: ['null', 'extract'], isAllowed: (isNull, isExtract) => isNull === false || isExtract === false },
  { keys: ['column', 'extract'], isAllowed: (_, isExtract) => isExtract === false },
  {
    keys: ['sitemap', 'extract'],
    isAllowed: (isSitemap, isExtract) => isSitemap === false || isExtract === false,
  },
  { keys: ['failFast', 'maxFailures'], isAllowed: (failFast) => failFast === undefined },
  // A response to HEAD has no body.
  { keys: ['head', 'saveDir'], isAllowed: (head) => head === false },
  { keys: ['head', 'inlineBody'], isAllowed: (head, bytes) => head === false || bytes === undefined },
  { keys: ['json', 'format'], isAllowed: (json, format) => json === false || format === 'jsonl' },
  { keys: ['json', 'template'], isAllowed: (json) => json === false },
  { keys: ['format', 'template'], isAllowed: (format) => format === 'text' },
  { keys: ['proxy', 'unixSocket'], isAllowed: (proxy) => proxy === null },
  // It checks addresses, and a socket has none.
  { keys: ['denyPrivate', 'unixSocket'], isAllowed: (denyPrivate) => denyPrivate === false },
  // No name is looked up, and no host is connected to.
  { keys: ['connectTo', 'unixSocket'], isAllowed: isEmptyList },
  { keys: ['resolve', 'unixSocket'], isAllowed: isEmptyList },
  { keys: ['dnsServer', 'unixSocket'], isAllowed: isEmptyList },
  { keys: ['ipv4', 'unixSocket'], isAllowed: (ipv4) => ipv4 === false },
  { keys: ['ipv6', 'unixSocket'], isAllowed: (ipv6) => ipv6 === false },
  { keys: ['ipv4', 'ipv6'], isAllowed: (ipv4, ipv6) => ipv4 === false || ipv6 === false },
];

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Options that need another option to be set: its key, and how messages of the program name it. */
export type Requirements<T extends Table> = {
  readonly [Key in keyof T]?: readonly [needed: keyof T, name: string];
};

/** A parsed value, and how messages name its option in the source that gave it. */
interface ParsedOption {
  readonly value: unknown;
  readonly label: string;
}

/**
 * Resolves the options of a table. The first source that gives an option wins; without one, its default applies.
 * - Every value is parsed, including those that another source overrides, so a mistake never goes unnoticed.
 * - Two conflicting options are an error in one source. Across sources, the one of the later source is dropped.
 *
 * @throws UsageError that names the source of the rejected value
 */
export function resolveOptions<T extends Table>(
  table: T,
  sources: readonly GivenOptions[],
): ResolvedOptions<T> {
  const resolved = new Map<string, ParsedOption>();
  const dropped = new Set<string>();
  for (const source of sources) {
    const parsed = parseSource(table, source);
    const conflict = findConflict(parsed);
    if (conflict !== undefined) {
      const [first, second] = conflict;
      throw new UsageError(`cannot use ${first.label} with ${second.label}`);
    }
    const earlier = new Map(resolved);
    for (const [key, option] of parsed) {
      if (earlier.has(key)) continue;
      if (findConflict(new Map(earlier).set(key, option)) === undefined) resolved.set(key, option);
      else dropped.add(key);
    }
  }
  const values = Object.entries(table).map(([key, entry]) => {
    const option = resolved.get(key);
    return [key, option === undefined ? entry.default : option.value] as const;
  });
  return {
    // Each key of the table has a value of its own parser, or its own default.
    values: Object.freeze(Object.fromEntries(values)) as OptionValues<T>,
    labels: new Map([...resolved].map(([key, { label }]) => [key, label])),
    dropped,
  };
}

/** Throws a `UsageError` if an option is set without the one that it needs. */
export function checkRequirements<T extends Table>(
  { values, labels, dropped }: ResolvedOptions<T>,
  requirements: Requirements<T>,
): void {
  const byKey = new Map<string, unknown>(Object.entries(values));
  for (const [key, requirement] of Object.entries(requirements)) {
    // A `false` in a file requests nothing.
    if (requirement === undefined || !byKey.get(key)) continue;
    const [needed] = requirement;
    if (values[needed] !== undefined || dropped?.has(String(needed))) continue;
    const label = labels.get(key) ?? key;
    const name = label === optionLabel(key) ? optionLabel(String(needed)) : requirement[1];
    throw new UsageError(`${label} needs ${name}`);
  }
}

/** Throws a `UsageError` if `refresh` cannot be used with the other options. */
export function checkRefresh({
  values,
  labels,
}: {
  readonly values: {
    readonly refresh?: string | true | undefined;
    readonly journal?: string | undefined;
    readonly skipExisting?: boolean;
  };
  readonly labels: ReadonlyMap<string, string>;
}): void {
  const { refresh, journal, skipExisting } = values;
  const label = labels.get('refresh');
  if (refresh === undefined || label === undefined) return;
  if (refresh === true && journal === undefined) {
    const [journalName, file] = label.startsWith('option')
      ? ['option journal', 'as its value']
      : ['--journal FILE', 'as in --refresh=results.jsonl'];
    throw new UsageError(`${label} needs ${journalName}, or an earlier result file ${file}`);
  }
  if (skipExisting === true) {
    throw new UsageError(
      `cannot use ${label} with ${labels.get('skipExisting')}: it asks for files that exist`,
    );
  }
}

function findConflict(
  options: ReadonlyMap<string, ParsedOption>,
): readonly [ParsedOption, ParsedOption] | undefined {
  for (const { keys, isAllowed } of CONFLICTS) {
    const [first, second] = [options.get(keys[0]), options.get(keys[1])];
    if (first && second && !isAllowed(first.value, second.value)) return [first, second];
  }
  return undefined;
}

function parseSource(table: Table, source: GivenOptions): ReadonlyMap<string, ParsedOption> {
  const parsed = new Map<string, ParsedOption>();
  for (const [key, value] of source.values) {
    const entry = table[key];
    if (entry === undefined) throw new TypeError(`The table has no option ${key}`);
    const label = source.label(key);
    parsed.set(key, { value: parseValue(entry, value, label, source), label });
  }
  return parsed;
}

function parseValue(
  entry: Option<unknown, unknown>,
  value: unknown,
  label: string,
  source: GivenOptions,
): unknown {
  try {
    return entry.parser.parse(source.expand(entry, value));
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    // Shows the value as written: an expanded environment variable may be a secret.
    const shown = show(entry.parser, value);
    const invalid = shown === '' ? 'invalid value' : `invalid value ${shown}`;
    throw new UsageError(`${invalid} for ${label}: ${printable(error.message)}`);
  }
}

function show(parser: Parser<unknown>, value: unknown): string {
  if (parser.show !== undefined) return parser.show(value);
  if (typeof value === 'string') return `"${excerpt(value)}"`;
  // A repeatable flag gives a list, also if it was typed once.
  const [only, ...others] = Array.isArray(value) ? value : [];
  if (typeof only === 'string' && others.length === 0) return show(parser, only);
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  return Array.isArray(value) ? 'a list' : 'an object';
}
