import { didYouMean } from '../model/did-you-mean.ts';
import type { Expectation } from '../model/expectation.ts';
import { describeType, excerpt } from '../model/printable.ts';
import { printDecisive } from './host-settings.ts';
import { InvalidValueError, type Parser, type Table } from './option.ts';
import { expectedHeaders } from './parse/headers.ts';
import { duration } from './parse/numbers.ts';
import { statusSet } from './parse/status-sets.ts';
import { regexps, texts } from './parse/texts.ts';
import { type RunOptions, runOptions } from './run-options.ts';

const KEYS = ['status', 'contains', 'notContains', 'matches', 'header', 'time', 'finalUrl', 'sha256'];

/** The URL of a page, as it is sent. */
const webUrl: Parser<string> = {
  parse(value) {
    const url = typeof value === 'string' && /^https?:/i.test(value) && URL.canParse(value) && new URL(value);
    if (!url) throw new InvalidValueError('must be a URL that starts with http:// or https://');
    return url.origin + url.pathname + url.search;
  },
  print: (value) => value,
};

/** A SHA-256 as `sha256sum` writes it. */
const sha256: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || !/^[\da-f]{64}$/i.test(value)) {
      throw new InvalidValueError('must be a SHA-256 of 64 hexadecimal digits');
    }
    return value.toLowerCase();
  },
  print: (value) => value,
};

/** What the options of a run require of every response, besides its status. */
export function toExpectation(
  options: Pick<RunOptions, 'contains' | 'notContains' | 'matches' | 'expectHeader' | 'expectTime'>,
): Expectation {
  const { contains, notContains, matches, expectHeader, expectTime } = options;
  return { contains, notContains, matches, headers: expectHeader, maxTimeMs: expectTime };
}

/**
 * The options that decide the verdict on a response, what is kept of it, or what the requests after a redirect send: the first
 * request of a job does not show its headers for other hosts.
 */
const RULES = [
  'headerFor',
  'hosts',
  'cert',
  'accept',
  'contains',
  'notContains',
  'matches',
  'expectHeader',
  'expectTime',
  'expectCertDays',
  'checkFragments',
  'redirects',
  'permanentRedirects',
  'blocked',
  'maxRedirects',
  'cookies',
  'maxSize',
  'decompress',
  'strict',
  'insecure',
  'denyPrivate',
  'saveAs',
  'inlineBody',
] as const satisfies readonly (keyof typeof runOptions)[];

/** These options as text, to compare the rules of two runs, with what the options put into each record. */
export function rulesOf(options: RunOptions): string {
  const table: Table = runOptions;
  const rules = RULES.map((key) => {
    const value = options[key];
    if (key === 'hosts') return printDecisive(options.hosts);
    return value === undefined ? null : table[key]?.parser.print(value);
  });
  // Every run may have the input.
  const keeps = options.keeps.filter((key) => key !== 'input').sort();
  return JSON.stringify([...rules, ...new Set(keeps)]);
}

/**
 * Reads the `expect` object of a JSON job: `{"status": "301", "contains": "...", "notContains": "...", "matches": "...",
 * "header": "Name: value", "time": "2s", "finalUrl": "...", "sha256": "..."}`, all optional. Texts, expressions and headers may
 * be lists. Returns a message instead if the object is invalid.
 */
export function parseExpectation(value: unknown): Expectation | { readonly fault: string } {
  const type = describeType(value);
  if (typeof value !== 'object' || type !== 'an object') {
    return { fault: `invalid value for "expect": must be an object, not ${type}` };
  }
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const unknownKey = Object.keys(fields).find((key) => !KEYS.includes(key));
  if (unknownKey !== undefined) {
    const closest = didYouMean(unknownKey, KEYS);
    const hint = closest === undefined ? `use ${KEYS.join(', ')}` : `did you mean "${closest}"?`;
    return { fault: `unknown key "${excerpt(unknownKey, 100)}" in "expect": ${hint}` };
  }
  try {
    return {
      status: parseField(fields, 'status', statusSet),
      contains: parseField(fields, 'contains', texts) ?? [],
      notContains: parseField(fields, 'notContains', texts) ?? [],
      matches: parseField(fields, 'matches', regexps) ?? [],
      headers: parseField(fields, 'header', expectedHeaders) ?? [],
      maxTimeMs: parseField(fields, 'time', duration({ minMs: 1 })),
      finalUrl: parseField(fields, 'finalUrl', webUrl),
      sha256: parseField(fields, 'sha256', sha256),
    };
  } catch (error) {
    if (error instanceof InvalidValueError) return { fault: error.message };
    throw error;
  }
}

function parseField<T>(
  fields: Readonly<Record<string, unknown>>,
  key: string,
  parser: Parser<T>,
): T | undefined {
  const value = fields[key];
  if (value === undefined) return undefined;
  try {
    return parser.parse(value);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    throw new InvalidValueError(`invalid value for "${key}" in "expect": ${error.message}`);
  }
}
