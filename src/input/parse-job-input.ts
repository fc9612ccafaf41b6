import type { Expectation, ParseExpectation } from '../model/expectation.ts';
import { fileNameFault } from '../model/file-name.ts';
import type { Job } from '../model/job.ts';
import { sentMethod } from '../model/request-rules.ts';
import { closestName } from './closest-name.ts';
import type { JobInput } from './job-input.ts';
import { parseUrl, type Scheme } from './parse-url.ts';
import { headersFault, methodFault, sentHeaders } from './request-fields.ts';
import { excerpt, shownUrl } from './shown-url.ts';

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
  const closest = closestName(unknown, KEYS);
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
