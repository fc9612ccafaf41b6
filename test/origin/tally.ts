/** A count that only grows and that a test can await, so that events are ordered without sleeping. */
export class Tally {
  #count = 0;
  #waiters: { readonly at: number; readonly resolve: () => void }[] = [];

  get count(): number {
    return this.#count;
  }

  /** Counts one more and returns the new count. */
  add(): number {
    this.#count++;
    if (this.#waiters.length === 0) return this.#count;
    const due = this.#waiters.filter((waiter) => waiter.at <= this.#count);
    this.#waiters = this.#waiters.filter((waiter) => waiter.at > this.#count);
    for (const waiter of due) waiter.resolve();
    return this.#count;
  }

  /** Resolves once the count is `at` or more; at once when it already is. */
  reached(at: number): Promise<void> {
    if (this.#count >= at) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ at, resolve }));
  }
}
