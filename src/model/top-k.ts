/** A key with its count. The true count is between `count - overcount` and `count`. */
interface CountedKey {
  readonly key: string;
  readonly count: number;
  readonly overcount: number;
}

/**
 * The most frequent keys of an unbounded stream in constant memory: the Space-Saving algorithm (A. Metwally, D. Agrawal, A. El
 * Abbadi: Efficient computation of frequent and top-k elements in data streams, ICDT 2005).
 * - A key that makes up more than 1/capacity of the stream always has a counter.
 * - `overcount` is 0 for all keys while at most `capacity` distinct keys were seen.
 * - A new key beyond the capacity is O(capacity), any other key O(1).
 */
export class TopK {
  readonly #slots = new Map<string, number>();
  readonly #keys: string[] = [];
  // Typed arrays, since a stream of new keys scans all counters for each of them.
  readonly #counts: Float64Array;
  readonly #overcounts: Float64Array;

  /** @param capacity number of counters, above 0 */
  constructor(capacity: number) {
    this.#counts = new Float64Array(capacity);
    this.#overcounts = new Float64Array(capacity);
  }

  add(key: string): void {
    const slot = this.#slots.get(key) ?? this.#slotFor(key);
    this.#counts[slot] = this.#count(slot) + 1;
  }

  /** At most `limit` keys, in descending order of the lower bound of their count. */
  top(limit: number): CountedKey[] {
    return this.#keys
      .map((key, slot) => ({ key, count: this.#count(slot), overcount: this.#overcounts[slot] ?? 0 }))
      .sort((a, b) => b.count - b.overcount - (a.count - a.overcount) || b.count - a.count)
      .slice(0, limit);
  }

  /** A new key takes over the smallest counter, since it cannot have been missed more often than that. */
  #slotFor(key: string): number {
    const isFree = this.#keys.length < this.#counts.length;
    const slot = isFree ? this.#keys.length : this.#smallest();
    if (!isFree) {
      this.#slots.delete(this.#keys[slot] ?? '');
      this.#overcounts[slot] = this.#count(slot);
    }
    this.#keys[slot] = key;
    this.#slots.set(key, slot);
    return slot;
  }

  #smallest(): number {
    let smallest = 0;
    for (let slot = 1; slot < this.#counts.length; slot += 1) {
      if (this.#count(slot) < this.#count(smallest)) smallest = slot;
    }
    return smallest;
  }

  #count(slot: number): number {
    return this.#counts[slot] ?? 0;
  }
}
