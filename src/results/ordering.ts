import type { Result } from '../model/result.ts';
import type { Sink } from './sink.ts';

/** Indexes that no item has: from `from` up to, not including, `to`. */
interface Gap {
  readonly from: number;
  readonly to: number;
}

/**
 * Puts items that finish in any order back into the order of their index (0, 1, 2 …), and holds at most `size` of them. Indexes
 * that are not admitted before a later one have no item.
 *
 * The producer is held back, not the consumer: `admit(index)` waits until `index` is less than `size` ahead of the next item
 * to come out, so there is room for every item that is in flight. This cannot deadlock: the missing item was admitted before
 * all that wait, only the producer ever waits for the window, and `put()` always has room. So the missing item is put, comes
 * out, and admits the next one.
 */
export class OrderWindow<T extends { readonly index: number }> {
  readonly #size: number;
  /** A ring: the slot of an item is `index % size`. */
  readonly #slots: (T | undefined)[];
  #held = 0;
  #next = 0;
  /** The index after the last one that was admitted. */
  #end = 0;
  /** In order. Each lies before an index that was admitted. */
  readonly #gaps: Gap[] = [];
  #isClosed = false;
  #waiting: { index: number; release: () => void }[] = [];

  constructor(size: number) {
    this.#size = size;
    this.#slots = new Array(size).fill(undefined);
  }

  /** Number of items that wait for an earlier one. */
  get held(): number {
    return this.#held;
  }

  /** Returns a promise if the item with this index must not be started yet. Must be called in the order of the indexes. */
  admit(index: number): Promise<void> | undefined {
    if (this.#isClosed) return undefined;
    if (index > this.#end) this.#gaps.push({ from: this.#end, to: index });
    this.#end = index + 1;
    this.#passGaps();
    if (index < this.#next + this.#size) return undefined;
    return new Promise((release) => this.#waiting.push({ index, release }));
  }

  /** Adds an item that was admitted. */
  put(item: T): void {
    this.#slots[this.#emptySlot(item.index)] = item;
    this.#held += 1;
  }

  /** Removes and returns the next item in order; `undefined` if it was not put yet. */
  take(): T | undefined {
    const item = this.#slots[this.#next % this.#size];
    if (!item) return undefined;
    this.#held -= 1;
    this.#advance();
    return item;
  }

  /** Releases every waiting producer, which must stop then: only items admitted before may still be put. */
  close(): void {
    this.#isClosed = true;
    this.#release();
  }

  /** Removes and returns all items still held, in order, across the gaps that a stopped run leaves. */
  rest(): T[] {
    const rest: T[] = [];
    for (let left = this.#size; left > 0; left -= 1) {
      const item = this.#slots[this.#next % this.#size];
      if (item) rest.push(item);
      this.#advance();
    }
    this.#held = 0;
    return rest;
  }

  #emptySlot(index: number): number {
    const slot = index % this.#size;
    if (index < this.#next || index >= this.#next + this.#size || this.#slots[slot] !== undefined) {
      throw new RangeError(
        `Cannot put item ${index} in order: it must be admitted, come once, and lie between ` +
          `${this.#next} and ${this.#next + this.#size - 1}`,
      );
    }
    return slot;
  }

  #advance(): void {
    this.#slots[this.#next % this.#size] = undefined;
    this.#next += 1;
    this.#passGaps();
    this.#release();
  }

  /** The slots of a gap are empty: nothing is put there. */
  #passGaps(): void {
    for (let gap = this.#gaps[0]; gap !== undefined && gap.from <= this.#next; gap = this.#gaps[0]) {
      this.#next = Math.max(this.#next, gap.to);
      this.#gaps.shift();
    }
  }

  #release(): void {
    while (this.#waiting[0] && (this.#isClosed || this.#waiting[0].index < this.#next + this.#size)) {
      this.#waiting.shift()?.release();
    }
  }
}

/**
 * `--ordered` for one sink: it gets the results in input order, while other sinks, such as the journal, get them as they
 * finish. The window advances only as the sink accepts results, so a slow sink holds the producer back.
 */
export function orderedSink(sink: Sink, window: OrderWindow<Result>): Sink {
  function forward(): void | Promise<void> {
    for (let result = window.take(); result; result = window.take()) {
      const accepted = sink.write(result);
      if (accepted !== undefined) return accepted.then(forward);
    }
  }
  return {
    write(result) {
      window.put(result);
      return forward();
    },
    async end(summary) {
      window.close();
      try {
        for (const result of window.rest()) await sink.write(result);
      } finally {
        await sink.end(summary);
      }
    },
  };
}
