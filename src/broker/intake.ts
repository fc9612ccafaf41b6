import { decodeFrame, encodeFrame, type Frame } from '../model/frame.ts';
import type { Result } from '../model/result.ts';
import { MAX_CHUNKS } from './bitmap.ts';
import type { FrameSource } from './frame-source.ts';
import { unpackResults } from './packed-results.ts';
import type { LogEntry } from './queue-engine.ts';
import type { ResultStore } from './result-store.ts';

export interface IntakeParts {
  readonly store: ResultStore;
  /** The most results that a chunk can have. */
  readonly maxCount: number;
  /** Where frames are read; if left out they are counted alone. */
  readonly frames?: FrameSource | undefined;
  readonly warn: (text: string) => void;
  /** Told of frames that are counted alone. */
  readonly onCounted: (frame: Frame, isResumed: boolean) => void;
}

/** What a record of the log holds: its results, and the lines that the store has of them. */
interface Found {
  readonly results: readonly Result[];
  readonly text: string;
  /** The lowest index of its results. */
  readonly first: number;
  /** Results that are counted alone. */
  readonly counted?: Frame;
}

/** Takes into the store what the log has: the first record of each chunk that is whole, and no other. */
export class Intake {
  readonly #parts: IntakeParts;
  #duplicates = 0;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Records of chunks that were finished already. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** What an earlier start has taken. Throws an `OutputError` when a frame of it cannot be read any more. */
  async *kept(): AsyncGenerator<Result, void, void> {
    const { store, frames, onCounted } = this.#parts;
    for await (const entry of store.entries()) {
      if ('index' in entry) yield Object.assign(entry, { isResumed: true });
      else if (frames === undefined) onCounted(entry, true);
      else for (const result of await frames.again(entry)) yield Object.assign(result, { isResumed: true });
    }
  }

  /** The results that a record of the log brings, which then are in the store. */
  async take(entry: LogEntry): Promise<readonly Result[]> {
    const { store, onCounted } = this.#parts;
    if (store.done.has(entry.chunk)) {
      this.#duplicates += 1;
      return [];
    }
    const found = await this.#read(entry);
    if (found === undefined) return [];
    store.add(entry.chunk, found.text, found.first);
    if (found.counted !== undefined) onCounted(found.counted, false);
    return found.results;
  }

  /** The results of a chunk that is not finished: the store has them until the next start. */
  async takeUnfinished(entry: LogEntry): Promise<readonly Result[]> {
    const { store, onCounted } = this.#parts;
    const found = entry.count === 0 ? undefined : await this.#read(entry);
    if (found === undefined) return [];
    await store.addUnfinished(found.text, found.first);
    if (found.counted !== undefined) onCounted(found.counted, false);
    return found.results;
  }

  async #read(entry: LogEntry): Promise<Found | undefined> {
    const most = Math.min(entry.count, this.#parts.maxCount);
    const found = entry.kind === 'commit' ? this.#frameOf(entry) : unpackResults(entry.body, most);
    if (found !== undefined && 'shard' in found) return this.#readFrame(found);
    if (found?.results.length === entry.count && entry.chunk < MAX_CHUNKS) {
      return { ...found, first: found.results[0]?.index ?? 0 };
    }
    this.#parts.warn(
      `the results of chunk ${entry.chunk} are damaged and were dropped; "fanout feed --reconcile" sends it again`,
    );
    return undefined;
  }

  async #readFrame(frame: Frame): Promise<Found | undefined> {
    const { frames } = this.#parts;
    const line = { text: `${encodeFrame(frame)}\n`, first: frame.first };
    if (frames === undefined) return { ...line, results: [], counted: frame };
    const results = await frames.first(frame);
    return results && { ...line, results };
  }

  #frameOf({ chunk, count, body }: LogEntry): Frame | undefined {
    const frame = decodeFrame(Buffer.from(body).toString());
    if (frame === undefined || 'broken' in frame) return undefined;
    const isSame = frame.chunk === chunk && frame.count === count;
    return isSame && chunk < MAX_CHUNKS && count <= this.#parts.maxCount ? frame : undefined;
  }
}
