import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { makeDirectory } from '../bodies/save-directory.ts';
import { openOwnFile, syncDirectory } from '../core/own-file.ts';
import { errorCode, systemReason, toOutputError } from '../model/errors.ts';
import type { Result } from '../model/result.ts';
import { decodeRecords, isShardName, MAX_SEGMENT_BYTES, type ShardSegment } from '../model/result-line.ts';

/** UTF-8 has at most three bytes for a character of UTF-16. */
const MAX_TEXT_BYTES = 3 * MAX_SEGMENT_BYTES;

/** A worker begins a new file when its file has reached this length. */
const MAX_SHARD_BYTES = 1024 ** 3;

const unpack = promisify(gunzip);

/**
 * Why the results of a segment cannot be read. `missing`: the file, or this part of it, does not exist. `damaged`: it has other
 * content. `unreadable`: the file system returned another error.
 */
export interface SegmentFault {
  readonly fault: string;
  readonly kind: 'missing' | 'damaged' | 'unreadable';
}

/** Where shards are: a directory, or a bucket. */
export interface ShardSource {
  /** As in `--store`. */
  readonly name: string;
  /** The bytes of a segment; fewer if the shard ends before. */
  readBytes(segment: ShardSegment): Promise<Buffer>;
  /** Whether there is any shard. */
  hasAny(): Promise<boolean>;
}

/** Reads segments from the shards in one place, such as a directory. Bytes between the segments are ignored. */
export class ShardReader {
  readonly #source: ShardSource;

  constructor(source: ShardSource | string) {
    this.#source = typeof source === 'string' ? new ShardDirectory(source) : source;
  }

  /** The directory or bucket, for messages. */
  get place(): string {
    return this.#source.name;
  }

  /** The results of a segment, ordered by index, or why they cannot be read. The segment must come from `decodeSegment`. */
  async read(segment: ShardSegment): Promise<readonly Result[] | SegmentFault> {
    let packed: Buffer;
    try {
      packed = await this.#source.readBytes(segment);
    } catch (error) {
      const code = errorCode(error);
      // No code: a link, a pipe or a device, which somebody has put there. It must not end the collector.
      const kind = code === undefined ? 'damaged' : code === 'ENOENT' ? 'missing' : 'unreadable';
      return { fault: systemReason(error), kind };
    }
    if (packed.length < segment.bytes) return { fault: 'the file is too short', kind: 'missing' };
    if (sha256Of(packed) !== segment.sha256) {
      return { fault: 'it has other bytes than were written there', kind: 'damaged' };
    }
    const results = await unpackRecords(packed, segment.count);
    if (results !== undefined && matches(segment, results)) return results;
    return { fault: 'it does not hold what it should', kind: 'damaged' };
  }

  /** Whether there is any shard. */
  hasAny(): Promise<boolean> {
    return this.#source.hasAny();
  }
}

class ShardDirectory implements ShardSource {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  async hasAny(): Promise<boolean> {
    const names = await readdir(this.name).catch((): readonly string[] => []);
    return names.some(isShardName);
  }

  // The file is opened for each segment: on a network file system, only that shows what another machine has written.
  async readBytes({ shard, offset, bytes }: ShardSegment): Promise<Buffer> {
    const file = await openOwnFile(join(this.name, shard), 'read');
    try {
      const { size } = await file.stat();
      // Allocated only after this check: a segment may claim any length.
      return size < offset + bytes ? Buffer.alloc(0) : await readAt(file, offset, bytes);
    } finally {
      await file.close();
    }
  }
}

async function unpackRecords(packed: Buffer, maxCount: number): Promise<readonly Result[] | undefined> {
  try {
    return decodeRecords((await unpack(packed, { maxOutputLength: MAX_TEXT_BYTES })).toString(), maxCount);
  } catch {
    return undefined;
  }
}

/** Whether the results match the counts of their segment, and are ordered by index. */
function matches({ count, ok, first }: ShardSegment, results: readonly Result[]): boolean {
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

interface OpenShard {
  readonly name: string;
  readonly path: string;
  readonly file: FileHandle;
}

interface ShardOptions {
  readonly maxBytes?: number;
  /** Whether only their owner may read the files. */
  readonly isPrivate?: boolean;
}

/** Where a segment was written. */
export type SegmentPlace = Pick<ShardSegment, 'shard' | 'offset' | 'bytes' | 'sha256'>;

interface AppendOptions {
  /** Whether the segment is for its owner alone. */
  readonly isPrivate?: boolean;
}

/** Writes the shards of one worker process. */
export interface ShardWriter {
  /** Writes the bytes of one segment, and resolves to their place when they are stored. Throws an `OutputError`. */
  append(bytes: Uint8Array, options?: AppendOptions): Promise<SegmentPlace>;
  /** Waits for pending writes. */
  close(): Promise<void>;
}

/**
 * Writes shards into a directory that may be shared. Every file gets a new random name, so that nothing is appended to an
 * incomplete segment of a killed worker.
 */
export class ShardFileWriter implements ShardWriter {
  readonly #directory: string;
  readonly #worker: string;
  readonly #maxBytes: number;
  readonly #isPrivate: boolean;
  #shard: OpenShard;
  #length = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    first: OpenShard,
    directory: string,
    worker: string,
    { maxBytes, isPrivate }: Required<ShardOptions>,
  ) {
    this.#shard = first;
    this.#directory = directory;
    this.#worker = worker;
    this.#maxBytes = maxBytes;
    this.#isPrivate = isPrivate;
  }

  /** Creates the directory and the first file. Throws an `OutputError` when that fails. */
  static async open(
    directory: string,
    worker: string,
    { maxBytes = MAX_SHARD_BYTES, isPrivate = false }: ShardOptions = {},
  ): Promise<ShardFileWriter> {
    const first = await createShard(directory, worker, isPrivate);
    return new ShardFileWriter(first, directory, worker, { maxBytes, isPrivate });
  }

  /**
   * After an error all later calls fail too, since the length of the file is unknown. With `isPrivate`, only this user can read
   * the file from then on.
   */
  append(bytes: Uint8Array, options: AppendOptions = {}): Promise<SegmentPlace> {
    const appended = this.#last.then(() => this.#append(bytes, options));
    appended.catch(() => {}); // the caller handles it
    this.#last = appended;
    return appended;
  }

  /** Deletes a file in which nothing was written. */
  async close(): Promise<void> {
    await this.#last.catch(() => {});
    await this.#shard.file.close();
    if (this.#length === 0) await unlink(this.#shard.path).catch(() => {});
  }

  async #append(bytes: Uint8Array, { isPrivate = false }: AppendOptions): Promise<SegmentPlace> {
    if (this.#length >= this.#maxBytes) await this.#rotate();
    const { name, path, file } = this.#shard;
    const offset = this.#length;
    this.#length += bytes.length;
    try {
      if (isPrivate) await file.chmod(0o600);
      for (let at = 0; at < bytes.length; ) {
        at += (await file.write(bytes, at, bytes.length - at, offset + at)).bytesWritten;
      }
      await file.datasync();
    } catch (error) {
      throw toOutputError(path, error);
    }
    return { shard: name, offset, bytes: bytes.length, sha256: sha256Of(bytes) };
  }

  async #rotate(): Promise<void> {
    const next = await createShard(this.#directory, this.#worker, this.#isPrivate);
    await this.#shard.file.close();
    this.#shard = next;
    this.#length = 0;
  }
}

async function createShard(directory: string, worker: string, isPrivate: boolean): Promise<OpenShard> {
  const name = newShardName(worker);
  const path = join(directory, name);
  try {
    makeDirectory(directory);
    const file = await openOwnFile(path, 'create', { mode: isPrivate ? 0o600 : 0o666 });
    await syncDirectory(directory);
    return { name, path, file };
  } catch (error) {
    throw toOutputError(path, error, 'create');
  }
}

/** A name that no other shard has. */
export function newShardName(worker: string): string {
  return `${worker}-${randomBytes(4).toString('hex')}.jsonl.gz`;
}

/** In hexadecimal digits. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
