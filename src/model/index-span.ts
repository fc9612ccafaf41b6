/**
 * Finds out from the indexes of results whether a file lacks some: the index of a result is its place in the list, so a file
 * with index 200 belongs to a list of 201 URLs or more.
 */
export class IndexSpan {
  #count = 0;
  #highest = -1;

  add(index: number): void {
    this.#count += 1;
    this.#highest = Math.max(this.#highest, index);
  }

  /** The number of results that are missing at least. */
  get missing(): number {
    return Math.max(0, this.#highest + 1 - this.#count);
  }
}
