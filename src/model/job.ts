import type { Expectation } from './expectation.ts';

/** One URL to fetch, as read from an input. */
export interface Job {
  /** Position among all jobs of the run, from 0; in the library, the position of its item. In the order of the list. */
  readonly index: number;
  /** The input: a file name, `-` for standard input, `arguments`, or `library`. */
  readonly source: string;
  /** Line in the source, from 1. */
  readonly line: number;
  /** Of a link in a document: its column in the line, from 1, in UTF-16 units. */
  readonly column?: number;
  /** Serialised `http:` or `https:` URL without user name and password; for an invalid job the text that was read, made printable; for a local file `file:` and its path. */
  readonly url: string;
  /** The URL as it was read, without user name and password, if it is kept and not equal to `url`. */
  readonly input?: string;
  /** Request method of this job, if not that of the run. Standard methods are in upper case. */
  readonly method?: string;
  /** Additional request headers of this job, with lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Request body, sent as UTF-8. */
  readonly body?: string;
  /** What its response must meet, in addition to the expectation of the run. */
  readonly expect?: Expectation;
  /** An identifier given by the user, copied to the record. */
  readonly id?: string;
  /** File name for the body, relative to the save directory. */
  readonly save?: string;
  /** Whether the URL is the path of a file, which was looked up. Nothing is fetched: it is OK unless it is invalid. */
  readonly isLocal?: true;
  /** Of a file that was found: what is wrong with the place in it that the URL names. */
  readonly unmet?: string;
  /** The file of an earlier run, with `--refresh`. Set when the job is read, after its result is looked for. */
  kept?: KeptFile;
  /** Why this job cannot be fetched. It still has a result: `FAIL invalid`. */
  readonly invalid?: string;
  /** Of an invalid JSON job: its line, which may contain secrets. */
  readonly given?: string;
}

/** A file that an earlier run has saved, as its record says. */
export interface KeptFile {
  /** Relative to the save directory. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256?: string | undefined;
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  /** The URL that sent it, and that its validators are for. */
  readonly url: string;
  /** Its content type, which a response without a body need not have. */
  readonly contentType?: string | undefined;
}

/** What a job of a plain URL takes in memory besides the URL, with its progress. */
const JOB_BYTES = 400;
/** What an entry of a list or an object takes besides its text. */
const ENTRY_BYTES = 50;

/** About how many bytes of memory a job takes. */
export function jobBytes({ url, input, headers, body, expect, id, save, kept, given }: Job): number {
  let bytes = JOB_BYTES + url.length;
  if (input !== undefined) bytes += input.length;
  if (body !== undefined) bytes += 2 * body.length;
  if (given !== undefined) bytes += 2 * given.length;
  if (id !== undefined) bytes += id.length;
  if (save !== undefined) bytes += save.length;
  if (kept !== undefined) bytes += JOB_BYTES + kept.path.length;
  for (const name in headers) bytes += ENTRY_BYTES + name.length + (headers[name]?.length ?? 0);
  if (expect !== undefined) {
    bytes += JOB_BYTES;
    for (const text of expect.contains) bytes += ENTRY_BYTES + text.length;
    for (const text of expect.notContains) bytes += ENTRY_BYTES + text.length;
    for (const { source } of expect.matches) bytes += JOB_BYTES + 4 * source.length; // compiled
    bytes += JOB_BYTES * expect.headers.length;
  }
  return bytes;
}

/** The fields of a file name template, written in braces. */
export const NAME_FIELDS = ['host', 'path', 'index', 'id', 'hash', 'ext', 'status', 'query'] as const;

export type NameField = (typeof NAME_FIELDS)[number];

/** Literal text, or a field with a value for each response. */
export type NamePart = { readonly text: string } | { readonly field: NameField };

/** A template for file names, with `/` between directories. Each field occurs at most once. */
export type NameTemplate = readonly NamePart[];

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const STANDARD_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PATCH',
]);

/** Headers that a user cannot set: they describe the connection or the length of the message, so the HTTP client sets them. */
export const MANAGED_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** Whether this is the value of a Host header (RFC 9110, 7.2): a host of a URL, with a port if any. */
export function isHost(text: string): boolean {
  return (
    /^[!-~]+$/.test(text) && !/[/\\?#@,]/.test(text) && !text.endsWith(':') && URL.canParse(`http://${text}/`)
  );
}

/** Whether this is a token (RFC 9110, 5.6.2), as methods and header names are. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** The method as it is sent: standard methods in upper case, others unchanged. */
export function normalizeMethod(method: string): string {
  const upper = method.toUpperCase();
  return STANDARD_METHODS.has(upper) ? upper : method;
}
