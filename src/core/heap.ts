interface Entry<T> {
  readonly at: number;
  readonly order: number;
  readonly value: T;
}

/** A binary min-heap of values by the time at which they are due; values due at the same time keep their order. */
export class WakeHeap<T> {
  readonly #entries: Entry<T>[] = [];
  #order = 0;

  get size(): number {
    return this.#entries.length;
  }

  /** The earliest time, or Infinity when empty. */
  get next(): number {
    return this.#entries[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  push(at: number, value: T): void {
    const entry = { at, order: this.#order++, value };
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

  /** Takes the earliest value that is due at `now`; `undefined` when none is. */
  popDue(now: number): T | undefined {
    const top = this.#entries[0];
    if (top === undefined || top.at > now) return undefined;
    const last = this.#entries.pop();
    if (last !== undefined && this.#entries.length > 0) this.#sink(last);
    return top.value;
  }

  /** Takes all, in no order. */
  drain(): T[] {
    return this.#entries.splice(0).map((entry) => entry.value);
  }

  /** Takes out all for which this holds, in no order. */
  remove(isMeant: (value: T) => boolean): T[] {
    const entries = this.#entries.splice(0);
    for (const entry of entries) if (!isMeant(entry.value)) this.#entries.push(entry);
    // What is sorted is a heap.
    this.#entries.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    return entries.map(({ value }) => value).filter(isMeant);
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

function isBefore(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
