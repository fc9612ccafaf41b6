import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { makeDirectory } from '../bodies/save-directory.ts';
import { errorCode, outputError, systemReason } from '../model/errors.ts';
import type { Result } from '../model/result.ts';
import { decodeRecords, isShardName, MAX_SEGMENT_BYTES, type ShardSegment } from '../model/result-line.ts';

/**
 * Why a frame has no results. `missing`: the file, or this part of it, is not there. `damaged`: it is, and is not what it should
 * be. `unreadable`: nobody can tell.
 */
export interface SegmentFault {
  readonly fault: string;
  readonly kind: 'missing' | 'damaged' | 'unreadable';
}

// UTF-8 has three bytes for a character of UTF-16 at most.
const MAX_TEXT_BYTES = 3 * MAX_SEGMENT_BYTES;

const unpack = promisify(gunzip);

/** Reads frames from the shards of one directory. What stands between them is never looked at. */
export class ShardReader {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** The results of a frame, all of them in the order of their indexes, or why there are none. The frame must have come from `decodeSegment`. */
  async read(frame: ShardSegment): Promise<readonly Result[] | SegmentFault> {
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
  async #bytesOf({ shard, offset, bytes }: ShardSegment): Promise<Buffer> {
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
function isOf({ count, ok, first }: ShardSegment, results: readonly Result[]): boolean {
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

/** A new file is begun when one is so long. */
const SHARD_BYTES = 1024 ** 3;

/** Where the bytes of a frame are. */
type FramePlace = Pick<ShardSegment, 'shard' | 'offset' | 'bytes' | 'sha256'>;

interface OpenShard {
  readonly name: string;
  readonly path: string;
  readonly file: FileHandle;
}

/**
 * The files of one worker process, in a directory that many may share. Each has a name that no file had before, so that
 * nothing is ever written behind what a killed worker has left.
 */
export class ShardWriter {
  readonly #directory: string;
  readonly #worker: string;
  readonly #maxBytes: number;
  #shard: OpenShard;
  #length = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(directory: string, worker: string, { maxBytes, first }: Beginning) {
    this.#directory = directory;
    this.#worker = worker;
    this.#maxBytes = maxBytes;
    this.#shard = first;
  }

  /** Begins the first file, so that a directory in which none can be made is found at once: an `OutputError`. */
  static async open(directory: string, worker: string, maxBytes = SHARD_BYTES): Promise<ShardWriter> {
    const first = await newShard(directory, worker);
    return new ShardWriter(directory, worker, { maxBytes, first });
  }

  /**
   * Writes one frame; it is on the disk when this resolves. Throws an `OutputError`, then and for all that come after: nobody
   * knows where they would begin.
   */
  append(frame: Uint8Array): Promise<FramePlace> {
    const appended = this.#last.then(() => this.#append(frame));
    appended.catch(() => {}); // for whoever waits for it
    this.#last = appended;
    return appended;
  }

  /** Waits for what is being written. A file in which nothing was written is deleted. */
  async close(): Promise<void> {
    await this.#last.catch(() => {});
    await this.#shard.file.close();
    if (this.#length === 0) await unlink(this.#shard.path).catch(() => {});
  }

  async #append(frame: Uint8Array): Promise<FramePlace> {
    if (this.#length >= this.#maxBytes) await this.#rotate();
    const { name, path, file } = this.#shard;
    const offset = this.#length;
    this.#length += frame.length;
    try {
      for (let at = 0; at < frame.length; ) {
        at += (await file.write(frame, at, frame.length - at, offset + at)).bytesWritten;
      }
      await file.datasync();
    } catch (error) {
      throw outputError(path, error);
    }
    const sha256 = createHash('sha256').update(frame).digest('hex');
    return { shard: name, offset, bytes: frame.length, sha256 };
  }

  async #rotate(): Promise<void> {
    const next = await newShard(this.#directory, this.#worker);
    await this.#shard.file.close();
    this.#shard = next;
    this.#length = 0;
  }
}

interface Beginning {
  readonly maxBytes: number;
  readonly first: OpenShard;
}

async function newShard(directory: string, worker: string): Promise<OpenShard> {
  const name = `${worker}-${randomBytes(4).toString('hex')}.jsonl.gz`;
  const path = join(directory, name);
  try {
    makeDirectory(directory);
    const file = await open(path, 'wx');
    await syncDirectory(directory);
    return { name, path, file };
  } catch (error) {
    throw outputError(path, error, 'create');
  }
}

/** The name of the file is to be there after a power failure, too. Not every file system can promise that. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  await directory
    .sync()
    .catch(() => {})
    .finally(() => directory.close());
}
