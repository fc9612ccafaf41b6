import { didYouMean } from '../model/did-you-mean.ts';
import type { Expectation, ParseExpectation } from '../model/expectation.ts';
import { isHost, isToken, type Job, MANAGED_HEADERS, normalizeMethod } from '../model/job.ts';
import { describeType, maskSecrets } from '../model/printable.ts';
import { fileNameFault } from '../model/safe-name.ts';
import type { RawLine } from './line-splitter.ts';
import {
  hasControls,
  isUnicode,
  parseUrl,
  redactedExcerpt,
  redactedUrl,
  type Scheme,
  withoutUserInfo,
} from './parse-url.ts';

/** The keys of a JSON job. */
export const JOB_KEYS = ['url', 'method', 'headers', 'body', 'json', 'id', 'save', 'expect'];
const STRING_KEYS = ['method', 'body', 'id', 'save'];

// What a header can carry: latin1 without control characters, except the tab.
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** A job as an object: the form of a JSON line, and of an item passed to the library. */
export interface JobInput {
  /** An `http:` or `https:` URL. A user name and password in it become an `authorization` header. */
  readonly url: string;
  /**
   * Request method; a standard one may be in any case. `CONNECT` is refused. Default: that of the run, but `POST` instead of
   * `GET` for a job with a body.
   */
  readonly method?: string | undefined;
  /** Request headers of this job only; names in any case, values in latin1. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Request body, sent as UTF-8. */
  readonly body?: string | undefined;
  /** Any JSON value as the request body, instead of `body`; its content type is `application/json` if `headers` has none. */
  readonly json?: unknown;
  /**
   * What the response must be to count as OK: `status` (instead of the statuses of the run), `contains`, `notContains`,
   * `matches`, `header` (`Name: value`), `time`, `finalUrl`, and the `sha256` of the decoded body. A redirect is not followed if `status` includes its status.
   */
  readonly expect?:
    | {
        readonly status?: number | string | readonly (number | string)[] | undefined;
        readonly contains?: string | readonly string[] | undefined;
        readonly notContains?: string | readonly string[] | undefined;
        readonly matches?: string | readonly string[] | undefined;
        readonly header?: string | readonly string[] | undefined;
        readonly time?: string | undefined;
        readonly finalUrl?: string | undefined;
        readonly sha256?: string | undefined;
      }
    | undefined;
  /** Your own identifier, copied to the record. */
  readonly id?: string | undefined;
  /** The name of the file for the body, relative to the directory of `--save-dir`; ignored without one. */
  readonly save?: string | undefined;
}

/** A job as parsed; its index, source and line are added later. */
export type ParsedJob = Omit<Job, 'index' | 'source' | 'line'>;

export interface ParseOptions {
  /** The method of a job that has none. Default: `GET`. */
  readonly defaultMethod?: string | undefined;
  /** Prepended to a URL that has no scheme. */
  readonly defaultScheme?: Scheme | undefined;
  /** Whether a job keeps its URL as it was read, where that differs from `url`. */
  readonly keepsInput?: boolean | undefined;
  /** Parses the `expect` of a job; a job with `expect` is invalid if this is unset. */
  readonly parseExpectation?: ParseExpectation | undefined;
}

const CLOSING_QUOTES: ReadonlyMap<string, string> = new Map([
  ['<', '>'],
  ['"', '"'],
  ["'", "'"],
]);

type Fields = Readonly<Record<string, unknown>>;

/**
 * Returns the text of a job line, or `undefined` for a blank line or a comment. Drops white space, a comment after a URL,
 * and quotes or `<>` around it.
 */
export function jobText(line: string): string | undefined {
  const text = line.trim();
  if (text === '' || text.startsWith('#')) return undefined;
  if (text.startsWith('{')) return text;
  const comment = text.includes('#') ? text.search(/\s#/) : -1;
  return unquoted(comment === -1 ? text : text.slice(0, comment).trimEnd());
}

function unquoted(text: string): string {
  const close = CLOSING_QUOTES.get(text.charAt(0));
  if (close === undefined || !text.endsWith(close)) return text;
  return text.slice(1, -1).trim() || text;
}

/** A line that is not UTF-8 as text: each byte that is not ASCII is percent-encoded, as it is sent in a URL. */
export function percentEncoded({ bytes }: RawLine): string {
  return bytes
    .toString('latin1')
    .replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Whether the first character of a line that is not white space is `#`. */
export function isComment(line: string): boolean {
  return line.trimStart().startsWith('#');
}

/** Parses a trimmed line: a URL or a JSON job. Never throws: a job that cannot be fetched has the reason as `invalid`. */
export function parseLine(text: string, options: ParseOptions = {}): ParsedJob {
  if (text.startsWith('{')) return parseJsonLine(text, options);
  const parsed = parseUrl(text, options.defaultScheme);
  if ('invalid' in parsed)
    return { ...withInput(maskSecrets(text), redactedUrl(text), options), invalid: parsed.invalid };
  const { url, authorization } = parsed;
  const job = withInput(text, url, options);
  return authorization === undefined ? job : { ...job, headers: { authorization } };
}

/** The URL of a job and, if it is kept, what was read. A text with control characters is kept always: `url` is not that text. */
function withInput(
  text: string,
  url: string,
  { keepsInput }: ParseOptions,
): Pick<ParsedJob, 'url' | 'input'> {
  if (text === url || !(keepsInput || hasControls(text))) return { url };
  const input = withoutUserInfo(text);
  return input === url ? { url } : { url, input };
}

function parseJsonLine(text: string, options: ParseOptions): ParsedJob {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may contain a secret.
    return {
      url: redactedUrl(text),
      invalid: `invalid job "${redactedExcerpt(text)}": must be one JSON object on one line`,
    };
  }
  // JSON that starts with `{` is an object, which the compiler cannot know.
  const job = parseJobInput(input as object, text, options);
  return job.invalid === undefined ? job : { ...job, given: text };
}

/**
 * Checks every key and value of an object as a `JobInput`. `raw` is the JSON text it was read from, or empty: it is shown if it has no
 * URL, and the value of `json` is sent as it is written there, since a number may have more digits than JavaScript keeps.
 */
export function parseJobInput(input: object, raw: string, options: ParseOptions = {}): ParsedJob {
  const fields: Fields = { ...input };
  const { url, id } = fields;
  if (typeof url !== 'string') return invalidJob(redactedUrl(raw), id, missingUrl(url, raw));
  const { expect, fault } = parseExpect(fields, options);
  const written = raw === '' ? [] : membersOf(raw);
  const { body, fault: bodyFault } = parseBody(fields, written.find(({ key }) => key === 'json')?.text);
  const reason =
    checkRepeats(written) ??
    checkKeys(fields) ??
    checkTypes(fields) ??
    checkRequest(fields) ??
    checkSave(fields) ??
    bodyFault ??
    fault;
  const parsed = parseUrl(url.trim(), options.defaultScheme);
  if ('invalid' in parsed) {
    const shown = redactedUrl(url);
    return {
      ...withInput(url.trim(), shown, options),
      ...invalidJob(shown, id, reason ?? parsed.invalid),
    };
  }
  if (reason !== undefined) return invalidJob(parsed.url, id, reason);
  // Every key and type was checked, which the compiler cannot follow: `fields` is a `JobInput`.
  const { headers, json, save } = fields as unknown as JobInput;
  const method = methodOf(fields, body, options);
  const requestHeaders = headers === undefined ? {} : lowerCaseNames(headers);
  if (parsed.authorization !== undefined) requestHeaders.authorization ??= parsed.authorization;
  if (json !== undefined) requestHeaders['content-type'] ??= 'application/json';
  return {
    ...withInput(url.trim(), parsed.url, options),
    ...(method === undefined ? {} : { method }),
    ...(Object.keys(requestHeaders).length === 0 ? {} : { headers: requestHeaders }),
    ...(body === undefined ? {} : { body }),
    ...(typeof id === 'string' ? { id } : {}),
    ...(save === undefined ? {} : { save }),
    ...(expect === undefined ? {} : { expect }),
  };
}

/** A key of an object, with the text of its value. */
export interface Member {
  readonly key: string;
  readonly text: string;
}

/** The members of an object, from its text, which must be valid JSON. */
export function membersOf(object: string): readonly Member[] {
  const members: Member[] = [];
  let depth = 0;
  let key: string | undefined;
  let start = 0;
  for (let at = 0; at < object.length; at++) {
    const character = object.charAt(at);
    if (character === '"') {
      const end = stringEnd(object, at);
      if (depth === 1 && key === undefined) {
        key = String(JSON.parse(object.slice(at, end)));
        start = object.indexOf(':', end) + 1;
        at = start - 1;
      } else at = end - 1;
    } else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    const isEnd = depth === 0 || (depth === 1 && character === ',');
    if (isEnd && key !== undefined) {
      members.push({ key, text: object.slice(start, at).trim() });
      key = undefined;
    }
  }
  return members;
}

/** The position after a JSON string, whose opening quote is at `start`. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charAt(end - 1 - slashes) === '\\') slashes += 1;
    if (slashes % 2 === 0) return end + 1;
  }
  return text.length;
}

/** The body of a job, from `body` or `json`, whose text is sent if there is one; or why it is not valid. */
function parseBody(
  { body, json }: Fields,
  jsonText: string | undefined,
): { readonly body?: string; readonly fault?: string } {
  if (json === undefined) {
    if (typeof body !== 'string') return {};
    return isUnicode(body) ? { body } : { fault: 'invalid value for "body": must be valid Unicode' };
  }
  if (body !== undefined) return { fault: 'invalid job: "body" and "json" must not be used together' };
  if (jsonText !== undefined && isUnicode(jsonText)) return { body: jsonText };
  try {
    const text: string | undefined = JSON.stringify(json); // `undefined` for a function or a symbol
    if (text !== undefined) return { body: text };
  } catch {
    // a cycle, or a BigInt
  }
  return { fault: 'invalid value for "json": must be a JSON value' };
}

/** Upper case for a standard method. A job with a body is sent with POST, as curl does, unless it or the run says otherwise. */
function methodOf(
  { method }: Fields,
  body: string | undefined,
  { defaultMethod = 'GET' }: ParseOptions,
): string | undefined {
  if (typeof method === 'string') return normalizeMethod(method);
  return body !== undefined && defaultMethod === 'GET' ? 'POST' : undefined;
}

function invalidJob(url: string, id: unknown, invalid: string): ParsedJob {
  return typeof id === 'string' ? { url, id, invalid } : { url, invalid };
}

/** A header with a name such as `__proto__` stays a plain key. */
function lowerCaseNames(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function parseExpect(
  { expect }: Fields,
  { parseExpectation }: ParseOptions,
): { readonly expect?: Expectation; readonly fault?: string } {
  if (expect === undefined) return {};
  const parsed = parseExpectation?.(expect) ?? { fault: '"expect" is not supported here' };
  return 'fault' in parsed ? parsed : { expect: parsed };
}

function missingUrl(url: unknown, raw: string): string {
  if (url !== undefined) return wrongType('url', url, 'a string');
  return `invalid job${raw === '' ? '' : ` "${redactedExcerpt(raw)}"`}: "url" is missing`;
}

// Each check returns why the object is not a job, or `undefined`.

/** `JSON.parse` silently keeps only the last of several values for one key. */
function checkRepeats(written: readonly Member[]): string | undefined {
  const repeated = repeatedKey(written);
  if (repeated !== undefined) return `invalid job: "${repeated}" must be given only once`;
  for (const { key, text } of written) {
    if (!text.startsWith('{') || !(key === 'headers' || key === 'expect')) continue;
    const inner = repeatedKey(membersOf(text));
    if (inner !== undefined) return `invalid value for "${key}": "${inner}" must be given only once`;
  }
  return undefined;
}

function repeatedKey(members: readonly Member[]): string | undefined {
  const seen = new Set<string>();
  for (const { key } of members) {
    if (seen.has(key)) return redactedExcerpt(key);
    seen.add(key);
  }
  return undefined;
}

function checkKeys(fields: Fields): string | undefined {
  const unknown = Object.keys(fields).find((key) => !JOB_KEYS.includes(key));
  if (unknown === undefined) return undefined;
  const closest = didYouMean(unknown, JOB_KEYS);
  const hint = closest === undefined ? `use ${JOB_KEYS.join(', ')}` : `did you mean "${closest}"?`;
  return `unknown key "${redactedExcerpt(unknown)}" in a job: ${hint}`;
}

function checkTypes(fields: Fields): string | undefined {
  for (const key of STRING_KEYS) {
    const value = fields[key];
    if (value !== undefined && typeof value !== 'string') return wrongType(key, value, 'a string');
  }
  const { headers } = fields;
  if (headers !== undefined && describeType(headers) !== 'an object') {
    return wrongType('headers', headers, 'an object of strings');
  }
  return undefined;
}

function checkRequest({ method, headers }: Fields): string | undefined {
  const reason = typeof method === 'string' ? checkMethod(method) : undefined;
  return reason ?? (typeof headers === 'object' && headers !== null ? checkHeaders(headers) : undefined);
}

function checkMethod(method: string): string | undefined {
  if (!isToken(method)) {
    return `invalid method "${redactedExcerpt(method)}": must be one word such as GET or POST`;
  }
  if (method.toUpperCase() === 'CONNECT') {
    return 'invalid method "CONNECT": it opens a tunnel and fetches nothing';
  }
  return undefined;
}

/** Reasons do not include header values, which may be secret. */
function checkHeaders(headers: object): string | undefined {
  const seen = new Set<string>();
  for (const [key, value] of Object.entries(headers)) {
    const name = key.toLowerCase();
    const refusal = `invalid header "${redactedExcerpt(key)}"`;
    if (!isToken(key)) return `${refusal}: the name must be one word of letters, digits and dashes`;
    if (MANAGED_HEADERS.has(name)) return `${refusal}: fanout sets it`;
    if (seen.has(name)) return `${refusal}: must be given only once`;
    if (typeof value !== 'string') return `${refusal}: the value must be a string`;
    if (!HEADER_VALUE.test(value)) {
      return `${refusal}: the value must be latin1 text without control characters`;
    }
    if (name === 'host' && !isHost(value.trim())) {
      return `${refusal}: the value must be a host such as example.com, [::1] or example.com:8443`;
    }
    seen.add(name);
  }
  return undefined;
}

function checkSave({ save }: Fields): string | undefined {
  const reason = typeof save === 'string' ? fileNameFault(save) : undefined;
  return reason === undefined
    ? undefined
    : `invalid value "${redactedExcerpt(String(save))}" for "save": ${reason}`;
}

function wrongType(key: string, value: unknown, requirement: string): string {
  return `invalid value for "${key}": must be ${requirement}, not ${describeType(value)}`;
}
