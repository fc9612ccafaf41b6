import { hash } from 'node:crypto';
import type { Job, NameField, NameTemplate } from '../model/job.ts';
import { MAX_FILE_NAME_BYTES, MAX_NAME_BYTES, safePart } from '../model/safe-name.ts';
import { originOf, pathOf } from '../model/url.ts';

/** Hex digits of a hash in a name: with 80 bits, two of a billion keys are unlikely to have the same. */
const HASH_DIGITS = 20;

/** Headers that do not identify a body, since passwords and tokens change and must not show in a file name. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);

/** More parts than a name can have. */
const MAX_PARTS = MAX_NAME_BYTES / 2 + 1;

/** Longest directory name, so that a name has room for a few levels. */
const MAX_DIRECTORY_BYTES = 100;

// `/docs` may be a page and `/docs/guide` another. On a disk the first is a file, and the second needs a directory. So a
// file of a path always has an extension other than `.d`, and a directory has none or `.d`.
const HAS_EXTENSION = /.\.[^.]+$/;
const DIRECTORY_EXTENSION = /\.d$/i;
const FILE_SUFFIX = '.body';
const DIRECTORY_SUFFIX = '.d';

/** An extension. What looks like a longer one is part of the name. */
const EXTENSION = /(?<=.)\.[^.]{1,16}$/u;

/** A hash of a key in a name, after the character that separates it. */
export const HASH_MARK = /~[0-9a-f]{20}/i;

/** A short name that Windows makes for a long one, such as `longna~1.txt`. */
const WINDOWS_SHORT_NAME = /~\d/;

/** Printable ASCII without capital letters. File systems may treat other characters as equal. */
const ONE_CASE = /^[ -@[-~]*$/;

/** A name that needs no changes, and is too long for a device name. Most path segments match. */
const SIMPLE = /^[0-9a-z_-]{6,}(?:\.[0-9a-z]{1,3})?$/;

/** A host name that ends as `hostName` marks a scheme and a port. */
const LOOKS_LIKE_PORT = /_\d+s?$/;

const NO_DETAILS = requestDetails(undefined, {}, undefined);

/**
 * The key by which the body of one job is distinguished from those of others: its URL, and the method, headers and body that
 * the job sets itself. Only the user name of its credentials is part of the key.
 *
 * @param defaultMethod method of a job that sets none and has no body
 */
export function bodyKey(job: Job, defaultMethod: string): string {
  const { url, method, body, headers } = job;
  if (method === undefined && body === undefined && headers === undefined) return url;
  const usedMethod = method ?? (body === undefined ? defaultMethod : 'POST');
  const details = requestDetails(usedMethod === defaultMethod ? undefined : usedMethod, headers ?? {}, body);
  return details === NO_DETAILS ? url : `${url}\n${details}`;
}

function requestDetails(
  method: string | undefined,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): string {
  const shown = Object.entries(headers).filter(([name]) => !CREDENTIALS.has(name));
  shown.sort(([first], [second]) => (first < second ? -1 : 1));
  return JSON.stringify([method, userName(headers.authorization), shown, body]);
}

function userName(authorization: string | undefined): string | undefined {
  const [, credentials] = /^basic +(.+)$/i.exec(authorization ?? '') ?? [];
  return credentials === undefined
    ? undefined
    : Buffer.from(credentials, 'base64').toString('latin1').replace(/:.*$/s, '');
}

/** The start of the SHA-256 of a key, in hex. */
export function hashKey(key: string): string {
  return hash('sha256', key, 'hex').slice(0, HASH_DIGITS);
}

/** Text for one part of a name. */
export interface NameText {
  readonly text: string;
  /** Whether no other value gives the same text, even on file systems that ignore case and Unicode forms. */
  readonly isExact: boolean;
}

/** The values of the fields of a file name template for one job and response. */
export class NameFields {
  readonly #job: Job;
  readonly #status: number;
  readonly #key: string;
  /** The path of the URL, with a `/` at its start. */
  readonly #path: string;
  readonly #query: string;

  constructor(job: Job, status: number, key: string) {
    this.#job = job;
    this.#status = status;
    this.#key = key;
    const target = pathOf(job.url);
    const mark = target.indexOf('?');
    this.#path = mark === -1 ? target : target.slice(0, mark);
    this.#query = mark === -1 ? '' : target.slice(mark + 1);
  }

  /** The directories of the path, limited to the number that a name can have. */
  directories(): NameText[] {
    const end = this.#path.lastIndexOf('/');
    return end === 0 ? [] : this.#path.slice(1, end).split('/', MAX_PARTS).map(decodedText);
  }

  /** Fills in one part of a template. The field `path` gives only the last segment of the path. */
  fill(part: NameTemplate): NameText {
    let text = '';
    let isExact = true;
    for (const piece of part) {
      const value = 'text' in piece ? { text: piece.text, isExact: true } : this.#valueOf(piece.field);
      text += value.text;
      isExact &&= value.isExact;
    }
    const safe = safePart(text);
    return { text: safe, isExact: isExact && safe === text };
  }

  #valueOf(field: NameField): NameText {
    switch (field) {
      case 'host':
        return hostName(this.#job.url);
      case 'path':
        return this.#lastSegment();
      case 'index':
        return { text: String(this.#job.index), isExact: true };
      case 'id':
        return optionalText(this.#job.id, (id) => nameText(id, safePart(id)));
      case 'hash':
        return { text: hashKey(this.#key), isExact: true };
      case 'ext':
        return { text: extensionOf(this.#lastSegment().text), isExact: true };
      case 'status':
        return { text: String(this.#status), isExact: true };
      case 'query':
        return optionalText(this.#query, decodedText);
    }
  }

  /** The last segment of the path; `index.html` for a path that ends with `/`. */
  #lastSegment(): NameText {
    const last = this.#path.slice(this.#path.lastIndexOf('/') + 1);
    if (last === '') return { text: 'index.html', isExact: true };
    const { text, isExact } = decodedText(last);
    return { text, isExact: isExact && text !== 'index.html' };
  }
}

function optionalText(text: string | undefined, toName: (text: string) => NameText): NameText {
  return text === undefined || text === '' ? { text: '', isExact: true } : toName(text);
}

/**
 * The host of a URL as one part of a name: `example.com` for https on port 443, `example.com_80` and `example.com_8080` for
 * http, `example.com_8443s` for https on another port, `[--1]` for `[::1]`.
 */
function hostName(url: string): NameText {
  const origin = originOf(url);
  const isHttps = origin.startsWith('https:');
  const host = origin.slice(isHttps ? 8 : 7);
  const [, name = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
  const suffix = isHttps ? (port === undefined ? '' : `_${port}s`) : `_${port ?? 80}`;
  const { text, isExact } = name.startsWith('[')
    ? { text: name.replaceAll(':', '-'), isExact: true }
    : nameText(name, safePart(name));
  return { text: text + suffix, isExact: isExact && !LOOKS_LIKE_PORT.test(text) };
}

/** A percent-encoded part of a URL as text for a name. */
function decodedText(encoded: string): NameText {
  if (SIMPLE.test(encoded)) return { text: encoded, isExact: true };
  if (!encoded.includes('%')) return nameText(encoded, safePart(encoded));
  // A serialised URL contains no space, so decoding `%20` loses nothing. Any other character may also be there unencoded.
  return nameText(encoded.replaceAll('%20', ' '), safePart(percentDecoded(encoded)));
}

function percentDecoded(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded; // not UTF-8
  }
}

/** The safe form `text` of the value `raw`. */
function nameText(raw: string, text: string): NameText {
  const isExact = text === raw && ONE_CASE.test(text) && !WINDOWS_SHORT_NAME.test(text);
  return { text, isExact };
}

/** The name of a directory of a path, which files of the same path may be beside. */
export function pathDirectoryName(text: string): string {
  return HAS_EXTENSION.test(text)
    ? truncate(text, MAX_DIRECTORY_BYTES - DIRECTORY_SUFFIX.length) + DIRECTORY_SUFFIX
    : directoryName(text);
}

/** The name of a directory that has no files beside it. */
export function directoryName(text: string): string {
  return truncate(text, MAX_DIRECTORY_BYTES);
}

/** The name of a file of a path, which directories of the same path may be beside. */
export function pathFileName(text: string): string {
  return HAS_EXTENSION.test(text) && !DIRECTORY_EXTENSION.test(text) ? text : text + FILE_SUFFIX;
}

/** Whether `pathFileName` gives this text for a shorter one. */
export function hasBodySuffix(text: string): boolean {
  return text.toLowerCase().endsWith(FILE_SUFFIX);
}

/** Inserts a mark before the extension of a file name. Truncates what comes before to make it fit. */
export function insertMark(name: string, mark: string): string {
  const extension = extensionOf(name);
  const stem = name.slice(0, name.length - extension.length);
  return truncate(stem, MAX_FILE_NAME_BYTES - Buffer.byteLength(mark + extension)) + mark + extension;
}

/** Whether a file name is short enough. */
export function fitsFileName(name: string): boolean {
  return name.length * 3 <= MAX_FILE_NAME_BYTES || Buffer.byteLength(name) <= MAX_FILE_NAME_BYTES;
}

/** The extension of a name with its dot; empty if it has none. */
function extensionOf(name: string): string {
  return EXTENSION.exec(name)?.[0] ?? '';
}

/** Truncates text to a length in bytes of UTF-8, between characters. Dots and spaces at the cut become `_`. */
function truncate(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text);
  let end = maxBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1; // within a character
  return bytes.toString('utf8', 0, end).replace(/[. ]+$/, (edge) => '_'.repeat(edge.length));
}
