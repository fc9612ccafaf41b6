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
    const { store, maxCount, warn } = this.#parts;
    if (store.done.has(entry.chunk)) {
      this.#duplicates += 1;
      return [];
    }
    const most = Math.min(entry.count, maxCount);
    const found = entry.kind === 'commit' ? this.#frameOf(entry) : unpackResults(entry.body, most);
    if (found !== undefined && 'shard' in found) return this.#takeFrame(found);
    if (found === undefined || found.results.length !== entry.count || entry.chunk >= MAX_CHUNKS) {
      warn(
        `the results of chunk ${entry.chunk} are damaged and were dropped; "fanout feed --reconcile" sends it again`,
      );
      return [];
    }
    store.add(entry.chunk, found.text, found.results[0]?.index ?? 0);
    return found.results;
  }

  async #takeFrame(frame: Frame): Promise<readonly Result[]> {
    const { store, frames, onCounted } = this.#parts;
    const results = frames === undefined ? [] : await frames.first(frame);
    if (results === undefined) return [];
    store.add(frame.chunk, `${encodeFrame(frame)}\n`, frame.first);
    if (frames === undefined) onCounted(frame, false);
    return results;
  }

  #frameOf({ chunk, count, body }: LogEntry): Frame | undefined {
    const frame = decodeFrame(Buffer.from(body).toString());
    if (frame === undefined || 'broken' in frame) return undefined;
    const isSame = frame.chunk === chunk && frame.count === count;
    return isSame && chunk < MAX_CHUNKS && count <= this.#parts.maxCount ? frame : undefined;
  }
}
