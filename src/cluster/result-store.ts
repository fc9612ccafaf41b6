import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { errorCode, outputError, UsageError } from '../model/errors.ts';
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
import { hostPartition } from './job-codec.ts';

/** Told where results lie in the file of a store, in bytes. */
export interface StoreWatcher {
  /** Results with ascending indexes, of which this is the first. */
  added(first: number, start: number, end: number): void;
  /** What stands before this place can be read from the file. */
  written(end: number): void;
}

/**
 * Finds the runs of a file that is read again, in which nothing tells where a chunk ends. With one partition a run is results
 * without a gap; with more it is results of one partition, of which one chunk is under way at a time.
 */
class AscendingRuns {
  readonly #watcher: StoreWatcher;
  readonly #partitions: number;
  #first = 0;
  #last = -1;
  #partition = 0;
  #start = 0;
  #end = 0;

  constructor(watcher: StoreWatcher, partitions: number) {
    this.#watcher = watcher;
    this.#partitions = partitions;
  }

  /** Takes the next line of the file, which is so long there: a result, or the place of those of a chunk. */
  take(entry: Result | ShardSegment, bytes: number): void {
    if ('index' in entry) this.#takeResult(entry, bytes);
    else this.#takeFrame(entry, bytes);
  }

  #takeFrame({ first }: ShardSegment, bytes: number): void {
    this.close();
    this.#first = first;
    this.#end += bytes;
    this.close();
  }

  #takeResult({ index, url }: Result, bytes: number): void {
    const partition = hostPartition(url, this.#partitions);
    const goesOn = this.#partitions === 1 ? index === this.#last + 1 : index > this.#last;
    if (!goesOn || partition !== this.#partition || this.#start === this.#end) {
      this.close();
      this.#first = index;
      this.#partition = partition;
    }
    this.#last = index;
    this.#end += bytes;
  }

  /** Tells of the last run. */
  close(): void {
    if (this.#end > this.#start) this.#watcher.added(this.#first, this.#start, this.#end);
    this.#start = this.#end;
  }
}

/**
 * The collector's file of results, or of the places of results, JSONL, and its memory of finished chunks. Both are on the disk
 * together or not at all: after a crash the file is cut to the length that belongs to the memory.
 */
export class ResultStore {
  readonly id: string;
  readonly done: Bitmap;
  readonly #path: string;
  readonly #run: string;
  readonly #layout: Layout;
  readonly #file: FileHandle;
  /** Length of the file with what waits to be written. */
  #bytes: number;
  /** Length of what stands behind the finished chunks. */
  #unfinished = 0;
  #waiting: string[] = [];
  #waitingLength = 0;
  #saving: Promise<void> = Promise.resolve();
  #watcher: StoreWatcher | undefined;

  private constructor(path: string, checkpoint: Checkpoint, file: FileHandle) {
    this.#path = path;
    this.#run = checkpoint.run;
    this.#layout = checkpoint.layout;
    this.id = checkpoint.id;
    this.#bytes = checkpoint.bytes;
    this.done = checkpoint.done;
    this.#file = file;
  }

  /** Opens or creates it. Throws a `UsageError` when the file holds anything else, an `OutputError` when it cannot be used. */
  static async open(path: string, run: string, { chunk, partitions }: Layout): Promise<ResultStore> {
    const found = await readCheckpoint(path);
    if (found !== undefined && found.run !== run) {
      throw new UsageError(
        `${cannotUse(path)}: it has the results of the run "${printable(found.run, 100)}"`,
      );
    }
    const layout = { chunk, partitions };
    if (found !== undefined && (found.layout.chunk !== chunk || found.layout.partitions !== partitions)) {
      throw new UsageError(
        `${cannotUse(path)}: it was begun with ${layoutText(found.layout)}, and the run on the broker has ${layoutText(layout)}`,
      );
    }
    const checkpoint = found ?? { run, layout, id: randomUUID(), bytes: 0, done: new Bitmap() };
    try {
      const size = await sizeOf(path);
      if (found === undefined && size !== undefined) {
        throw new UsageError(`${cannotUse(path)}: it exists, and is none of its own`);
      }
      if ((size ?? 0) < checkpoint.bytes) throw new UsageError(`${cannotUse(path)}: a part of it is missing`);
      // Before the file itself: after a crash between the two, the file would be taken for one of somebody else.
      if (found === undefined) await writeCheckpoint(path, checkpoint);
      const file = await open(path, size === undefined ? 'wx+' : 'r+');
      await file.truncate(checkpoint.bytes);
      return new ResultStore(path, checkpoint, file);
    } catch (error) {
      throw error instanceof UsageError ? error : outputError(path, error);
    }
  }

  /** Tells of what is in it, as that is read, and of what comes. To be called before anything else. */
  watch(watcher: StoreWatcher): void {
    this.#watcher = watcher;
  }

  /** What is in it, in the order in which it came: results, and frames of them. To be read before anything is added. */
  async *entries(): AsyncGenerator<Result | ShardSegment, void, void> {
    if (this.#bytes === 0) return;
    const runs = this.#watcher && new AscendingRuns(this.#watcher, this.#layout.partitions);
    this.#watcher?.written(this.#bytes);
    for await (const line of linesOf(
      createReadStream(this.#path, { end: this.#bytes - 1, encoding: 'utf8' }),
    )) {
      const entry = decodeLine(line);
      if ('broken' in entry) throw new UsageError(`${cannotUse(this.#path)}: it is damaged, ${entry.broken}`);
      runs?.take(entry, Buffer.byteLength(line) + 1);
      yield entry;
    }
    runs?.close();
  }

  /** Adds the lines of a chunk, of which `first` is the lowest index. They are on the disk after the next `save`. */
  add(chunk: number, text: string, first: number): void {
    const start = this.#bytes;
    this.done.set(chunk);
    this.#waiting.push(text);
    this.#waitingLength += text.length;
    this.#bytes += Buffer.byteLength(text);
    this.#watcher?.added(first, start, this.#bytes);
  }

  /** Adds results of a chunk that is not finished. They stand in the file until the next start, which cuts them off. */
  async addUnfinished(text: string, first: number): Promise<void> {
    await this.save();
    const start = this.#bytes + this.#unfinished;
    const bytes = Buffer.from(text);
    this.#unfinished += bytes.length;
    this.#watcher?.added(first, start, start + bytes.length);
    try {
      await this.#write(bytes, start + bytes.length);
    } catch (error) {
      throw outputError(this.#path, error);
    }
  }

  /** Whether so much waits that it should be written. */
  get isHeavy(): boolean {
    return this.#waitingLength > 4 * 1024 ** 2;
  }

  /** Puts all on the disk; what is added meanwhile waits for the next time. Throws an `OutputError`. */
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
    const text = this.#waiting.join('');
    const end = this.#bytes;
    // Packed now: what is added while this is written belongs to the next time.
    const done = new Bitmap(this.done.toBytes());
    this.#waiting = [];
    this.#waitingLength = 0;
    try {
      await this.#write(Buffer.from(text), end);
      await writeCheckpoint(this.#path, {
        run: this.#run,
        layout: this.#layout,
        id: this.id,
        bytes: end,
        done,
      });
    } catch (error) {
      throw outputError(this.#path, error);
    }
  }

  /** At a place of its own: a write that failed half-way is cut off by the next start. */
  async #write(bytes: Buffer, end: number): Promise<void> {
    const start = end - bytes.length;
    for (let at = 0; at < bytes.length; ) {
      at += (await this.#file.write(bytes, at, bytes.length - at, start + at)).bytesWritten;
    }
    this.#watcher?.written(end);
    await this.#file.datasync();
  }
}

/** Lines as JSONL has them: readline would end one at U+2028, too. */
async function* linesOf(stream: AsyncIterable<string>): AsyncGenerator<string, void, void> {
  let rest = '';
  for await (const text of stream) {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

/** The length of a file, or `undefined` when there is none. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
