import type { FileHandle } from 'node:fs/promises';
import { decodeLine } from '../model/decode-line.ts';
import { UsageError } from '../model/errors.ts';
import { type Frame, placeOf } from '../model/frame.ts';
import type { Result } from '../model/result.ts';
import type { ShardReader } from '../shards/shard-reader.ts';

const NEWLINE = 0x0a;

/** Where a run lies in the file, in bytes. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Results that stand in a file one behind the other, read again a window at a time. */
export class StoredRun {
  readonly #file: FileHandle;
  readonly #shards: ShardReader | undefined;
  #stretch: Stretch;
  #lines: readonly string[] = [];
  #at = 0;
  /** What a frame has brought, the next one last. */
  #framed: Result[] = [];

  constructor(file: FileHandle, stretch: Stretch, shards?: ShardReader) {
    this.#file = file;
    this.#stretch = stretch;
    this.#shards = shards;
  }

  /** The next result, `undefined` behind the last one. About `windowBytes` of the file are held in between. */
  next(windowBytes: number): Result | undefined | Promise<Result | undefined> {
    const framed = this.#framed.pop();
    if (framed !== undefined) return framed;
    const line = this.#lines[this.#at];
    if (line === undefined) return this.#readOn(windowBytes);
    this.#at += 1;
    const entry = entryOf(line);
    return 'index' in entry ? entry : this.#open(entry, windowBytes);
  }

  /** A frame that nobody can read here was counted, and has no results. */
  async #open(frame: Frame, windowBytes: number): Promise<Result | undefined> {
    const results = await this.#shards?.read(frame);
    if (results !== undefined && 'fault' in results) {
      throw damaged(`${placeOf(frame)}: ${results.fault}`);
    }
    this.#framed = results?.toReversed() ?? [];
    return this.next(windowBytes);
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

function entryOf(line: string): Result | Frame {
  const entry = decodeLine(line);
  if ('broken' in entry) throw damaged(entry.broken);
  return entry;
}

function damaged(reason: string): UsageError {
  return new UsageError(`Cannot read the results of this run again for --ordered: ${reason}`);
}
