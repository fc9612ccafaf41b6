import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { decodeRecords } from '../model/decode-line.ts';
import { errorCode } from '../model/error-code.ts';
import { type Frame, isShardName, MAX_FRAME_BYTES } from '../model/frame.ts';
import { systemReason } from '../model/output-error.ts';
import type { Result } from '../model/result.ts';

/**
 * Why a frame has no results. `missing`: the file, or this part of it, is not there. `damaged`: it is, and is not what it should
 * be. `unreadable`: nobody can tell.
 */
export interface FrameFault {
  readonly fault: string;
  readonly kind: 'missing' | 'damaged' | 'unreadable';
}

// UTF-8 has three bytes for a character of UTF-16 at most.
const MAX_TEXT_BYTES = 3 * MAX_FRAME_BYTES;

const unpack = promisify(gunzip);

/** Reads frames from the shards of one directory. What stands between them is never looked at. */
export class ShardReader {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** The results of a frame, all of them in the order of their indexes, or why there are none. The frame must have come from `decodeFrame`. */
  async read(frame: Frame): Promise<readonly Result[] | FrameFault> {
    let packed: Buffer;
    try {
      packed = await this.#bytesOf(frame);
    } catch (error) {
      const isMissing = errorCode(error) === 'ENOENT';
      return { fault: systemReason(error), kind: isMissing ? 'missing' : 'unreadable' };
    }
    if (packed.length < frame.bytes) return { fault: 'the file is too short', kind: 'missing' };
    if (createHash('sha256').update(packed).digest('hex') !== frame.sha256) {
      return { fault: 'it has other bytes than were written there', kind: 'damaged' };
    }
    const results = await this.#resultsIn(packed, frame.count);
    if (results !== undefined && isOf(frame, results)) return results;
    return { fault: 'it does not hold what it should', kind: 'damaged' };
  }

  /** Whether there is any shard in the directory. */
  async hasAny(): Promise<boolean> {
    const names = await readdir(this.directory).catch((): readonly string[] => []);
    return names.some(isShardName);
  }

  // Opened for each frame: on a network file system only that shows what another machine has written by then.
  async #bytesOf({ shard, offset, bytes }: Frame): Promise<Buffer> {
    // Where somebody has put a pipe in the place of a shard, nothing waits for its writer.
    const file = await open(join(this.directory, shard), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = await file.stat();
      // Not before its length is known: a frame may claim any.
      return size < offset + bytes ? Buffer.alloc(0) : await readAt(file, offset, bytes);
    } finally {
      await file.close();
    }
  }

  async #resultsIn(packed: Buffer, most: number): Promise<readonly Result[] | undefined> {
    try {
      return decodeRecords((await unpack(packed, { maxOutputLength: MAX_TEXT_BYTES })).toString(), most);
    } catch {
      return undefined;
    }
  }
}

/** Whether these are the results that were announced, in the order of their indexes. */
function isOf({ count, ok, first }: Frame, results: readonly Result[]): boolean {
  return (
    results.length === count &&
    results.filter((result) => result.ok).length === ok &&
    results.every(({ index }, at) => (at === 0 ? index === first : index > (results[at - 1]?.index ?? 0)))
  );
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
