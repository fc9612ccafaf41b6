import { createHash, type Hash } from 'node:crypto';
import { fstatSync, readFileSync, read as readWithCallback } from 'node:fs';
import { promisify } from 'node:util';
import { contentRange } from './content-range.ts';
import type { BodyStart } from './file-taker.ts';
import type { PartFile } from './part-file.ts';
import {
  decodeResumeRecord,
  type Headers,
  isEncoded,
  isSameVersion,
  type ResumeRecord,
} from './resume-record.ts';

const read = promisify(readWithCallback);

const BLOCK_BYTES = 1024 * 1024;

/** How an answer stands to a request for the rest of a body. */
export type Continuation = BodyStart | 'other' | 'odd';

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
