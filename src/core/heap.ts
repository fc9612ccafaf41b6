/** A binary min-heap of values by a numeric key, such as the time at which they are due. Equal keys are first in, first out. */
export class MinHeap<T> {
  readonly #entries: Entry<T>[] = [];
  #order = 0;

  get size(): number {
    return this.#entries.length;
  }

  /** The lowest key; Infinity if the heap is empty. */
  get minKey(): number {
    return this.#entries[0]?.key ?? Number.POSITIVE_INFINITY;
  }

  push(key: number, value: T): void {
    const entry = { key, order: this.#order++, value };
    let index = this.#entries.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#entries[parent];
      if (above === undefined || !isBefore(entry, above)) break;
      this.#entries[index] = above;
      index = parent;
    }
    this.#entries[index] = entry;
  }

  /** Removes and returns the value with the lowest key; `undefined` if that key is above `maxKey`. */
  popUpTo(maxKey: number): T | undefined {
    const top = this.#entries[0];
    if (top === undefined || top.key > maxKey) return undefined;
    const last = this.#entries.pop();
    if (last !== undefined && this.#entries.length > 0) this.#sink(last);
    return top.value;
  }

  /** Removes and returns all values, in no particular order. */
  drain(): T[] {
    return this.#entries.splice(0).map((entry) => entry.value);
  }

  /** Removes and returns the values that match, in no particular order. */
  removeWhere(matches: (value: T) => boolean): T[] {
    const entries = this.#entries.splice(0);
    for (const entry of entries) if (!matches(entry.value)) this.#entries.push(entry);
    this.#entries.sort((a, b) => (isBefore(a, b) ? -1 : 1)); // a sorted array is a heap
    return entries.map(({ value }) => value).filter(matches);
  }

  #sink(entry: Entry<T>): void {
    let index = 0;
    for (;;) {
      const left = index * 2 + 1;
      const right = left + 1;
      let child = this.#entries[left];
      if (child === undefined) break;
      let next = left;
      const other = this.#entries[right];
      if (other !== undefined && isBefore(other, child)) {
        child = other;
        next = right;
      }
      if (!isBefore(child, entry)) break;
      this.#entries[index] = child;
      index = next;
    }
    this.#entries[index] = entry;
  }
}

interface Entry<T> {
  readonly key: number;
  readonly order: number;
  readonly value: T;
}

function isBefore(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.key < b.key || (a.key === b.key && a.order < b.order);
}
