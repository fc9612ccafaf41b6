import { type FileHandle, open } from 'node:fs/promises';
import { UsageError } from '../model/errors.ts';
import type { Result } from '../model/result.ts';
import { decodeLine, describeSegment, type ShardSegment } from '../model/result-line.ts';
import type { Sink } from '../results/sink.ts';
import type { StoreWatcher } from './result-store.ts';
import type { ShardReader } from './shards.ts';

const NUMBERS = 3;

/** Three numbers in a row: what they are ordered by, and two that belong to it. */
export type Triple = readonly [key: number, first: number, second: number];

/** Triples, the one with the lowest key first. 24 bytes each, since there may be millions: the runs of a store behind a late chunk. */
export class NumberHeap {
  #numbers = new Float64Array(64 * NUMBERS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The lowest key, or infinity. */
  get lowest(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#number(0);
  }

  /** The triple with the lowest key, which stays. */
  peek(): Triple | undefined {
    return this.#size === 0 ? undefined : [this.#number(0), this.#number(1), this.#number(2)];
  }

  push(triple: Triple): void {
    if ((this.#size + 1) * NUMBERS > this.#numbers.length) this.#grow();
    let place = this.#size++;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#number(parent * NUMBERS) <= triple[0]) break;
      this.#move(parent, place);
      place = parent;
    }
    this.#numbers.set(triple, place * NUMBERS);
  }

  /** Takes out the triple with the lowest key. */
  pop(): Triple | undefined {
    const lowest = this.peek();
    if (lowest === undefined) return undefined;
    this.#size -= 1;
    const last = this.#size;
    let place = 0;
    for (let child = 1; child < last; child = 2 * place + 1) {
      if (child + 1 < last && this.#key(child + 1) < this.#key(child)) child += 1;
      if (this.#key(last) <= this.#key(child)) break;
      this.#move(child, place);
      place = child;
    }
    this.#move(last, place);
    return lowest;
  }

  #key(place: number): number {
    return this.#number(place * NUMBERS);
  }

  #number(at: number): number {
    return this.#numbers[at] ?? 0;
  }

  #move(from: number, to: number): void {
    this.#numbers.copyWithin(to * NUMBERS, from * NUMBERS, (from + 1) * NUMBERS);
  }

  #grow(): void {
    const larger = new Float64Array(2 * this.#numbers.length);
    larger.set(this.#numbers);
    this.#numbers = larger;
  }
}

const NEWLINE = 0x0a;

/** Where a run lies in the file, in bytes. */
interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Results that stand in a file one behind the other, read again a window at a time. */
class StoredRun {
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
  async #open(frame: ShardSegment, windowBytes: number): Promise<Result | undefined> {
    const results = await this.#shards?.read(frame);
    if (results !== undefined && 'fault' in results) {
      throw damaged(`${describeSegment(frame)}: ${results.fault}`);
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

function entryOf(line: string): Result | ShardSegment {
  const entry = decodeLine(line);
  if ('broken' in entry) throw damaged(entry.broken);
  return entry;
}

function damaged(reason: string): UsageError {
  return new UsageError(`Cannot read the results of this run again for --ordered: ${reason}`);
}

/** What all runs that are being read hold of the file together, and each of them at most and at least. */
const WINDOWS_BYTES = 64 * 1024 ** 2;
const WINDOW_BYTES = 256 * 1024;
const LEAST_BYTES = 4 * 1024;

/**
 * Reads the results of a store in the order of the input, whatever the order in which they came.
 *
 * The store tells of runs: results that stand one behind the other and whose indexes ascend, such as those of a chunk. A run is
 * read when the result that is due is its first one; at most one for each partition is being read at a time, or a few
 * more. Of a run that waits only its place is held, so that memory does not depend on how late a chunk is.
 */
export class InputOrder implements StoreWatcher {
  readonly #path: string;
  readonly #shards: ShardReader | undefined;
  /** Runs that were not begun: index of their first result, start, end. */
  readonly #waiting = new NumberHeap();
  /** Runs that are being read: index of their next result, start. */
  readonly #heads = new NumberHeap();
  readonly #runs = new Map<number, { readonly run: StoredRun; head: Result }>();
  #file: FileHandle | undefined;
  #due = 0;
  #readable = 0;
  #isEnded = false;
  /** How often there was something to wake for: what comes while a run is read must not be slept through. */
  #changes = 0;
  #wake: () => void = () => {};

  /** `shards`: where the results of frames are read. */
  constructor(path: string, shards?: ShardReader) {
    this.#path = path;
    this.#shards = shards;
  }

  added(first: number, start: number, end: number): void {
    this.#waiting.push([first, start, end]);
  }

  written(end: number): void {
    this.#readable = Math.max(this.#readable, end);
    this.#wake();
  }

  /** Nothing more will come: what is there is handed out over the gaps. All of it must have been written. */
  end(): void {
    this.#isEnded = true;
    this.#changes += 1;
    this.#wake();
  }

  /** To be iterated once; ends after `end`, or at the signal. */
  async *results(signal: AbortSignal): AsyncGenerator<Result, void, void> {
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!signal.aborted) {
        const seen = this.#changes;
        const result = await this.#take();
        if (result !== undefined) yield result;
        else if (this.#isEnded) return;
        else await this.#change(seen, signal);
      }
    } finally {
      signal.removeEventListener('abort', wake);
      await this.#file?.close();
    }
  }

  /** The result that is due, if it is there. */
  async #take(): Promise<Result | undefined> {
    while (this.#waiting.lowest < this.#heads.lowest) {
      const [first, start, end] = this.#waiting.peek() ?? [0, 0, 0];
      if ((first > this.#due && !this.#isEnded) || end > this.#readable) return undefined;
      this.#waiting.pop();
      this.#file ??= await open(this.#path, 'r');
      await this.#readOn(new StoredRun(this.#file, { start, end }, this.#shards), start);
    }
    if (this.#heads.lowest > this.#due && !this.#isEnded) return undefined;
    const [index, start] = this.#heads.pop() ?? [];
    const found = start === undefined ? undefined : this.#runs.get(start);
    if (index === undefined || start === undefined || found === undefined) return undefined;
    const { run, head } = found;
    this.#due = Math.max(this.#due, index + 1);
    const reading = this.#readOn(run, start);
    if (reading !== undefined) await reading;
    return head;
  }

  /** Makes the next result of a run its head, or lets go of the run. */
  #readOn(run: StoredRun, start: number): void | Promise<void> {
    const even = WINDOWS_BYTES / (this.#runs.size + 1);
    const next = run.next(Math.floor(Math.max(LEAST_BYTES, Math.min(WINDOW_BYTES, even))));
    if (next instanceof Promise) return next.then((head) => this.#setHead(run, start, head));
    this.#setHead(run, start, next);
  }

  #setHead(run: StoredRun, start: number, head: Result | undefined): void {
    if (head === undefined) {
      this.#runs.delete(start);
      return;
    }
    this.#runs.set(start, { run, head });
    this.#heads.push([head.index, start, 0]);
  }

  /** Resolves when there is more than was seen. */
  #change(seen: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (signal.aborted || this.#changes !== seen) resolve();
    });
  }
}

interface OrderedParts {
  readonly order: InputOrder;
  /** What earlier runs say of a result: it was judged when it came, and is now read again. */
  readonly recall: (result: Result) => Result;
  /** Lets go of results that nobody takes. */
  readonly signal: AbortSignal;
}

/**
 * `--ordered` for one sink: it gets the results in input order from the store, at its own pace, while the sinks beside it get them as
 * they come. Neither waits for the other: what is not written yet is on the disk.
 */
export function orderedFromStore(sink: Sink, { order, recall, signal }: OrderedParts): Sink {
  let failed: { readonly error: unknown } | undefined;
  const writing = writeAll().catch((error: unknown) => {
    failed = { error };
  });
  return {
    write() {
      if (failed !== undefined) throw failed.error;
    },
    async end(summary) {
      order.end();
      await writing;
      try {
        if (failed !== undefined) throw failed.error;
      } finally {
        await sink.end(summary);
      }
    },
  };

  async function writeAll(): Promise<void> {
    for await (const result of order.results(signal)) {
      const accepted = sink.write(recall(result));
      if (accepted !== undefined) await accepted;
    }
  }
}
