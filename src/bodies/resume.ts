import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { readOwnFile } from '../core/own-file.ts';
import type { ResponseHeaders } from '../model/result.ts';
import type { PartialFile } from './partial-file.ts';

/** The longest resume record that is read: a URL, an ETag and a content type, with room to spare. */
const MAX_RECORD_BYTES = 4 * 1024 * 1024;

/** Bytes read at once when a partial file is hashed. */
const BLOCK_BYTES = 1024 * 1024;

/** An ETag without `W/`: a weak one is the same for bodies that are only equivalent. */
const STRONG_ETAG = /^"[\x21\x23-\x7e\x80-\xff]*"$/;

/**
 * Time in ms after which a Last-Modified is a strong validator (RFC 9110, section 8.8.2.2): a file may change twice within
 * one second, and clocks differ.
 */
const STRONG_AFTER_MS = 60_000;

/** Identifies the body that a partial file is the start of, so that the rest of the same body can be requested. */
interface ResumeRecord {
  /** The URL that responded. */
  readonly url: string;
  /** A strong ETag or Last-Modified (RFC 9110, section 8.8.1). */
  readonly validator: string;
  /** Length of the whole body, if its first response said so. */
  readonly totalBytes?: number | undefined;
  /** Content-Type of the body, since the response with its rest need not have one. */
  readonly contentType?: string | undefined;
}

/** The start of a body that is in a partial file. */
export interface PartialBody {
  readonly bytes: number;
  /** SHA-256 of these bytes. */
  readonly hash: Hash;
  /** Length of the whole body. */
  readonly totalBytes: number;
}

/**
 * What a response to a request for the rest of a body is: the rest, which continues the partial body; another response, to be
 * read from its start; or one that cannot be used, so that the whole body must be requested.
 */
type Continuation = PartialBody | 'full-response' | 'invalid-range';

/** A partial file from which a download can be resumed. */
export class ResumePoint {
  readonly file: PartialFile;
  readonly #record: ResumeRecord;
  readonly #bytes: number;
  readonly #hash: Hash;

  constructor(file: PartialFile, record: ResumeRecord, bytes: number, hash: Hash) {
    this.file = file;
    this.#record = record;
    this.#bytes = bytes;
    this.#hash = hash;
  }

  get contentType(): string | undefined {
    return this.#record.contentType;
  }

  /** Headers that ask for the rest of this version, or for the whole of any other version (RFC 9110, section 13.1.5). */
  get headers(): Readonly<Record<string, string>> {
    const range = `bytes=${this.#bytes}-`;
    return { range, 'if-range': this.#record.validator, 'accept-encoding': 'identity' };
  }

  /** Checks whether a response with this head continues the partial file. */
  continuation(status: number, headers: ResponseHeaders): Continuation {
    if (status === 416) return 'invalid-range';
    if (status === 200 && this.#isRestInDisguise(headers)) return 'invalid-range';
    if (status !== 206) return 'full-response';
    const range = parseContentRange(headers['content-range']);
    if (range === undefined || range.first !== this.#bytes || range.last !== range.total - 1) {
      return 'invalid-range';
    }
    if (isEncoded(headers) || !isSameVersion(this.#record, headers)) return 'invalid-range';
    if (range.total !== (this.#record.totalBytes ?? range.total)) return 'invalid-range';
    return { bytes: this.#bytes, hash: this.#hash, totalBytes: range.total };
  }

  /** The length that the body of a full response must have, if it is of this version; otherwise it is only the rest, too. */
  expectedBytes(status: number, headers: ResponseHeaders): number | undefined {
    const isSame = status === 200 && !isEncoded(headers) && isSameVersion(this.#record, headers);
    return isSame ? this.#record.totalBytes : undefined;
  }

  /** Whether a 200 has the Content-Range or the length of the rest: a server that sends a range with the wrong status. */
  #isRestInDisguise(headers: ResponseHeaders): boolean {
    if (parseContentRange(headers['content-range'])?.first === this.#bytes) return true;
    const { totalBytes } = this.#record;
    const isRest = totalBytes !== undefined && contentLength(headers) === totalBytes - this.#bytes;
    return isRest && !isEncoded(headers) && isSameVersion(this.#record, headers);
  }
}

/** Reads the resume record of a partial file; `undefined` if there is none for this URL. */
export async function readResumeRecord(file: PartialFile, url: string): Promise<ResumeRecord | undefined> {
  if (!file.isResumable) return undefined;
  try {
    const record = decodeResumeRecord((await readOwnFile(file.recordPath, MAX_RECORD_BYTES)).toString());
    return record?.url === url ? record : undefined;
  } catch {
    return undefined; // most URLs have none
  }
}

/** Opens a partial file and hashes it; `undefined` if it cannot be used. */
export async function openResumePoint(
  file: PartialFile,
  record: ResumeRecord,
): Promise<ResumePoint | undefined> {
  try {
    const handle = await file.reopen();
    const stat = await handle.stat();
    // With a second link, another file would be changed, too.
    if (!stat.isFile() || stat.nlink !== 1 || stat.size === 0) return undefined;
    // Nothing of it is missing, but the run ended before it got its final name.
    if (record.totalBytes !== undefined && stat.size >= record.totalBytes) return undefined;
    const hash = createHash('sha256');
    return (await hashFile(handle, stat.size, hash))
      ? new ResumePoint(file, record, stat.size, hash)
      : undefined;
  } catch {
    return undefined; // a new file is created, and reports any error that persists
  }
}

async function hashFile(file: FileHandle, bytes: number, hash: Hash): Promise<boolean> {
  const block = Buffer.allocUnsafe(Math.min(bytes, BLOCK_BYTES));
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await file.read(block, 0, Math.min(block.length, bytes - at), at);
    if (bytesRead === 0) return false;
    hash.update(block.subarray(0, bytesRead));
    at += bytesRead;
  }
  return true;
}

/** The resume record for a response with this head; `undefined` if its body cannot be resumed safely. */
export function toResumeRecord(
  url: string,
  status: number,
  headers: ResponseHeaders,
): ResumeRecord | undefined {
  // A decoded body has other bytes than the server counts.
  if (status !== 200 || isEncoded(headers)) return undefined;
  const validator = strongValidator(headers);
  if (validator === undefined) return undefined;
  const contentType = headers['content-type'];
  const totalBytes = contentLength(headers);
  return {
    url,
    validator,
    ...(totalBytes === undefined ? {} : { totalBytes }),
    ...(typeof contentType === 'string' ? { contentType } : {}),
  };
}

/** The length of the body, if the response names one that counts (RFC 9112, section 6.3). */
function contentLength(headers: ResponseHeaders): number | undefined {
  const { 'content-length': length, 'transfer-encoding': transferCoding } = headers;
  const isLength = typeof length === 'string' && /^\d{1,15}$/.test(length) && transferCoding === undefined;
  return isLength ? Number(length) : undefined;
}

function isEncoded(headers: ResponseHeaders): boolean {
  const coding = headers['content-encoding'];
  return coding !== undefined && coding !== 'identity';
}

function strongValidator({ etag, 'last-modified': modified, date }: ResponseHeaders): string | undefined {
  if (typeof etag === 'string') return STRONG_ETAG.test(etag) ? etag : undefined;
  if (typeof modified !== 'string' || typeof date !== 'string') return undefined;
  return Date.parse(date) - Date.parse(modified) >= STRONG_AFTER_MS ? modified : undefined;
}

/**
 * Whether a response names the version of the record: otherwise its part must not be joined to another (RFC 9110, 15.3.7.3).
 * If the record has a date, an ETag in the response does not matter: parts are the same version if they share one strong
 * validator, the server compared this date (13.1.5), and servers of one site may differ in whether they send ETags.
 */
export function isSameVersion(record: ResumeRecord, headers: ResponseHeaders): boolean {
  const validator = record.validator.startsWith('"') ? headers.etag : headers['last-modified'];
  return validator === record.validator;
}

export function encodeResumeRecord({ url, validator, totalBytes, contentType }: ResumeRecord): string {
  return `${JSON.stringify({ v: 1, url, validator, totalBytes, contentType })}\n`;
}

/** Returns `undefined` if the text is not a whole record. */
export function decodeResumeRecord(text: string): ResumeRecord | undefined {
  try {
    const { v, url, validator, totalBytes, contentType } = JSON.parse(text);
    const isValid = v === 1 && typeof url === 'string' && typeof validator === 'string';
    if (!isValid || !(totalBytes === undefined || Number.isSafeInteger(totalBytes))) return undefined;
    return {
      url,
      validator,
      ...(totalBytes === undefined ? {} : { totalBytes }),
      ...(typeof contentType === 'string' ? { contentType } : {}),
    };
  } catch {
    return undefined;
  }
}

/** The bytes `first` to `last`, inclusive, of `total`. */
interface ContentRange {
  readonly first: number;
  readonly last: number;
  readonly total: number;
}

/** Parses a Content-Range header (RFC 9110, section 14.4); `undefined` if it is missing, invalid or without a total length. */
export function parseContentRange(header: string | string[] | undefined): ContentRange | undefined {
  const [, ...digits] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(String(header)) ?? [];
  const [first, last, total] = digits.map(Number);
  if (first === undefined || last === undefined || total === undefined) return undefined;
  return first <= last && last < total ? { first, last, total } : undefined;
}
