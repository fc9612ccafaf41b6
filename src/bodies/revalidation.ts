import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { errorCode, InputError, systemReason } from '../model/errors.ts';
import type { Job, KeptFile } from '../model/job.ts';
import { excerpt, printable } from '../model/printable.ts';
import { decodeRecord } from '../model/record.ts';
import type { KeptBody, ResponseHeaders, Result } from '../model/result.ts';

// `--refresh`: asks for the body of a URL only if it is not the one that an earlier run has saved (RFC 9110, section 13).

/** What a header may contain. Anything else in an ETag or a date would be refused when it is sent. */
const SENDABLE = /^[\t\x20-\x7e\x80-\xff]{1,1000}$/;

/** Some servers mark the ETag of a compressed body, and do not know the mark again (Apache, bug 45023). */
const MARKED_ETAG = /^(W\/)?"(.+)[-;](?:gzip|br|deflate|zstd)"$/;

/** Headers that make a request conditional. */
const CONDITIONS = ['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'range'];

/** The validators of a response, as they came. */
export function validatorsOf(headers: ResponseHeaders): Pick<KeptBody, 'etag' | 'lastModified'> {
  const { etag, 'last-modified': lastModified } = headers;
  return {
    ...(isSendable(etag) ? { etag } : {}),
    ...(isSendable(lastModified) ? { lastModified } : {}),
  };
}

function isSendable(value: string | string[] | undefined): value is string {
  return typeof value === 'string' && SENDABLE.test(value);
}

/** The file that the result of an earlier run has; `undefined` if it has none that can be refreshed. */
export function toKeptFile(result: Result): KeptFile | undefined {
  const { body, url, finalUrl = url, contentType, ok, file, method } = result;
  if (body?.path === undefined || method !== 'GET') return undefined;
  // The body of a failed response is not that of the URL, unless the file is older.
  if (!ok && file !== 'deleted' && file !== 'kept') return undefined;
  const { path, bytes, sha256, etag, lastModified } = body;
  return {
    ...{ path, bytes, sha256, etag, lastModified },
    url: body.url ?? finalUrl,
    // A failed response has a type of its own.
    contentType: ok ? contentType : undefined,
  };
}

/** Gives a job the file of an earlier result, if it has one. */
export function keepFile(job: Job, result: Result): void {
  const kept = toKeptFile(result);
  if (kept !== undefined) job.kept = kept;
}

/** `--refresh=FILE`: the files of an earlier result file, by the id and the URL of each. Takes about 500 bytes for each file. */
export class EarlierFiles {
  readonly #files: ReadonlyMap<string, KeptFile>;

  private constructor(files: ReadonlyMap<string, KeptFile>) {
    this.#files = files;
  }

  /**
   * Reads JSONL results, which may be compressed if the name ends in .gz. Lines that are cut off are left out.
   * Throws an `InputError` if the file cannot be read, or has no results.
   */
  static async read(path: string): Promise<EarlierFiles> {
    const files = new Map<string, KeptFile>();
    const name = excerpt(path);
    let results = 0;
    let first: string | undefined;
    try {
      for await (const line of linesOf(path)) {
        if (line.trim() === '') continue;
        const result = decodeRecord(line);
        if ('broken' in result) first ??= result.broken;
        else {
          results += 1;
          const kept = toKeptFile(result);
          if (kept === undefined) files.delete(keyOf(result));
          else files.set(keyOf(result), kept);
        }
      }
    } catch (error) {
      if (errorCode(error) !== 'Z_BUF_ERROR') {
        throw new InputError(`cannot read "${name}" for --refresh: ${printable(systemReason(error))}`);
      }
    }
    if (results === 0) {
      throw new InputError(
        `"${name}" for --refresh has no results${first === undefined ? '' : `: in its first line, ${first}`}; ` +
          'name the JSONL file of an earlier run',
      );
    }
    return new EarlierFiles(files);
  }

  /** Gives a job its file, if there is one. */
  attach(job: Job): void {
    const kept = this.#files.get(keyOf(job));
    if (kept !== undefined) job.kept = kept;
  }
}

/** Finds the result of a job in the journal, and gives it the file of an earlier result file. */
export function recallFrom<Request>(
  journal: { recall(job: Job, request: Request): Result | undefined } | undefined,
  files: EarlierFiles | undefined,
): (job: Job, request: Request) => Result | undefined {
  return (job, request) => {
    files?.attach(job);
    return journal?.recall(job, request);
  };
}

function keyOf({ id, url }: Pick<Result, 'id' | 'url'>): string {
  return `${id ?? ''}\n${url}`;
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  // The loop below throws the error of either.
  const source = /\.gz$/i.test(path) ? pipeline(file, createGunzip(), () => {}) : file;
  let rest = '';
  for await (const text of source.setEncoding('utf8')) {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  yield rest;
}

/** The file as the body of a result. */
export function keptBody({ path, bytes, sha256, etag, lastModified }: KeptFile): KeptBody {
  return { path, bytes, sha256, etag, lastModified };
}

/** The headers that ask whether the file is still the body of its URL; `undefined` if its response had no validator. */
export function conditionalHeaders({
  etag,
  lastModified,
}: KeptFile): Readonly<Record<string, string>> | undefined {
  const known = validatorsOf({ etag, 'last-modified': lastModified });
  if (known.etag === undefined && known.lastModified === undefined) return undefined;
  const [, weak = '', plain] = MARKED_ETAG.exec(known.etag ?? '') ?? [];
  const also = plain === undefined ? '' : `, ${weak}"${plain}"`;
  return {
    ...(known.etag === undefined ? {} : { 'if-none-match': known.etag + also }),
    ...(known.lastModified === undefined ? {} : { 'if-modified-since': known.lastModified }),
  };
}

/** Whether a request has conditions of its own, or is for a part. */
export function isConditional(headers: Readonly<Record<string, string>>): boolean {
  return CONDITIONS.some((name) => name in headers);
}

/** Whether a file has the bytes that its record says, and the hash `expected`, if that is set. Reads the whole file. */
export async function isUntouched(
  path: string,
  { bytes, sha256 }: KeptFile,
  expected?: string,
): Promise<boolean> {
  try {
    const status = await lstat(path);
    if (!status.isFile() || status.size !== bytes) return false;
    const wanted = [sha256, expected].filter((hash) => hash !== undefined);
    if (wanted.length === 0) return true;
    const hash = createHash('sha256');
    for await (const piece of createReadStream(path)) hash.update(piece);
    const found = hash.digest('hex');
    return wanted.every((one) => one === found);
  } catch {
    return false; // it is fetched, and written anew
  }
}
