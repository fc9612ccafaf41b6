import type { Expectation } from '../model/expectation.ts';
import { InvalidValueError, type Parser } from './option.ts';
import { expectedHeaders } from './parse/headers.ts';
import { statusSet } from './parse/status-sets.ts';
import { regexps, texts } from './parse/texts.ts';
import { duration } from './parse/units.ts';
import type { RunOptions } from './run-options.ts';

const NOTHING: Expectation = { contains: [], notContains: [], matches: [], headers: [] };

/** What the options expect of every answer, its status aside. */
export function expectationOf(
  options: Pick<RunOptions, 'contains' | 'notContains' | 'matches' | 'expectHeader' | 'maxTime'>,
): Expectation {
  const { contains, notContains, matches, expectHeader, maxTime } = options;
  return { contains, notContains, matches, headers: expectHeader, maxTimeMs: maxTime };
}

const KEYS = ['status', 'contains', 'notContains', 'matches', 'header', 'maxTime'];

/**
 * Reads the `expect` of a JSON job: `{"status": "301", "contains": "...", "notContains": "...", "matches": "...",
 * "header": "Name: value", "maxTime": "2s"}`, where texts, expressions and headers may be lists.
 * Gives what is wrong with it in words otherwise.
 */
export function parseExpectation(value: unknown): Expectation | { readonly fault: string } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { fault: 'Cannot use what it is for "expect": it must be an object' };
  }
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const unknown = Object.keys(fields).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    return { fault: `Cannot use the key "${unknown}" in "expect": it has ${KEYS.join(', ')}` };
  }
  try {
    return {
      status: read(fields, 'status', statusSet),
      contains: read(fields, 'contains', texts) ?? NOTHING.contains,
      notContains: read(fields, 'notContains', texts) ?? NOTHING.notContains,
      matches: read(fields, 'matches', regexps) ?? NOTHING.matches,
      headers: read(fields, 'header', expectedHeaders) ?? NOTHING.headers,
      maxTimeMs: read(fields, 'maxTime', duration({ minMs: 1 })),
    };
  } catch (error) {
    if (error instanceof InvalidValueError) return { fault: error.message };
    throw error;
  }
}

function read<T>(fields: Readonly<Record<string, unknown>>, key: string, parser: Parser<T>): T | undefined {
  const value = fields[key];
  if (value === undefined) return undefined;
  try {
    return parser.parse(value);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    throw new InvalidValueError(`Cannot use the "${key}" of "expect": ${error.message}`);
  }
}
