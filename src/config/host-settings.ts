import { didYouMean } from '../model/did-you-mean.ts';
import { describeType, excerpt } from '../model/printable.ts';
import { hostKeys, hostKeysOf } from '../model/url.ts';
import { InvalidValueError, type Json, type Parser } from './option.ts';
import {
  credentials,
  type Header,
  headers,
  maskCredentials,
  maskHeaders,
  parseHost,
} from './parse/headers.ts';
import { duration, type Rate, rate, wholeNumber } from './parse/numbers.ts';
import { type StatusSet, statusSet } from './parse/status-sets.ts';
import { boolean } from './parse/texts.ts';

/** What holds for some hosts instead of the options of the run. */
export interface HostSettings {
  readonly headers?: readonly Header[];
  readonly perHost?: number;
  readonly hostRate?: Rate;
  /** In ms. */
  readonly timeout?: number;
  readonly accept?: StatusSet;
  readonly insecure?: boolean;
  /** `NAME:PASSWORD`. */
  readonly user?: string;
}

/** Settings by host: `example.com` for all its ports, `example.com:8443`, or `*.example.com` with or without a port. */
export type HostTable = ReadonlyMap<string, HostSettings>;

const PARSERS: { readonly [Key in keyof HostSettings]-?: Parser<NonNullable<HostSettings[Key]>> } = {
  headers,
  perHost: wholeNumber({ min: 1 }),
  hostRate: rate,
  timeout: duration({ minMs: 1 }),
  accept: statusSet,
  insecure: boolean,
  user: credentials,
};

const KEYS = Object.keys(PARSERS);

/** The settings that decide the verdict on a response, or what is sent after a redirect. */
const DECISIVE: readonly string[] = [
  'headers',
  'accept',
  'insecure',
  'user',
] satisfies (keyof HostSettings)[];

/** An object that has for each host an object of its settings. Error messages do not show values, which may be secrets. */
export const hostTable: Parser<HostTable> = {
  parse(value) {
    const table = new Map<string, HostSettings>();
    for (const [text, settings] of entriesOf(
      value,
      'must be an object of hosts, such as {"*.example.com": {"perHost": 2}}',
    )) {
      const host = parseHost(text);
      const shown = `"${excerpt(text, 100)}"`;
      if (host === undefined) {
        throw new InvalidValueError(
          `must have keys that are hosts, such as example.com, *.example.com or [::1]:8443, not ${shown}`,
        );
      }
      if (table.has(host)) throw new InvalidValueError(`must have ${excerpt(host, 100)} only once`);
      table.set(host, parseSettings(settings, shown));
    }
    return table;
  },
  print: (table) => printTable(table),
  show: () => '',
};

function parseSettings(value: unknown, host: string): HostSettings {
  const entries = entriesOf(value, `must have an object for ${host}, such as {"perHost": 2}`);
  const settings = entries.map(([key, item]) => {
    const parser = Object.entries(PARSERS).find(([name]) => name === key)?.[1];
    if (parser === undefined) {
      const closest = didYouMean(key, KEYS) ?? KEYS.find((name) => name.toLowerCase().endsWith(key));
      const advice = closest === undefined ? `use ${KEYS.join(', ')}` : `did you mean "${closest}"?`;
      throw new InvalidValueError(`unknown key "${excerpt(key, 100)}" of ${host}; ${advice}`);
    }
    return [key, parseSetting(parser, item, `"${key}" of ${host}`)] as const;
  });
  // Each key has a value of its own parser.
  return Object.freeze(Object.fromEntries(settings)) as HostSettings;
}

function parseSetting(parser: Parser<unknown>, value: unknown, label: string): unknown {
  try {
    return parser.parse(value);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    throw new InvalidValueError(`${label} ${error.message}`);
  }
}

function entriesOf(value: unknown, requirement: string): readonly (readonly [string, unknown])[] {
  const type = describeType(value);
  if (typeof value !== 'object' || value === null || type !== 'an object') {
    throw new InvalidValueError(`${requirement}, not ${type}`);
  }
  return Object.entries(value).filter(([, item]) => item !== undefined);
}

/** The table with `***` for every secret. */
export function maskHostTable(table: HostTable): Json {
  return printTable(table, ({ headers: list, user, ...others }) => ({
    ...others,
    ...(list && { headers: maskHeaders(list, () => true) }),
    ...(user !== undefined && { user: maskCredentials() }),
  }));
}

/** What of the table decides the results of a run, to compare two runs. */
export function printDecisive(table: HostTable): Json {
  const parts = [...table].map(([host, settings]) => {
    const decisive = Object.entries(settings).filter(([key]) => DECISIVE.includes(key));
    return [host, Object.fromEntries(decisive) as HostSettings] as const; // a part of the settings
  });
  return printTable(new Map(parts.filter(([, settings]) => Object.keys(settings).length > 0)));
}

function printTable(table: HostTable, change: (settings: HostSettings) => object = (same) => same): Json {
  const hosts = [...table].map(([host, settings]) => [host, printSettings(settings, change(settings))]);
  return Object.fromEntries(hosts);
}

/** The settings as they are written. Those that were changed are written already. */
function printSettings(settings: HostSettings, changed: object): Json {
  const given = new Map<string, unknown>(Object.entries(settings));
  const written = Object.entries(changed).map(([key, value]) => {
    const parser = Object.entries(PARSERS).find(([name]) => name === key)?.[1] as Parser<unknown> | undefined;
    return [key, given.get(key) === value ? (parser?.print(value) ?? null) : value];
  });
  return Object.fromEntries(written);
}

/** A setting for the host of a serialised URL: that of the most specific entry that has it. */
export function hostSetting<Key extends keyof HostSettings>(
  table: HostTable,
  url: string,
  key: Key,
): HostSettings[Key] | undefined {
  return table.size === 0 ? undefined : find(table, hostKeys(url), key);
}

/** The same for a host with its port, if it is not the default one, whatever the scheme of the URL. */
export function hostSettingOf<Key extends keyof HostSettings>(
  table: HostTable,
  host: string,
  key: Key,
): HostSettings[Key] | undefined {
  return table.size === 0 ? undefined : find(table, hostKeysOf(host, ['443', '80']), key);
}

function find<Key extends keyof HostSettings>(
  table: HostTable,
  patterns: readonly string[],
  key: Key,
): HostSettings[Key] | undefined {
  for (const pattern of patterns) {
    const value = table.get(pattern)?.[key];
    if (value !== undefined) return value;
  }
  return undefined;
}
