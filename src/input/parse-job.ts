import { didYouMean } from '../model/did-you-mean.ts';
import type { Expectation, ParseExpectation } from '../model/expectation.ts';
import type { Job } from '../model/job.ts';
import { isToken, OWNED_HEADERS, sentMethod } from '../model/request-rules.ts';
import { fileNameFault } from '../model/safe-name.ts';
import { excerpt, parseUrl, type Scheme, shownUrl } from './parse-url.ts';

/** A job as an object: the form of a JSON line, and of an item handed to the library. */
export interface JobInput {
  /** An `http:` or `https:` URL. A user name and password in it become an `authorization` header. */
  readonly url: string;
  /** Request method; a standard one may be in any case. `CONNECT` is refused. */
  readonly method?: string | undefined;
  /** Request headers of this job alone; names in any case, values in latin1. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Request body, sent as UTF-8. */
  readonly body?: string | undefined;
  /**
   * What its answer must be to count as OK: `status` (in place of the run's), `contains`, `notContains`, `matches`,
   * `header` (`Name: value`) and `maxTime`. A redirect is not followed when `status` names its status.
   */
  readonly expect?:
    | {
        readonly status?: number | string | readonly (number | string)[] | undefined;
        readonly contains?: string | readonly string[] | undefined;
        readonly notContains?: string | readonly string[] | undefined;
        readonly matches?: string | readonly string[] | undefined;
        readonly header?: string | readonly string[] | undefined;
        readonly maxTime?: number | string | undefined;
      }
    | undefined;
  /** A name of your own, handed through to the record. */
  readonly id?: string | undefined;
  /** The name of the file that the body is saved in, relative to the directory of `--save-dir`; without that it has no meaning. */
  readonly save?: string | undefined;
}

// What a header can carry: latin1 without control characters, save the tab.
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Why a value is no request method, or `undefined` when it is one. */
export function methodFault(method: string): string | undefined {
  if (!isToken(method)) {
    return `Cannot use "${excerpt(method)}" as a method: it must be one word such as GET or POST`;
  }
  if (method.toUpperCase() === 'CONNECT') {
    return 'Cannot use "CONNECT" as a method: it opens a tunnel, a job must ask for something';
  }
  return undefined;
}

/** Why an object cannot be the headers of a request, or `undefined` when it can. Values are never named: they may be secret. */
export function headersFault(headers: object): string | undefined {
  const seen = new Set<string>();
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase();
    const fault = `Cannot use the header "${excerpt(given)}"`;
    if (!isToken(given)) return `${fault}: its name must be one word of letters, digits and dashes`;
    if (OWNED_HEADERS.has(name)) return `${fault}: fanout sets it, a job must not`;
    if (seen.has(name)) return `${fault}: it must be given once`;
    if (typeof value !== 'string') return `${fault}: its value must be a string`;
    if (!HEADER_VALUE.test(value)) {
      return `${fault}: its value must be latin1 text without control characters`;
    }
    seen.add(name);
  }
  return undefined;
}

/** Headers with lower-case names; a name such as `__proto__` stays a plain key. */
export function sentHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** What a line says of its job; where it was read is added later. */
export type JobFields = Omit<Job, 'index' | 'source' | 'line'>;

type Fields = Readonly<Record<string, unknown>>;

const STRING_KEYS = ['method', 'body', 'id', 'save'];
const KEYS = ['url', 'method', 'headers', 'body', 'id', 'save', 'expect'];

/** What turns text and objects into jobs. */
export interface JobSyntax {
  /** Put before a URL that has no scheme. */
  readonly defaultScheme?: Scheme | undefined;
  /** Reads the `expect` of a job; without it there must be none. */
  readonly parseExpectation?: ParseExpectation | undefined;
}

/** Checks every key and value of an object as a `JobInput`. `raw` is the text it was read from, shown when it has no URL. */
export function parseJobInput(input: object, raw: string, syntax: JobSyntax = {}): JobFields {
  const fields: Fields = { ...input };
  const { url, id } = fields;
  if (typeof url !== 'string') return invalidFields(shownUrl(raw), id, urlTypeFault(url, raw));
  const expectation = expectationOf(fields, syntax);
  const fault =
    keyFault(fields) ??
    typeFault(fields) ??
    requestFault(fields) ??
    saveFault(fields) ??
    faultOf(expectation);
  const parsed = parseUrl(url.trim(), syntax.defaultScheme);
  if ('invalid' in parsed) return invalidFields(shownUrl(url), id, fault ?? parsed.invalid);
  if (fault !== undefined) return invalidFields(parsed.url, id, fault);
  // Every key and type was checked, which the compiler cannot follow: `fields` is a `JobInput`.
  const job = jobFields(fields as unknown as JobInput, parsed.url, parsed.authorization);
  return expectation === undefined || 'fault' in expectation ? job : { ...job, expect: expectation };
}

function expectationOf(fields: Fields, syntax: JobSyntax): ReturnType<ParseExpectation> | undefined {
  if (fields.expect === undefined) return undefined;
  return syntax.parseExpectation?.(fields.expect) ?? { fault: 'Cannot use "expect" here' };
}

function faultOf(expectation: Expectation | { readonly fault: string } | undefined): string | undefined {
  return expectation !== undefined && 'fault' in expectation ? expectation.fault : undefined;
}

function invalidFields(url: string, id: unknown, invalid: string): JobFields {
  return typeof id === 'string' ? { url, id, invalid } : { url, invalid };
}

function jobFields(input: JobInput, url: string, authorization: string | undefined): JobFields {
  const { method, body, id, save } = input;
  const headers = input.headers === undefined ? {} : sentHeaders(input.headers);
  if (authorization !== undefined) headers.authorization ??= authorization;
  return {
    url,
    ...(method === undefined ? {} : { method: sentMethod(method) }),
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
    ...(id === undefined ? {} : { id }),
    ...(save === undefined ? {} : { save }),
  };
}

function keyFault(fields: Fields): string | undefined {
  const unknown = Object.keys(fields).find((key) => !KEYS.includes(key));
  if (unknown === undefined) return undefined;
  const closest = didYouMean(unknown, KEYS);
  const wish = closest === undefined ? `a job has ${KEYS.join(', ')}` : `did you mean "${closest}"?`;
  return `Cannot use the key "${excerpt(unknown)}" in a job: ${wish}`;
}

function urlTypeFault(url: unknown, raw: string): string {
  if (url !== undefined) return wrongType('url', url, 'a string');
  return `Cannot use ${raw === '' ? 'an object' : `"${excerpt(raw)}"`} as a job: it must have a "url"`;
}

function typeFault(fields: Fields): string | undefined {
  for (const key of STRING_KEYS) {
    const value = fields[key];
    if (value !== undefined && typeof value !== 'string') return wrongType(key, value, 'a string');
  }
  const { headers } = fields;
  if (headers !== undefined && typeName(headers) !== 'an object') {
    return wrongType('headers', headers, 'an object of strings');
  }
  return undefined;
}

function requestFault({ method, headers }: Fields): string | undefined {
  const fault = typeof method === 'string' ? methodFault(method) : undefined;
  return fault ?? (typeof headers === 'object' && headers !== null ? headersFault(headers) : undefined);
}

function saveFault({ save }: Fields): string | undefined {
  const fault = typeof save === 'string' ? fileNameFault(save) : undefined;
  return fault === undefined ? undefined : `Cannot use "${excerpt(String(save))}" for "save": ${fault}`;
}

function wrongType(key: string, value: unknown, wish: string): string {
  return `Cannot use ${typeName(value)} for "${key}": it must be ${wish}`;
}

/** What a value is, in words. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** The text of a job line without the white space around it, or `undefined` for a blank line or a comment. */
export function jobText(line: string): string | undefined {
  const text = line.trim();
  return text === '' || text.startsWith('#') ? undefined : text;
}

/** Whether the first character of a line, white space aside, is `#`. */
export function isComment(start: string): boolean {
  return start.trimStart().startsWith('#');
}

/** Reads a trimmed line, a URL or a JSON job. Never throws: what cannot be fetched has `invalid`, the reason. */
export function parseLine(text: string, syntax: JobSyntax = {}): JobFields {
  if (text.startsWith('{')) return parseJsonLine(text, syntax);
  const parsed = parseUrl(text, syntax.defaultScheme);
  if ('invalid' in parsed) return { url: shownUrl(text), invalid: parsed.invalid };
  const { url, authorization } = parsed;
  return authorization === undefined ? { url } : { url, headers: { authorization } };
}

function parseJsonLine(text: string, syntax: JobSyntax): JobFields {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, and the text may hold a secret.
    return {
      url: shownUrl(text),
      invalid: `Cannot read "${excerpt(text)}" as a job: it must be one JSON object`,
    };
  }
  // Only an object starts with `{`, which the compiler cannot know.
  return parseJobInput(input as object, text, syntax);
}
