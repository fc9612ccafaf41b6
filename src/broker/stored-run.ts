import type { FileHandle } from 'node:fs/promises';
import { decodeRecord } from '../model/decode-record.ts';
import { UsageError } from '../model/errors.ts';
import type { Result } from '../model/result.ts';

const NEWLINE = 0x0a;

/** Where a run lies in the file, in bytes. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Results that stand in a file one behind the other, read again a window at a time. */
export class StoredRun {
  readonly #file: FileHandle;
  #stretch: Stretch;
  #lines: readonly string[] = [];
  #at = 0;

  constructor(file: FileHandle, stretch: Stretch) {
    this.#file = file;
    this.#stretch = stretch;
  }

  /** The next result, `undefined` behind the last one. About `windowBytes` of the file are held in between. */
  next(windowBytes: number): Result | undefined | Promise<Result | undefined> {
    const line = this.#lines[this.#at];
    if (line === undefined) return this.#readOn(windowBytes);
    this.#at += 1;
    return resultOf(line);
  }

  async #readOn(windowBytes: number): Promise<Result | undefined> {
    const { start, end } = this.#stretch;
    this.#lines = [];
    this.#at = 0;
    if (start >= end) return undefined;
    for (let length = windowBytes; ; length *= 2) {
      const bytes = await this.#read(start, Math.min(length, end - start));
      const last = bytes.lastIndexOf(NEWLINE);
      if (last === -1 && length < end - start) continue; // a record that is larger than the window
      if (last === -1) throw damaged('a record has no end');
      this.#stretch = { start: start + last + 1, end };
      this.#lines = bytes.toString('utf8', 0, last).split('\n');
      return this.next(windowBytes);
    }
  }

  async #read(start: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await this.#file.read(bytes, filled, length - filled, start + filled);
      if (bytesRead === 0) throw damaged('it is shorter than it was');
      filled += bytesRead;
    }
    return bytes;
  }
}

function resultOf(line: string): Result {
  const result = decodeRecord(line);
  if ('broken' in result) throw damaged(result.broken);
  return result;
}

function damaged(reason: string): UsageError {
  return new UsageError(`Cannot read the results of this run again for --ordered: ${reason}`);
}
