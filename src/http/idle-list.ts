/** A member of an `IdleList`; the list alone sets these. */
export interface IdleNode<T> {
  older: T | undefined;
  newer: T | undefined;
}

/** A linked list of what is idle, oldest first. Unlike a Set it makes no garbage when members come and go all the time. */
export class IdleList<T extends IdleNode<T>> {
  #oldest: T | undefined;
  #newest: T | undefined;
  #size = 0;

  get oldest(): T | undefined {
    return this.#oldest;
  }

  get size(): number {
    return this.#size;
  }

  add(node: T): void {
    node.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = node;
    else this.#newest.newer = node;
    this.#newest = node;
    this.#size += 1;
  }

  /** Takes a member out; the caller knows that it is one. */
  remove(node: T): void {
    if (node.older === undefined) this.#oldest = node.newer;
    else node.older.newer = node.newer;
    if (node.newer === undefined) this.#newest = node.older;
    else node.newer.older = node.older;
    node.older = node.newer = undefined;
    this.#size -= 1;
  }
}
