import type { Result } from '../model/result.ts';
import type { Sink } from './sink.ts';

/** What has a place in an order: 0, 1, 2 and so on. */
export interface Indexed {
  readonly index: number;
}

/**
 * Puts items that finish in any order back into the order of their index, holding at most `size` of them.
 *
 * The producer is held back rather than the consumer: `admit(index)` waits until `index` is less than `size`
 * ahead of the next item to come out, so there is a place for every item that is under way. This cannot
 * deadlock: the item that is missing was admitted before any that wait, nothing but the producer ever waits
 * for the window, and `put()` always has room; so the missing item comes, comes out, and lets the next one in.
 */
export class OrderWindow<T extends Indexed> {
  readonly #size: number;
  /** A ring: `index % size` is the place of an item, null that of an index which has none. */
  readonly #places: (T | null | undefined)[];
  #held = 0;
  #next = 0;
  #closed = false;
  #waiting: { index: number; release: () => void }[] = [];

  constructor(size: number) {
    this.#size = size;
    this.#places = new Array(size).fill(undefined);
  }

  /** How many items wait here for an earlier one. */
  get held(): number {
    return this.#held;
  }

  /** Returns a promise when the job with this index may not be started yet. Indexes are asked for in order. */
  admit(index: number): Promise<void> | undefined {
    if (this.#closed || index < this.#next + this.#size) return undefined;
    return new Promise((release) => this.#waiting.push({ index, release }));
  }

  /** Takes an item that was admitted. */
  put(item: T): void {
    this.#places[this.#place(item.index)] = item;
    this.#held += 1;
  }

  /** Tells that an admitted index will never have an item, such as a job that was skipped. */
  skip(index: number): void {
    this.#places[this.#place(index)] = null;
    this.#passGaps();
  }

  /** The next item in order, or nothing when it has not come yet. */
  take(): T | undefined {
    const item = this.#places[this.#next % this.#size];
    if (!item) return undefined;
    this.#held -= 1;
    this.#advance();
    this.#passGaps();
    return item;
  }

  /** Lets every waiting producer go, which then has to stop: only what was admitted before may still be put. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  /** All that is still held when nothing more will come, in order, over the gaps of a stopped run. */
  rest(): T[] {
    const rest: T[] = [];
    for (let left = this.#size; left > 0; left -= 1) {
      const item = this.#places[this.#next % this.#size];
      if (item) rest.push(item);
      this.#advance();
    }
    this.#held = 0;
    return rest;
  }

  #place(index: number): number {
    const place = index % this.#size;
    if (index < this.#next || index >= this.#next + this.#size || this.#places[place] !== undefined) {
      throw new RangeError(
        `Cannot put item ${index} in order: it must be admitted, come once, and lie between ` +
          `${this.#next} and ${this.#next + this.#size - 1}`,
      );
    }
    return place;
  }

  #passGaps(): void {
    while (this.#places[this.#next % this.#size] === null) this.#advance();
  }

  #advance(): void {
    this.#places[this.#next % this.#size] = undefined;
    this.#next += 1;
    this.#release();
  }

  #release(): void {
    while (this.#waiting[0] && (this.#closed || this.#waiting[0].index < this.#next + this.#size)) {
      this.#waiting.shift()?.release();
    }
  }
}

/**
 * `--ordered` for one sink: it gets the results in input order, while the sinks beside it (the journal) get
 * them as they finish. The window moves on only as the sink accepts, so a slow sink holds the producer back.
 */
export function ordered(sink: Sink, window: OrderWindow<Result>): Sink {
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

/** The same for a stream of results: yields them in input order, those behind a gap last. */
export async function* inOrder(
  results: AsyncIterable<Result>,
  window: OrderWindow<Result>,
): AsyncGenerator<Result, void, undefined> {
  try {
    for await (const arrived of results) {
      window.put(arrived);
      for (let result = window.take(); result; result = window.take()) yield result;
    }
    yield* window.rest();
  } finally {
    window.close();
  }
}
