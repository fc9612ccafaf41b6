import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MinHeap } from '../core/heap.ts';
import { OutputError, toOutputError } from '../model/errors.ts';
import type { Result } from '../model/result.ts';
import { decodeLine, decodeSegment, describeSegment, eachLine } from '../model/result-line.ts';
import type { Sink } from '../results/sink.ts';
import { unpackText } from './chunk.ts';
import type { KeptCommit } from './collector.ts';
import { MAX_TEXT_BYTES } from './result-log.ts';
import type { ShardReader } from './shards.ts';

interface OrderedSinkOptions {
  readonly spool: ResultSpool;
  /** Adds what is known of a result from earlier runs: the spool does not have it. */
  readonly recall: (result: Result) => Result;
  /** Drops the results that are not written yet. */
  readonly signal: AbortSignal;
}

/**
 * `--ordered` for one sink: it gets the results in input order from the spool, at its own pace, while other sinks get them as
 * they arrive. Neither waits for the other.
 */
export function createOrderedSink(sink: Sink, { spool, recall, signal }: OrderedSinkOptions): Sink {
  let failure: { readonly error: unknown } | undefined;
  const writing = writeAll().catch((error: unknown) => {
    failure = { error };
  });
  return {
    write() {
      if (failure !== undefined) throw failure.error;
    },
    async end(summary) {
      spool.end();
      await writing;
      try {
        if (failure !== undefined) throw failure.error;
      } finally {
        await sink.end(summary);
      }
    },
  };

  async function writeAll(): Promise<void> {
    for await (const result of spool.results(signal)) {
      const accepted = sink.write(recall(result));
      if (accepted !== undefined) await accepted;
    }
  }
}

/**
 * Brings the results of commits into input order. The commits wait in a temporary file, and of each only the position is in memory,
 * however late an earlier one is. A commit is opened when the next result of the input is its first one, so about one commit of each
 * partition is open at a time.
 */
export class ResultSpool {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #shards: ShardReader | undefined;
  /** The length of the part of the file that is in use. */
  #length = 0;
  /** Commits that are not open yet, by the index of their first result. */
  readonly #waiting = new MinHeap<{ readonly start: number; readonly length: number }>();
  #waitingCount = 0;
  /** Open commits, by the index of their next result. */
  readonly #open = new MinHeap<{ readonly rest: Iterator<Result>; readonly result: Result }>();
  /** The index of the next result in input order. */
  #next = 0;
  #isEnded = false;
  /** Counts what has happened, so that nothing during a read is missed. */
  #changes = 0;
  #wake: () => void = () => {};

  private constructor(path: string, file: FileHandle, shards: ShardReader | undefined) {
    this.#path = path;
    this.#file = file;
    this.#shards = shards;
  }

  /** Creates the file. Without `shards`, the results of segments are left out. Throws an `OutputError`. */
  static async create(shards?: ShardReader): Promise<ResultSpool> {
    const path = join(tmpdir(), `fanout-${randomUUID()}.spool`);
    try {
      const file = await open(path, 'wx+', 0o600);
      // It has no name from now on, so that nothing is left of it, however this process ends.
      await unlink(path);
      return new ResultSpool(path, file, shards);
    } catch (error) {
      throw toOutputError(path, error, 'create');
    }
  }

  /** Adds a commit. Throws an `OutputError`. */
  async add({ body, first }: Pick<KeptCommit, 'body' | 'first'>): Promise<void> {
    if (this.#waitingCount === 0) this.#length = 0;
    const start = this.#length;
    this.#length += body.length;
    this.#waitingCount += 1;
    try {
      for (let at = 0; at < body.length; ) {
        at += (await this.#file.write(body, at, body.length - at, start + at)).bytesWritten;
      }
    } catch (error) {
      throw toOutputError(this.#path, error);
    }
    this.#waiting.push(first, { start, length: body.length });
    this.#notify();
  }

  /** Ends `results` after the last commit, without waiting for missing indexes. */
  end(): void {
    this.#isEnded = true;
    this.#notify();
  }

  /** The results in input order. To be iterated once; ends after `end`, or at the signal, and closes the file. */
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
      await this.#file.close();
    }
  }

  /** The next result, or `undefined` when it has not arrived. */
  async #takeNext(): Promise<Result | undefined> {
    const last = () => (this.#isEnded ? Number.POSITIVE_INFINITY : this.#next);
    while (this.#waiting.minKey < this.#open.minKey) {
      const commit = this.#waiting.popUpTo(last());
      if (commit === undefined) return undefined;
      const body = Buffer.alloc(commit.length);
      await this.#file.read(body, 0, body.length, commit.start);
      this.#waitingCount -= 1;
      this.#advance(await this.#resultsIn(body));
    }
    const next = this.#open.popUpTo(last());
    if (next === undefined) return undefined;
    this.#next = Math.max(this.#next, next.result.index + 1);
    this.#advance(next.rest);
    return next.result;
  }

  #advance(rest: Iterator<Result>): void {
    const { value: result, done } = rest.next();
    if (!done) this.#open.push(result.index, { rest, result });
  }

  async #resultsIn(body: Buffer): Promise<Iterator<Result>> {
    const segment = decodeSegment(body.toString());
    if (segment === undefined || 'broken' in segment)
      return decodeLines(unpackText(body, MAX_TEXT_BYTES) ?? '');
    const results = (await this.#shards?.read(segment)) ?? [];
    if ('fault' in results)
      throw new OutputError(`cannot read ${describeSegment(segment)} again for --ordered: ${results.fault}`);
    return results[Symbol.iterator]();
  }

  #notify(): void {
    this.#changes += 1;
    this.#wake();
  }

  /** Resolves when something has changed since `seen`. */
  #change(seen: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (signal.aborted || this.#changes !== seen) resolve();
    });
  }
}

/** The results are decoded one by one: those of all partitions at once would need much memory. */
function* decodeLines(text: string): Generator<Result, void, void> {
  for (const line of eachLine(text.trimEnd())) {
    const entry = decodeLine(line);
    if ('index' in entry) yield entry;
  }
}
