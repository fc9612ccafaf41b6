import type { FileHandle } from 'node:fs/promises';
import { MinHeap } from '../core/heap.ts';
import { openOwnFile } from '../core/own-file.ts';
import { UsageError } from '../model/errors.ts';
import type { Result } from '../model/result.ts';
import { decodeLine, describeSegment, type ShardSegment } from '../model/result-line.ts';
import type { Sink } from '../results/sink.ts';
import type { ShardReader } from './shards.ts';

/** The most bytes of the file in memory for all open ranges together, and for each range. */
const MAX_WINDOWS_BYTES = 64 * 1024 ** 2;
const MAX_WINDOW_BYTES = 256 * 1024;
const MIN_WINDOW_BYTES = 4 * 1024;

const NEWLINE = 0x0a;

interface OrderedSinkOptions {
  readonly reader: OrderedReader;
  /** Adds what is known of a result from earlier runs: the file does not have it. */
  readonly recall: (result: Result) => Result;
  /** Drops the results that are not written yet. */
  readonly signal: AbortSignal;
}

/**
 * `--ordered` for one sink: it gets the results in input order from the store, at its own pace, while other sinks get them as
 * they arrive. Neither waits for the other: the results in between are on disk.
 */
export function createOrderedSink(sink: Sink, { reader, recall, signal }: OrderedSinkOptions): Sink {
  let failure: { readonly error: unknown } | undefined;
  const writing = writeAll().catch((error: unknown) => {
    failure = { error };
  });
  return {
    write() {
      if (failure !== undefined) throw failure.error;
    },
    async end(summary) {
      reader.end();
      await writing;
      try {
        if (failure !== undefined) throw failure.error;
      } finally {
        await sink.end(summary);
      }
    },
  };

  async function writeAll(): Promise<void> {
    for await (const result of reader.results(signal)) {
      const accepted = sink.write(recall(result));
      if (accepted !== undefined) await accepted;
    }
  }
}

/**
 * Reads the results of a store in input order, in whatever order they arrived.
 *
 * The store reports ranges of its file whose results have ascending indexes, such as those of one chunk. A range is opened
 * when the next result of the input is its first one, so about one range per partition is open at a time. Of the others only
 * the position is in memory, however late a chunk is.
 */
export class OrderedReader {
  readonly #path: string;
  readonly #shards: ShardReader | undefined;
  /** Ranges that are not open yet, by the index of their first result. */
  readonly #waiting = new MinHeap<ByteRange>();
  /** Open ranges, by the index of their next result. */
  readonly #open = new MinHeap<{ readonly range: SortedRange; readonly result: Result }>();
  #file: FileHandle | undefined;
  /** The index of the next result in input order. */
  #next = 0;
  #readableBytes = 0;
  #isEnded = false;
  /** Counts the calls of `end`, so that one during a read is not missed. */
  #changes = 0;
  #wake: () => void = () => {};

  /** Without `shards`, the results of segments are left out. */
  constructor(path: string, shards?: ShardReader) {
    this.#path = path;
    this.#shards = shards;
  }

  /** Adds a range of the file whose results have ascending indexes, from `first`. */
  addRange(first: number, start: number, end: number): void {
    this.#waiting.push(first, { start, end });
  }

  /** The file can now be read up to this position. */
  setReadable(end: number): void {
    this.#readableBytes = Math.max(this.#readableBytes, end);
    this.#wake();
  }

  /** Ends `results` after the last range, without waiting for missing indexes. All ranges must be readable. */
  end(): void {
    this.#isEnded = true;
    this.#changes += 1;
    this.#wake();
  }

  /** The results in input order. To be iterated once; ends after `end`, or at the signal. */
  async *results(signal: AbortSignal): AsyncGenerator<Result, void, void> {
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!signal.aborted) {
        const seen = this.#changes;
        const result = await this.#takeNext();
        if (result !== undefined) yield result;
        else if (this.#isEnded) return;
        else await this.#change(seen, signal);
      }
    } finally {
      signal.removeEventListener('abort', wake);
      await this.#file?.close();
    }
  }

  /** The next result, or `undefined` when it has not arrived. */
  async #takeNext(): Promise<Result | undefined> {
    while (this.#waiting.minKey < this.#open.minKey) {
      const first = this.#waiting.minKey;
      const range = this.#waiting.popUpTo(this.#isEnded ? Number.POSITIVE_INFINITY : this.#next);
      if (range === undefined) return undefined;
      if (range.end > this.#readableBytes) {
        this.#waiting.push(first, range);
        return undefined;
      }
      this.#file ??= await openOwnFile(this.#path, 'read');
      await this.#advance(new SortedRange(this.#file, range, this.#shards));
    }
    const next = this.#open.popUpTo(this.#isEnded ? Number.POSITIVE_INFINITY : this.#next);
    if (next === undefined) return undefined;
    this.#next = Math.max(this.#next, next.result.index + 1);
    const advancing = this.#advance(next.range);
    if (advancing !== undefined) await advancing;
    return next.result;
  }

  /** Reads the next result of a range, and closes it after the last one. Returns a promise only if the file has to be read. */
  #advance(range: SortedRange): void | Promise<void> {
    const share = MAX_WINDOWS_BYTES / (this.#open.size + 1);
    const next = range.next(Math.floor(Math.max(MIN_WINDOW_BYTES, Math.min(MAX_WINDOW_BYTES, share))));
    const keep = (result: Result | undefined) => {
      if (result !== undefined) this.#open.push(result.index, { range, result });
    };
    if (next instanceof Promise) return next.then(keep);
    keep(next);
  }

  /** Resolves when something has changed since `seen`. */
  #change(seen: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (signal.aborted || this.#changes !== seen) resolve();
    });
  }
}

interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A range of a store's file, read one window at a time. */
class SortedRange {
  readonly #file: FileHandle;
  readonly #shards: ShardReader | undefined;
  /** What is not read yet. */
  #rest: ByteRange;
  #lines: readonly string[] = [];
  #at = 0;
  /** The results of the current segment in reverse order. */
  #segmentResults: Result[] = [];

  constructor(file: FileHandle, range: ByteRange, shards?: ShardReader) {
    this.#file = file;
    this.#rest = range;
    this.#shards = shards;
  }

  /** The next result, or `undefined` after the last one. About `windowBytes` of the file stay in memory. */
  next(windowBytes: number): Result | undefined | Promise<Result | undefined> {
    const result = this.#segmentResults.pop();
    if (result !== undefined) return result;
    const line = this.#lines[this.#at];
    if (line === undefined) return this.#readWindow(windowBytes);
    this.#at += 1;
    const entry = decodeLine(line);
    if ('broken' in entry) throw damaged(entry.broken);
    return 'index' in entry ? entry : this.#readSegment(entry, windowBytes);
  }

  /** Without a shard reader, segments were only counted and are left out. */
  async #readSegment(segment: ShardSegment, windowBytes: number): Promise<Result | undefined> {
    const results = await this.#shards?.read(segment);
    if (results !== undefined && 'fault' in results) {
      throw damaged(`${describeSegment(segment)}: ${results.fault}`);
    }
    this.#segmentResults = results?.toReversed() ?? [];
    return this.next(windowBytes);
  }

  async #readWindow(windowBytes: number): Promise<Result | undefined> {
    const { start, end } = this.#rest;
    this.#lines = [];
    this.#at = 0;
    if (start >= end) return undefined;
    for (let length = windowBytes; ; length *= 2) {
      const bytes = await this.#readBytes(start, Math.min(length, end - start));
      const last = bytes.lastIndexOf(NEWLINE);
      if (last === -1 && length < end - start) continue; // a record that is larger than the window
      if (last === -1) throw damaged('a record has no end');
      this.#rest = { start: start + last + 1, end };
      this.#lines = bytes.toString('utf8', 0, last).split('\n');
      return this.next(windowBytes);
    }
  }

  async #readBytes(start: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await this.#file.read(bytes, filled, length - filled, start + filled);
      if (bytesRead === 0) throw damaged('it is shorter than it was');
      filled += bytesRead;
    }
    return bytes;
  }
}

function damaged(reason: string): UsageError {
  return new UsageError(`cannot read the results of this run again for --ordered: ${reason}`);
}
