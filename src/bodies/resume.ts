import { createHash, type Hash } from 'node:crypto';
import { fstatSync, readFileSync, read as readWithCallback } from 'node:fs';
import { promisify } from 'node:util';
import type { PartFile } from './partial-file.ts';

/** What part of a body an answer has, in bytes: from `first` on, of `total`. */
interface ContentRange {
  readonly first: number;
  readonly last: number;
  readonly total: number;
}

/** Reads a Content-Range header (RFC 9110, 14.4); `undefined` when it is missing, odd, or does not say how long the whole is. */
export function contentRange(header: string | string[] | undefined): ContentRange | undefined {
  const [, ...digits] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(String(header)) ?? [];
  const [first, last, total] = digits.map(Number);
  if (first === undefined || last === undefined || total === undefined) return undefined;
  return first <= last && last < total ? { first, last, total } : undefined;
}

/** Response headers by lower-case name. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What body the beginning in an unfinished file is of: enough to ask for the rest of the very same. */
interface ResumeRecord {
  /** The URL that answered. */
  readonly url: string;
  /** An ETag, or a Last-Modified, that changes with every byte (RFC 9110, 8.8.1). */
  readonly validator: string;
}

// Without the `W/` of a weak one, which stands for bodies that are about the same.
const STRONG_ETAG = /^"[\x21\x23-\x7e\x80-\xff]*"$/;

// A file may change twice within its second, and clocks differ.
const STRONG_AFTER_MS = 60_000;

/** The record of a body whose answer this is the head of; `undefined` when a part of it cannot be asked for safely. */
export function resumeRecord(url: string, status: number, headers: Headers): ResumeRecord | undefined {
  // What is undone on the way has other bytes than the server counts.
  if (status !== 200 || isEncoded(headers)) return undefined;
  const validator = validatorOf(headers);
  return validator === undefined ? undefined : { url, validator };
}

/** Whether the body comes in a coding. */
function isEncoded(headers: Headers): boolean {
  const coding = headers['content-encoding'];
  return coding !== undefined && coding !== 'identity';
}

/** Whether an answer does not say that it is of another version than the record. */
export function isSameVersion(record: ResumeRecord, headers: Headers): boolean {
  const said = record.validator.startsWith('"') ? headers.etag : headers['last-modified'];
  return said === undefined || said === record.validator;
}

export function encodeResumeRecord({ url, validator }: ResumeRecord): string {
  return `${JSON.stringify({ v: 1, url, validator })}\n`;
}

/** `undefined` when it is none, such as one that was not written to its end. */
export function decodeResumeRecord(text: string): ResumeRecord | undefined {
  try {
    const { v, url, validator } = JSON.parse(text);
    const isRight = v === 1 && typeof url === 'string' && typeof validator === 'string';
    return isRight ? { url, validator } : undefined;
  } catch {
    return undefined;
  }
}

function validatorOf({ etag, 'last-modified': modified, date }: Headers): string | undefined {
  if (typeof etag === 'string') return STRONG_ETAG.test(etag) ? etag : undefined;
  if (typeof modified !== 'string' || typeof date !== 'string') return undefined;
  return Date.parse(date) - Date.parse(modified) >= STRONG_AFTER_MS ? modified : undefined;
}

const read = promisify(readWithCallback);

const BLOCK_BYTES = 1024 * 1024;

/** The beginning of a body, with its hash so far, and the length of the whole where it is known. */
export interface BodyStart {
  readonly bytes: number;
  readonly hash: Hash;
  readonly totalBytes: number | undefined;
}

/** How an answer stands to a request for the rest of a body. */
type Continuation = BodyStart | 'other' | 'odd';

/** The beginning of a body in an unfinished file, from which another request can go on. */
export class ResumePoint {
  readonly part: PartFile;
  readonly #record: ResumeRecord;
  readonly #bytes: number;
  readonly #hash: Hash;

  constructor(part: PartFile, record: ResumeRecord, bytes: number, hash: Hash) {
    this.part = part;
    this.#record = record;
    this.#bytes = bytes;
    this.#hash = hash;
  }

  /** What asks for the rest of this version alone, and for the whole of any other (RFC 9110, 13.1.5). */
  get headers(): Readonly<Record<string, string>> {
    const range = `bytes=${this.#bytes}-`;
    return { range, 'if-range': this.#record.validator, 'accept-encoding': 'identity' };
  }

  /** Where the file goes on when this is the rest; `odd` when the server must be asked for the whole instead. */
  continuation(status: number, headers: Headers): Continuation {
    if (status === 416) return 'odd';
    if (status !== 206) return 'other';
    const range = contentRange(headers['content-range']);
    if (range === undefined || range.first !== this.#bytes || range.last !== range.total - 1) return 'odd';
    if (isEncoded(headers) || !isSameVersion(this.#record, headers)) return 'odd';
    return { bytes: this.#bytes, hash: this.#hash, totalBytes: range.total };
  }
}

/** The record of an unfinished body that came from this URL; `undefined` when there is none. */
export function findRecord(part: PartFile, url: string): ResumeRecord | undefined {
  if (!part.isFound) return undefined;
  try {
    const record = decodeResumeRecord(readFileSync(part.recordPath, 'utf8'));
    return record?.url === url ? record : undefined;
  } catch {
    return undefined; // most URLs have none
  }
}

/** Opens an unfinished body and reads it through for its hash; `undefined` when it is not to be trusted. */
export async function resumePoint(part: PartFile, record: ResumeRecord): Promise<ResumePoint | undefined> {
  try {
    const fd = part.reopen();
    const stat = fstatSync(fd);
    // A second name for it would be changed along with it.
    if (!stat.isFile() || stat.nlink !== 1 || stat.size === 0) return undefined;
    const hash = createHash('sha256');
    return (await hashFile(fd, stat.size, hash)) ? new ResumePoint(part, record, stat.size, hash) : undefined;
  } catch {
    return undefined; // it is made anew, and that tells what is wrong
  }
}

async function hashFile(fd: number, bytes: number, hash: Hash): Promise<boolean> {
  const block = Buffer.allocUnsafe(Math.min(bytes, BLOCK_BYTES));
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await read(fd, block, 0, Math.min(block.length, bytes - at), at);
    if (bytesRead === 0) return false;
    hash.update(block.subarray(0, bytesRead));
    at += bytesRead;
  }
  return true;
}
