import { hash } from 'node:crypto';
import type { Job, NameField, NameTemplate } from '../model/job.ts';
import { MAX_FILE_NAME_BYTES, MAX_NAME_BYTES, safePart, UNFINISHED } from '../model/safe-name.ts';
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
const DIRECTORY_SUFFIX = '.d';

/** The extension of a body of unknown type whose URL has none. */
export const UNKNOWN_EXTENSION = 'body';

/** Stands before an extension that is not in the URL: `/docs` is `docs~.html`, since `/docs.html` is another URL. */
export const TYPE_MARK = '~';
const LOOKS_TYPED = /~\.[^.]*$/;
const LOOKS_UNKNOWN = /\.body$/i;

/** Stands before the query. The first character of a file name never does. */
const QUERY_MARK = '@';
const LOOKS_LIKE_QUERY = /.@/;

/** Longest part of a query in a file name. */
const MAX_QUERY_BYTES = 80;

/** An extension of a file name. What looks like a longer one is part of the name. */
const EXTENSION = /(?<=.)\.[^.]{1,16}$/u;

/** An extension of a URL: with a letter, so that `/v1.2` has none. */
const URL_EXTENSION = /(?<=.)\.(?=[0-9]*[a-z])[0-9a-z]{1,16}$/i;

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

/** What a name has of the response. */
export interface ResponseFields {
  readonly status: string;
  /** The extension by the content type, without a dot; `undefined` if the type is unknown. */
  readonly extension: string | undefined;
}

/** Fields of a response that has not arrived, as a preview shows them. */
export const NO_RESPONSE: ResponseFields = { status: '{status}', extension: '{ext}' };

/** The extensions that `index` may have without a mark, as the name for a path that ends with `/`. */
const INDEX_EXTENSIONS: ReadonlySet<string | undefined> = new Set([undefined, 'html', NO_RESPONSE.extension]);

/** A file name before its extension, and the extension of the URL with its dot, empty if it has none. */
interface PathFile extends NameText {
  readonly extension: string;
}

/** The values of the fields of a file name template for one job and response. */
export class NameFields {
  readonly #job: Job;
  readonly #response: ResponseFields;
  readonly #key: string;
  /** The path of the URL, with a `/` at its start. */
  readonly #path: string;
  /** `undefined` without a `?`. */
  readonly #query: string | undefined;

  constructor(job: Job, response: ResponseFields, key: string) {
    this.#job = job;
    this.#response = response;
    this.#key = key;
    const target = pathOf(job.url);
    const mark = target.indexOf('?');
    this.#path = mark === -1 ? target : target.slice(0, mark);
    this.#query = mark === -1 ? undefined : target.slice(mark + 1);
  }

  /** The extension by the content type, without a dot. */
  get responseExtension(): string | undefined {
    return this.#response.extension;
  }

  /** The directories of the path, limited to the number that a name can have. */
  directories(): NameText[] {
    const end = this.#path.lastIndexOf('/');
    return end === 0 ? [] : this.#path.slice(1, end).split('/', MAX_PARTS).map(decodedText);
  }

  /**
   * The file of the path: its last segment, or `index` if that is empty, with the start of the query before the extension.
   * Exact if path and query can be read from it.
   */
  pathFile(): PathFile {
    const { text: stem, extension, isExact } = this.#lastSegment();
    const query = this.#query === undefined ? EMPTY : queryText(this.#query);
    const text = stem + query.text + extension;
    const safe = safePart(text);
    return { text: safe, extension, isExact: isExact && query.isExact && safe === text };
  }

  /** Fills in one part of a template. The field `path` gives only the last segment of the path. */
  fill(part: NameTemplate): NameText {
    let text = '';
    let isExact = true;
    for (const piece of part) {
      const value = 'text' in piece ? { text: piece.text, isExact: true } : this.#valueOf(piece.field);
      // Without an extension, a name has no dot before it.
      const isMissing = value.text === '' && 'field' in piece && piece.field === 'ext';
      text = isMissing ? text.replace(/\.$/, '') : text + value.text;
      isExact &&= value.isExact;
    }
    const safe = safePart(text);
    return { text: safe, isExact: isExact && safe === text };
  }

  #valueOf(field: NameField): NameText {
    switch (field) {
      case 'host':
        return hostName(this.#job.url);
      case 'path': {
        const { text, extension, isExact } = this.#lastSegment();
        return { text: text + extension, isExact: isExact && this.#query === undefined };
      }
      case 'index':
        return { text: String(this.#job.index), isExact: true };
      case 'id':
        return optionalText(this.#job.id, (id) => nameText(id, safePart(id)));
      case 'hash':
        return { text: hashKey(this.#key), isExact: true };
      case 'ext':
        return { text: this.#extension(), isExact: true };
      case 'status':
        return { text: this.#response.status, isExact: true };
      case 'query':
        return optionalText(this.#query, decodedText);
    }
  }

  #extension(): string {
    const { extension } = this.#lastSegment();
    return extension === '' ? (this.#response.extension ?? '') : extension.slice(1);
  }

  /** The last segment of the path without its extension. */
  #lastSegment(): PathFile {
    const last = this.#path.slice(this.#path.lastIndexOf('/') + 1);
    if (last === '') {
      const extension = INDEX_EXTENSIONS.has(this.#response.extension) ? '.html' : '';
      return { text: 'index', extension, isExact: true };
    }
    const { text, isExact } = decodedText(last);
    const extension = urlExtension(text);
    const stem = text.slice(0, text.length - extension.length);
    const isIndex = stem === 'index' && (extension === '' || extension === '.html');
    return { text: stem, extension, isExact: isExact && !isIndex && !LOOKS_LIKE_QUERY.test(text) };
  }
}

const EMPTY: NameText = { text: '', isExact: true };

/** A query in a file name, after its mark. */
function queryText(query: string): NameText {
  const decoded = optionalText(query, decodedText);
  const text = truncate(decoded.text, MAX_QUERY_BYTES);
  return {
    text: QUERY_MARK + text,
    isExact: decoded.isExact && text === decoded.text && !text.endsWith(TYPE_MARK),
  };
}

/** The extension of a URL with its dot, empty if it has none. A directory may end in `.d`. */
export function urlExtension(text: string): string {
  const extension = URL_EXTENSION.exec(text)?.[0] ?? '';
  return DIRECTORY_EXTENSION.test(extension) ? '' : extension;
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

/** Whether a name without an extension of its own looks as if `TYPE_MARK` or `UNKNOWN_EXTENSION` had been added. */
export function looksTyped(name: string): boolean {
  return LOOKS_TYPED.test(name) || LOOKS_UNKNOWN.test(name);
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

/** Truncates text to a length in bytes of UTF-8, between characters. `_` replaces what must not be at the end of a name. */
function truncate(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text);
  let end = maxBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1; // within a character
  const cut = bytes.toString('utf8', 0, end).replace(/[. ]+$/, (edge) => '_'.repeat(edge.length));
  return UNFINISHED.test(cut) ? `${cut.slice(0, -1)}_` : cut;
}
