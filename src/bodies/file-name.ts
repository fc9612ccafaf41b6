import { hash } from 'node:crypto';
import type { Job, NameField, NameTemplate } from '../model/job.ts';
import { MAX_FILE_NAME_BYTES, MAX_NAME_BYTES, safePart } from '../model/safe-name.ts';
import { originOf, pathOf } from '../model/url.ts';

const DIGITS = 20;

const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);

const NOTHING = identifying(undefined, {}, undefined);

/**
 * What tells the body of one job from that of another: its URL, and what else it asks for by itself. Of its credentials
 * only the name of the user counts: passwords and tokens change, and leave no trace in the name of a file.
 *
 * @param defaultMethod method of a job that names none and has no body
 */
export function bodyKey(job: Job, defaultMethod: string): string {
  const { url, method, body, headers } = job;
  if (method === undefined && body === undefined && headers === undefined) return url;
  const sent = method ?? (body === undefined ? defaultMethod : 'POST');
  const extra = identifying(sent === defaultMethod ? undefined : sent, headers ?? {}, body);
  return extra === NOTHING ? url : `${url}\n${extra}`;
}

/** So many hex digits of its SHA-256 that no two identities of a billion are likely to have the same. */
export function hashOf(identity: string): string {
  return hash('sha256', identity, 'hex').slice(0, DIGITS);
}

function identifying(
  method: string | undefined,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): string {
  const told = Object.entries(headers).filter(([name]) => !CREDENTIALS.has(name));
  return JSON.stringify([method, userOf(headers.authorization), told.sort(byName), body]);
}

function byName([first]: readonly [string, string], [second]: readonly [string, string]): number {
  return first < second ? -1 : 1;
}

function userOf(authorization: string | undefined): string | undefined {
  const [, credentials] = /^basic +(.+)$/i.exec(authorization ?? '') ?? [];
  return credentials === undefined
    ? undefined
    : Buffer.from(credentials, 'base64').toString('latin1').replace(/:.*$/s, '');
}

/** Text for a name. */
export interface NameText {
  readonly text: string;
  /** Whether no other text gives the same, also where the case of letters and forms of Unicode are the same. */
  readonly isExact: boolean;
}

// Windows calls long names like this, too, by themselves: `longna~1.txt`.
const SHORT_NAME = /~\d/;

// Printable ASCII without capital letters: what is outside may be the same as something else somewhere.
const ONE_CASE = /^[ -@[-~]*$/;

const SIMPLE = /^[0-9a-z_-]{6,}(?:\.[0-9a-z]{1,3})?$/;

/** What came of making `raw` safe, `text`, and whether that lost nothing. */
function nameText(raw: string, text: string): NameText {
  const isExact = text === raw && ONE_CASE.test(text) && !SHORT_NAME.test(text);
  return { text, isExact };
}

/** A piece of a URL as text for a name, with its percent-encoding undone. */
function decodedText(encoded: string): NameText {
  // Most pieces: too long for the name of a device.
  if (SIMPLE.test(encoded)) return { text: encoded, isExact: true };
  if (!encoded.includes('%')) return nameText(encoded, safePart(encoded));
  // A serialised URL has no space, so nothing is lost by showing those that it encodes. Everything else could be there as it is.
  return nameText(encoded.replaceAll('%20', ' '), safePart(percentDecoded(encoded)));
}

function percentDecoded(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded; // not UTF-8
  }
}

// What tells schemes and ports apart, at the end of a name that has it by itself.
const LOOKS_LIKE_PORT = /_\d+s?$/;

/**
 * The host of a URL as one part of a name: `example.com` with https and its own port, `example.com_80` and
 * `example.com_8080` with http, `example.com_8443s` with https on another port, `[--1]` for `[::1]`.
 */
function hostPart(url: string): NameText {
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

// So that a few levels always fit into a whole name.
const MAX_DIRECTORY_BYTES = 100;

// `/docs` may be a page, and `/docs/guide` another: on a disk the first is a file, and the second needs a directory.
// So among the parts of a path a file always has an extension that is not `.d`, and a directory has none or is called `.d`.
const HAS_EXTENSION = /.\.[^.]+$/;
const DIRECTORY_EXTENSION = /\.d$/i;
const FILE_SUFFIX = '.body';
const DIRECTORY_SUFFIX = '.d';

// What looks longer is part of the name.
const EXTENSION = /(?<=.)\.[^.]{1,16}$/u;

/** Digits of a hash as `identity.ts` makes them, after what sets them apart from the rest of a name. */
export const MARK = /~[0-9a-f]{20}/i;

/** The name of a directory on the way to other files of the same path. */
export function directoryName(text: string): string {
  return HAS_EXTENSION.test(text)
    ? cut(text, MAX_DIRECTORY_BYTES - DIRECTORY_SUFFIX.length) + DIRECTORY_SUFFIX
    : plainDirectoryName(text);
}

/** The name of a directory where there are no files beside it. */
export function plainDirectoryName(text: string): string {
  return cut(text, MAX_DIRECTORY_BYTES);
}

/** The name of a file that directories may stand beside. */
export function asFile(text: string): string {
  return HAS_EXTENSION.test(text) && !DIRECTORY_EXTENSION.test(text) ? text : text + FILE_SUFFIX;
}

/** Whether `asFile` gives this for a shorter name. */
export function hasBodySuffix(text: string): boolean {
  return text.toLowerCase().endsWith(FILE_SUFFIX);
}

/** The extension of a name with its dot; empty when it has none. */
function extensionOf(name: string): string {
  return EXTENSION.exec(name)?.[0] ?? '';
}

/** Puts a mark before the extension of a file's name, and cuts what comes before until the name fits. */
export function marked(name: string, mark: string): string {
  const extension = extensionOf(name);
  const stem = name.slice(0, name.length - extension.length);
  return cut(stem, MAX_FILE_NAME_BYTES - Buffer.byteLength(mark + extension)) + mark + extension;
}

/** Whether a file's name is short enough as it is. */
export function fits(name: string): boolean {
  return name.length * 3 <= MAX_FILE_NAME_BYTES || Buffer.byteLength(name) <= MAX_FILE_NAME_BYTES;
}

/** At most so many bytes of UTF-8, and no part of a character. What is cut off there ends in no space and no dot. */
function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text);
  let end = maxBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1; // within a character
  return bytes.toString('utf8', 0, end).replace(/[. ]+$/, (edge) => '_'.repeat(edge.length));
}

// More than ever fit into a name.
const MAX_PARTS = MAX_NAME_BYTES / 2 + 1;

/** What the fields of a template are filled from. */
export class NameFields {
  readonly #job: Job;
  readonly #status: number;
  readonly #identity: string;
  /** Of the URL, with a `/` at its start. */
  readonly #path: string;
  readonly #query: string;

  constructor(job: Job, status: number, identity: string) {
    this.#job = job;
    this.#status = status;
    this.#identity = identity;
    const target = pathOf(job.url);
    const mark = target.indexOf('?');
    this.#path = mark === -1 ? target : target.slice(0, mark);
    this.#query = mark === -1 ? '' : target.slice(mark + 1);
  }

  /** The directories of the path, as many as a name can have. */
  directories(): NameText[] {
    const end = this.#path.lastIndexOf('/');
    return end === 0 ? [] : this.#path.slice(1, end).split('/', MAX_PARTS).map(decodedText);
  }

  /** The file that the path names; that of a directory is its index. */
  #file(): NameText {
    const last = this.#path.slice(this.#path.lastIndexOf('/') + 1);
    if (last === '') return { text: 'index.html', isExact: true };
    const { text, isExact } = decodedText(last);
    return { text, isExact: isExact && text !== 'index.html' };
  }

  /** One part of a name, from a part of a template; of a path its last part. */
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
        return hostPart(this.#job.url);
      case 'path':
        return this.#file();
      case 'index':
        return { text: String(this.#job.index), isExact: true };
      case 'id':
        return optionalText(this.#job.id, (id) => nameText(id, safePart(id)));
      case 'hash':
        return { text: hashOf(this.#identity), isExact: true };
      case 'ext':
        return { text: extensionOf(this.#file().text), isExact: true };
      case 'status':
        return { text: String(this.#status), isExact: true };
      case 'query':
        return optionalText(this.#query, decodedText);
    }
  }
}

function optionalText(text: string | undefined, read: (text: string) => NameText): NameText {
  return text === undefined || text === '' ? { text: '', isExact: true } : read(text);
}
