import { type FileHandle, open } from 'node:fs/promises';
import type { Result } from '../model/result.ts';
import type { ShardReader } from '../shards/shard-reader.ts';
import { NumberHeap } from './number-heap.ts';
import type { StoreWatcher } from './store-watcher.ts';
import { StoredRun } from './stored-run.ts';

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
