import { Deque } from './deque.ts';

interface Sender<T> {
  readonly value: T;
  readonly accepted: () => void;
  readonly refused: (reason: unknown) => void;
}

/**
 * A bounded FIFO between any number of senders and receivers.
 *
 * - `send` takes effect at once while there is room; otherwise it waits for room, in order.
 * - `close` ends sending. What was sent, also by senders still waiting, is delivered; then receivers get `undefined`.
 * - `abort` throws everything away: waiting senders and later `send`s reject with the reason, receivers get `undefined`.
 */
export class Channel<T extends object> {
  readonly #capacity: number;
  readonly #values = new Deque<T>();
  readonly #senders = new Deque<Sender<T>>();
  readonly #receivers = new Deque<(value: T | undefined) => void>();
  #state: 'open' | 'closed' | 'aborted' = 'open';
  #reason: unknown;

  /** @throws RangeError when `capacity` is not a whole number above 0. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot use "${capacity}" as a capacity: it must be a whole number above 0`);
    }
    this.#capacity = capacity;
  }

  /** Values held, without those of senders that wait. */
  get size(): number {
    return this.#values.size;
  }

  /** Returns nothing when the value was taken at once, or a promise that waits for room. */
  send(value: T): Promise<void> | undefined {
    if (this.#state !== 'open') return Promise.reject(this.#refusal());
    const receiver = this.#receivers.shift();
    if (receiver !== undefined) {
      receiver(value);
      return undefined;
    }
    if (this.#values.size < this.#capacity) {
      this.#values.push(value);
      return undefined;
    }
    return new Promise((accepted, refused) => {
      this.#senders.push({ value, accepted, refused });
    });
  }

  /** The next value, at once when there is one; `undefined` once the channel is closed and empty. */
  receive(): T | undefined | Promise<T | undefined> {
    if (this.#values.size > 0) {
      const value = this.#values.shift() as T; // size > 0
      const sender = this.#senders.shift();
      if (sender !== undefined) {
        this.#values.push(sender.value);
        sender.accepted();
      }
      return value;
    }
    if (this.#state !== 'open') return undefined;
    return new Promise((resolve) => this.#receivers.push(resolve));
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    this.#dismissReceivers();
  }

  abort(reason: unknown): void {
    if (this.#state === 'aborted') return;
    this.#state = 'aborted';
    this.#reason = reason;
    for (const _ of this.#values.drain());
    for (const sender of this.#senders.drain()) sender.refused(reason);
    this.#dismissReceivers();
  }

  #dismissReceivers(): void {
    for (const receiver of this.#receivers.drain()) receiver(undefined);
  }

  #refusal(): unknown {
    return this.#state === 'aborted' ? this.#reason : new Error('Cannot send: the channel is closed');
  }
}
