/** A double-ended queue in a ring buffer. Each operation is amortised O(1), and the buffer shrinks as it empties. */
export class Deque<T> {
  #ring: (T | undefined)[] = new Array(8);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds at the back. */
  push(value: T): void {
    if (this.#size === this.#ring.length) this.#resize(this.#size * 2);
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = value;
    this.#size += 1;
  }

  /** Adds at the front. */
  unshift(value: T): void {
    if (this.#size === this.#ring.length) this.#resize(this.#size * 2);
    this.#head = (this.#head - 1) & (this.#ring.length - 1);
    this.#ring[this.#head] = value;
    this.#size += 1;
  }

  /** Removes and returns the front; `undefined` if the deque is empty. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const value = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#size -= 1;
    if (this.#ring.length > 64 && this.#size < this.#ring.length / 4) this.#resize(this.#ring.length / 2);
    return value;
  }

  /** Removes and yields all values, front first. */
  *drain(): Generator<T> {
    while (this.#size > 0) yield this.shift() as T; // size > 0, so the slot is filled
  }

  /** Removes and yields the values that match, and keeps the others in their order. Must be iterated to the end. */
  *removeWhere(matches: (value: T) => boolean): Generator<T> {
    for (let left = this.#size; left > 0; left -= 1) {
      const value = this.shift() as T; // size > 0, so the slot is filled
      if (matches(value)) yield value;
      else this.push(value);
    }
  }

  /** @param capacity a power of two */
  #resize(capacity: number): void {
    const ring = new Array<T | undefined>(capacity);
    for (let i = 0; i < this.#size; i++) ring[i] = this.#ring[(this.#head + i) & (this.#ring.length - 1)];
    this.#ring = ring;
    this.#head = 0;
  }
}
