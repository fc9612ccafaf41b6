export interface ReadingOptions<J extends object> {
  /** Batches of jobs. The next batch is asked for, and a batch is walked on, only when the last job was put. */
  readonly jobs: AsyncIterable<Iterable<J>>;
  /** Waited for before a job is put, to hold the reading back. */
  readonly admit?: ((job: J) => Promise<void> | undefined) | undefined;
  /** Takes a job. A promise holds the reading back; none costs less than the rest of the way of a job. */
  readonly put: (job: J) => Promise<void> | undefined;
}

/** The producer: reads jobs and puts each, until the source ends or there is a stop. */
export class Reading<J extends object> {
  readonly #options: ReadingOptions<J>;
  readonly #source: AsyncIterator<Iterable<J>>;
  #isStopping = false;
  /** Whether there is a job that was read and not put. */
  #isOneOutside = false;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: ReadingOptions<J>) {
    this.#options = options;
    this.#source = options.jobs[Symbol.asyncIterator]();
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** What ended it before the end of the source. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Jobs that were read and will not be put, because of a stop. */
  get notPut(): number {
    return this.#isStopping && this.#isOneOutside ? 1 : 0;
  }

  /** Never rejects. */
  async run(): Promise<void> {
    try {
      for (let next = await this.#source.next(); next.done !== true; next = await this.#source.next()) {
        if (this.#isStopping) return;
        for (const job of next.value) {
          const entered = this.#enter(job);
          if (entered !== undefined) await entered;
          if (this.#isStopping) return;
        }
      }
    } catch (error) {
      if (!this.#isStopping) this.#failure = { error };
    } finally {
      this.#hasEnded = true;
    }
  }

  stop(): void {
    this.#isStopping = true;
    this.#source.return?.()?.catch(() => {}); // an error while letting go of an input no longer matters
  }

  #enter(job: J): Promise<void> | undefined {
    this.#isOneOutside = true;
    const admitted = this.#options.admit?.(job);
    return admitted === undefined ? this.#put(job) : admitted.then(() => this.#put(job));
  }

  #put(job: J): Promise<void> | undefined {
    if (this.#isStopping) return undefined;
    this.#isOneOutside = false;
    return this.#options.put(job);
  }
}
