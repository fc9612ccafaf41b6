import { Deque } from './deque.ts';

/**
 * Calls `use` with each item and waits for it, as `for await` does; but holds no item while it waits for the next one,
 * which may be long.
 */
export async function forEach<T>(
  items: AsyncIterable<T>,
  use: (item: T) => Promise<void> | undefined,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  const useNext = async () => {
    const next = await iterator.next();
    if (next.done === true) return false;
    const used = use(next.value);
    if (used !== undefined) await used;
    return true;
  };
  try {
    while (await useNext());
  } catch (error) {
    await iterator.return?.().catch(() => {}); // the first error counts
    throw error;
  }
}

/**
 * A bounded FIFO between any number of senders and receivers.
 *
 * - `send` is synchronous while there is room; otherwise it waits for room, in order.
 * - `close` ends sending. All values sent before, those of waiting senders included, are delivered; then receivers get
 *   `undefined`.
 * - `abort` discards all values: waiting and later `send`s reject with the reason, receivers get `undefined`.
 */
export class Channel<T extends object> {
  readonly #capacity: number;
  readonly #values = new Deque<T>();
  readonly #senders = new Deque<Sender<T>>();
  readonly #receivers = new Deque<(value: T | undefined) => void>();
  #state: 'open' | 'closed' | 'aborted' = 'open';
  #reason: unknown;

  /** @throws RangeError if `capacity` is not a whole number above 0 */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot use "${capacity}" as a capacity: it must be a whole number above 0`);
    }
    this.#capacity = capacity;
  }

  /** Values held, those of waiting senders not included. */
  get size(): number {
    return this.#values.size;
  }

  /** Returns undefined if the value was accepted synchronously, or a promise that waits for room. */
  send(value: T): Promise<void> | undefined {
    if (this.#state !== 'open') return Promise.reject(this.#rejection());
    const receiver = this.#receivers.shift();
    if (receiver !== undefined) {
      receiver(value);
      return undefined;
    }
    if (this.#values.size < this.#capacity) {
      this.#values.push(value);
      return undefined;
    }
    return new Promise((accept, reject) => {
      this.#senders.push({ value, accept, reject });
    });
  }

  /** Gives the next value, synchronously if there is one; `undefined` once the channel is closed and empty. */
  receive(): T | undefined | Promise<T | undefined> {
    const value = this.#shift();
    if (value !== undefined) return value;
    if (this.#state !== 'open') return undefined;
    return new Promise((resolve) => this.#receivers.push(resolve));
  }

  /**
   * Calls `use` with each value. If it returns a promise, the next value waits for that. While no value is held, `send` itself
   * calls `use`: a loop over `receive` would cost two promises for each value. Resolves when the channel has ended, and rejects
   * if `use` fails.
   */
  useAll(use: (value: T) => Promise<void> | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onValue = (value: T | undefined): void => {
        try {
          for (let next = value; next !== undefined; next = this.#shift()) {
            const used = use(next);
            if (used !== undefined) {
              used.then(() => onValue(this.#shift()), reject);
              return;
            }
          }
        } catch (error) {
          reject(error);
          return;
        }
        if (this.#state === 'open') this.#receivers.push(onValue);
        else resolve();
      };
      onValue(this.#shift());
    });
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    this.#endReceivers();
  }

  abort(reason: unknown): void {
    if (this.#state === 'aborted') return;
    this.#state = 'aborted';
    this.#reason = reason;
    for (const _ of this.#values.drain());
    for (const sender of this.#senders.drain()) sender.reject(reason);
    this.#endReceivers();
  }

  /** The next value that is held, if there is one. */
  #shift(): T | undefined {
    const value = this.#values.shift();
    const sender = this.#senders.shift();
    if (sender !== undefined) {
      this.#values.push(sender.value);
      sender.accept();
    }
    return value;
  }

  #endReceivers(): void {
    for (const receiver of this.#receivers.drain()) receiver(undefined);
  }

  #rejection(): unknown {
    return this.#state === 'aborted' ? this.#reason : new Error('Cannot send: the channel is closed');
  }
}

interface Sender<T> {
  readonly value: T;
  readonly accept: () => void;
  readonly reject: (reason: unknown) => void;
}
