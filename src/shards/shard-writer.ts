import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../make-directory.ts';
import type { Frame } from '../model/frame.ts';
import { outputError } from '../model/output-error.ts';

/** A new file is begun when one is so long. */
const SHARD_BYTES = 1024 ** 3;

/** Where the bytes of a frame are. */
export type FramePlace = Pick<Frame, 'shard' | 'offset' | 'bytes' | 'sha256'>;

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
