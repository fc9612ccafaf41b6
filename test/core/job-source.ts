export interface TestJob {
  readonly id: number;
  readonly key: string;
}

type Next = IteratorResult<Iterable<TestJob>, undefined>;

/** A source of jobs that the test controls. It counts the jobs pulled from it, and waits while it has none. */
export class JobSource implements AsyncIterable<Iterable<TestJob>> {
  /** Jobs pulled so far. */
  pulled = 0;
  /** Number of batches requested. */
  requested = 0;
  /** Number of calls of `return()`. */
  returned = 0;
  #waiting: { resolve: (next: Next) => void; reject: (error: unknown) => void } | undefined;
  readonly #ready: (() => Promise<Next>)[] = [];

  /** Gives a batch of jobs, all with one key. */
  give(count: number, key = 'a'): this {
    return this.giveEach(Array.from({ length: count }, () => key));
  }

  /** Gives a batch of jobs with these keys. */
  giveEach(keys: Iterable<string>): this {
    const batch = this.#batch(keys);
    return this.#add(async () => ({ done: false, value: batch }));
  }

  end(): this {
    return this.#add(async () => ({ done: true, value: undefined }));
  }

  fail(error: unknown): this {
    return this.#add(() => Promise.reject(error));
  }

  [Symbol.asyncIterator](): AsyncIterator<Iterable<TestJob>, undefined> {
    return {
      next: () => {
        this.requested += 1;
        return (
          this.#ready.shift()?.() ?? new Promise((resolve, reject) => (this.#waiting = { resolve, reject }))
        );
      },
      return: async () => {
        this.returned += 1;
        return { done: true, value: undefined };
      },
    };
  }

  *#batch(keys: Iterable<string>): Generator<TestJob> {
    for (const key of keys) {
      this.pulled += 1;
      yield { id: this.pulled, key };
    }
  }

  #add(next: () => Promise<Next>): this {
    const { resolve, reject } = this.#waiting ?? {};
    this.#waiting = undefined;
    if (resolve === undefined) this.#ready.push(next);
    else next().then(resolve, reject);
    return this;
  }
}
