import { randomUUID } from 'node:crypto';
import { type FileHandle, lstat } from 'node:fs/promises';
import { openOwnFile } from '../core/own-file.ts';
import { errorCode, toOutputError, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import { decodeLine, type ShardSegment } from '../model/result-line.ts';
import {
  Bitmap,
  type Checkpoint,
  cannotUse,
  type Layout,
  layoutText,
  readCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts';
import { hostPartition } from './chunk.ts';
import type { OrderedReader } from './ordered-reader.ts';

/** Characters that wait to be written from which on the store is heavy. */
const HEAVY_LENGTH = 4 * 1024 ** 2;

/**
 * The collector's file of results (JSONL; of results in shards, their segments), and the bitmap of finished chunks in its
 * checkpoint. After a crash the file is cut to the length in the checkpoint, so that the two always match.
 */
export class ResultStore {
  readonly id: string;
  readonly done: Bitmap;
  readonly #path: string;
  readonly #run: string;
  readonly #layout: Layout;
  readonly #file: FileHandle;
  /** The length of the file with what waits to be written. */
  #bytes: number;
  /** The length of the partial results behind the finished chunks. */
  #partialBytes = 0;
  #waiting: string[] = [];
  #waitingLength = 0;
  #saving: Promise<void> = Promise.resolve();
  #reader: OrderedReader | undefined;

  private constructor(path: string, checkpoint: Checkpoint, file: FileHandle) {
    this.#path = path;
    this.#run = checkpoint.run;
    this.#layout = checkpoint.layout;
    this.id = checkpoint.id;
    this.#bytes = checkpoint.bytes;
    this.done = checkpoint.done;
    this.#file = file;
  }

  /**
   * Opens or creates the files of the run with this id. Throws a `UsageError` when they belong to anything else or are damaged, and an `OutputError` when
   * they cannot be written.
   */
  static async open(path: string, run: string, { chunk, partitions }: Layout): Promise<ResultStore> {
    const found = await readCheckpoint(path);
    if (found !== undefined && found.run !== run) {
      throw new UsageError(
        `${cannotUse(path)}: it has the results of the run "${printable(found.run, 100)}", and this run is ${run}; use another --store`,
      );
    }
    const layout = { chunk, partitions };
    if (found !== undefined && (found.layout.chunk !== chunk || found.layout.partitions !== partitions)) {
      throw new UsageError(
        `${cannotUse(path)}: it was started with ${layoutText(found.layout)}, but the run on the broker has ${layoutText(layout)}`,
      );
    }
    const checkpoint = found ?? { run, layout, id: randomUUID(), bytes: 0, done: new Bitmap() };
    try {
      const size = await fileSize(path);
      if (found === undefined && size !== undefined) {
        throw new UsageError(`${cannotUse(path)}: the file exists already, and has no checkpoint`);
      }
      if ((size ?? 0) < checkpoint.bytes) throw new UsageError(`${cannotUse(path)}: a part of it is missing`);
      // Workers may record headers and bodies, so only the owner may read the file.
      // Before the file: after a crash between the two, a file without a checkpoint would be refused.
      if (found === undefined) await writeCheckpoint(path, checkpoint);
      const file = await openOwnFile(path, size === undefined ? 'create' : 'change', { mode: 0o600 });
      await file.truncate(checkpoint.bytes);
      return new ResultStore(path, checkpoint, file);
    } catch (error) {
      throw error instanceof UsageError ? error : toOutputError(path, error);
    }
  }

  /** Reports to this reader where results are in the file. To be called before any other method. */
  watch(reader: OrderedReader): void {
    this.#reader = reader;
  }

  /** The content in order of arrival: results, and segments of shards. To be read before anything is added. */
  async *entries(): AsyncGenerator<Result | ShardSegment, void, void> {
    if (this.#bytes === 0) return;
    const ranges = this.#reader && new RangeFinder(this.#reader, this.#layout.partitions);
    this.#reader?.setReadable(this.#bytes);
    const end = this.#bytes - 1;
    const stream = this.#file.createReadStream({ start: 0, end, encoding: 'utf8', autoClose: false });
    for await (const line of splitLines(stream)) {
      const entry = decodeLine(line);
      if ('broken' in entry) throw new UsageError(`${cannotUse(this.#path)}: it is damaged, ${entry.broken}`);
      ranges?.add(entry, Buffer.byteLength(line) + 1);
      yield entry;
    }
    ranges?.endRange();
  }

  /** Adds the lines of a finished chunk, of which `first` is the lowest index. They are on disk after the next `save`. */
  add(chunk: number, text: string, first: number): void {
    const start = this.#bytes;
    this.done.set(chunk);
    this.#waiting.push(text);
    this.#waitingLength += text.length;
    this.#bytes += Buffer.byteLength(text);
    this.#reader?.addRange(first, start, this.#bytes);
  }

  /** Writes lines of an unfinished chunk, of which `first` is the lowest index. The next start cuts them off. */
  async addPartial(text: string, first: number): Promise<void> {
    await this.save();
    const start = this.#bytes + this.#partialBytes;
    const bytes = Buffer.from(text);
    this.#partialBytes += bytes.length;
    this.#reader?.addRange(first, start, start + bytes.length);
    try {
      await this.#write(bytes, start);
    } catch (error) {
      throw toOutputError(this.#path, error);
    }
  }

  /** Whether so much waits to be written that `save` should be called now. */
  get isHeavy(): boolean {
    return this.#waitingLength > HEAVY_LENGTH;
  }

  /** Writes everything to disk; what is added meanwhile waits for the next call. Throws an `OutputError`. */
  save(): Promise<void> {
    const saving = this.#saving.then(() => this.#save());
    this.#saving = saving.catch(() => {});
    return saving;
  }

  async close(): Promise<void> {
    await this.#saving;
    await this.#file.close();
  }

  async #save(): Promise<void> {
    const bytes = Buffer.from(this.#waiting.join(''));
    const end = this.#bytes;
    // A copy: what is added during the write belongs to the next save.
    const done = new Bitmap(this.done.toBytes());
    this.#waiting = [];
    this.#waitingLength = 0;
    try {
      await this.#write(bytes, end - bytes.length);
      const { id } = this;
      await writeCheckpoint(this.#path, { run: this.#run, layout: this.#layout, id, bytes: end, done });
    } catch (error) {
      throw toOutputError(this.#path, error);
    }
  }

  async #write(bytes: Buffer, start: number): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      at += (await this.#file.write(bytes, at, bytes.length - at, start + at)).bytesWritten;
    }
    this.#reader?.setReadable(start + bytes.length);
    await this.#file.datasync();
  }
}

/**
 * Finds the ranges with ascending indexes in a file from an earlier start, in which chunks are not marked. With one partition
 * a range has results without gaps; with more, results of one partition, since only one chunk of it is in flight at a time.
 */
class RangeFinder {
  readonly #reader: OrderedReader;
  readonly #partitions: number;
  #first = 0;
  #last = -1;
  #partition = 0;
  #start = 0;
  #end = 0;

  constructor(reader: OrderedReader, partitions: number) {
    this.#reader = reader;
    this.#partitions = partitions;
  }

  /** Adds the next line of the file, with its length. */
  add(entry: Result | ShardSegment, bytes: number): void {
    if ('index' in entry) this.#addResult(entry, bytes);
    else this.#addSegment(entry, bytes);
  }

  #addSegment({ first }: ShardSegment, bytes: number): void {
    this.endRange();
    this.#first = first;
    this.#end += bytes;
    this.endRange();
  }

  #addResult({ index, url }: Result, bytes: number): void {
    const partition = hostPartition(url, this.#partitions);
    const isNext = this.#partitions === 1 ? index === this.#last + 1 : index > this.#last;
    if (!isNext || partition !== this.#partition || this.#start === this.#end) {
      this.endRange();
      this.#first = index;
      this.#partition = partition;
    }
    this.#last = index;
    this.#end += bytes;
  }

  /** Reports the current range, if it has lines. */
  endRange(): void {
    if (this.#end > this.#start) this.#reader.addRange(this.#first, this.#start, this.#end);
    this.#start = this.#end;
  }
}

/** Splits at newlines only: `readline` would also split at U+2028, which JSON strings may contain. */
async function* splitLines(stream: AsyncIterable<string>): AsyncGenerator<string, void, void> {
  let rest = '';
  for await (const text of stream) {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

async function fileSize(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
