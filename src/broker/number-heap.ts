const NUMBERS = 3;

/** Three numbers in a row: what they are ordered by, and two that belong to it. */
export type Triple = readonly [key: number, first: number, second: number];

/** Triples, the one with the lowest key first. 24 bytes each, since there may be millions: the runs of a store behind a late chunk. */
export class NumberHeap {
  #numbers = new Float64Array(64 * NUMBERS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The lowest key, or infinity. */
  get lowest(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#number(0);
  }

  /** The triple with the lowest key, which stays. */
  peek(): Triple | undefined {
    return this.#size === 0 ? undefined : [this.#number(0), this.#number(1), this.#number(2)];
  }

  push(triple: Triple): void {
    if ((this.#size + 1) * NUMBERS > this.#numbers.length) this.#grow();
    let place = this.#size++;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#number(parent * NUMBERS) <= triple[0]) break;
      this.#move(parent, place);
      place = parent;
    }
    this.#numbers.set(triple, place * NUMBERS);
  }

  /** Takes out the triple with the lowest key. */
  pop(): Triple | undefined {
    const lowest = this.peek();
    if (lowest === undefined) return undefined;
    this.#size -= 1;
    const last = this.#size;
    let place = 0;
    for (let child = 1; child < last; child = 2 * place + 1) {
      if (child + 1 < last && this.#key(child + 1) < this.#key(child)) child += 1;
      if (this.#key(last) <= this.#key(child)) break;
      this.#move(child, place);
      place = child;
    }
    this.#move(last, place);
    return lowest;
  }

  #key(place: number): number {
    return this.#number(place * NUMBERS);
  }

  #number(at: number): number {
    return this.#numbers[at] ?? 0;
  }

  #move(from: number, to: number): void {
    this.#numbers.copyWithin(to * NUMBERS, from * NUMBERS, (from + 1) * NUMBERS);
  }

  #grow(): void {
    const larger = new Float64Array(2 * this.#numbers.length);
    larger.set(this.#numbers);
    this.#numbers = larger;
  }
}
