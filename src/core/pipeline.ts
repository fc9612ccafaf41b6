import { Channel } from './channel.ts';
import type { Scheduler } from './scheduler.ts';

/**
 * What follows a piece of work on a job: its result; more work on it at `at` or later; nothing, since the run stopped before
 * the work was done; nothing here, since the result of a job that is not listed goes elsewhere; or an error, which is a bug.
 */
export type Outcome<J, R> =
  | { readonly result: R }
  | { readonly error: unknown }
  | { readonly again: J; readonly at: number }
  | { readonly isDropped: true }
  | { readonly isElsewhere: true };

export interface PipelineOptions<J extends object, R extends object> {
  /** Batches of jobs. A batch is iterated, and the next one requested, only while the scheduler has room. */
  readonly jobs: AsyncIterable<Iterable<J>>;
  readonly scheduler: Scheduler<J>;
  readonly concurrency: number;
  /** The key that the scheduler is fair over: the host. */
  readonly keyOf: (job: J) => string;
  /** Called with each job that is taken; returns the job to use from then on, which may take more memory than one that waits. */
  readonly open?: ((job: J) => J) | undefined;
  /** Works on a job, and calls back once, which may be before it returns. It must not throw after that. */
  readonly work: (job: J, settle: (outcome: Outcome<J, R>) => void) => void;
  /** The result of a job whose `work` threw, or ended in an error: a bug, which costs only that job. */
  readonly crashed: (job: J, error: unknown) => R;
  /** The result of a job that waits when the run stops; `undefined` if it counts as not fetched. */
  readonly abandon?: ((job: J) => R | undefined) | undefined;
  /** Whether a job comes from `jobs`. Another one, which came by `accept`, is forgotten when the run stops. */
  readonly isListed?: ((job: J) => boolean) | undefined;
  /** Awaited before a job enters the scheduler, to hold reading back. */
  readonly admit?: ((job: J) => Promise<void> | undefined) | undefined;
  /** Called before each piece of work; an unwanted job is dropped without a result. */
  readonly isWanted?: ((job: J) => boolean) | undefined;
  /** The result of a job that needs no work, such as one from an earlier run. It never enters the scheduler. */
  readonly recall?: ((job: J) => R | undefined) | undefined;
  /** Called with each result before it is queued; returns the result to use. */
  readonly finish?: ((result: R) => R) | undefined;
  /** Gives the results that follow when all work has ended. */
  readonly lastResults?: () => AsyncIterable<R>;
  /** Called when everything is over, also after an error or if the consumer leaves early, and awaited. */
  readonly onEnd?: () => unknown;
}

/**
 * Producer → scheduler → workers → results, generic in job and result.
 *
 * - Every job that is read ends in exactly one result, or is counted in `notFetched` after `stop()` or if it is unwanted.
 * - An error of the job source ends reading; it is thrown after everything that was read has its result.
 * - Callbacks lead a job from the scheduler to the consumer. There is a promise only where something waits, since a promise for
 *   each step would cost as much as all else that is done here. And so the next request starts before the parser has returned
 *   from the response before it, which saves undici a look at the connection.
 */
export class Pipeline<J extends object, R extends object> {
  readonly #options: PipelineOptions<J, R>;
  readonly #results: Channel<R>;
  readonly #producer: Producer<J>;
  /** Results of jobs that waited when the run stopped, until nothing is in flight. */
  readonly #abandoned: R[] = [];
  /** Jobs without a result, since the run stopped. At most as many as the scheduler holds. */
  readonly #dropped: J[] = [];
  #isStopping = false;
  #unwanted = 0;
  /** Workers that have not ended. */
  #workers = 0;
  /** Resolves when every worker has ended. */
  #working: Promise<void> | undefined;
  /** Called when the last worker has ended, or with a bug. */
  #endWorking: (error?: unknown) => void = () => {};
  #producing: Promise<void> | undefined;

  constructor(options: PipelineOptions<J, R>) {
    this.#options = options;
    this.#results = new Channel(options.concurrency);
    const { jobs, admit } = options;
    this.#producer = new Producer({ jobs, admit, put: (job) => this.#put(job) });
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Jobs that were read and get no result. */
  get notFetched(): number {
    return this.#unwanted + this.dropped.length;
  }

  /** Jobs that were read and get no result, since the run stopped. */
  get dropped(): readonly J[] {
    const held = this.#producer.notPut;
    return held === undefined ? this.#dropped : [...this.#dropped, held];
  }

  /** Stops reading and starting work; work in flight is finished. */
  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const { abandon, isListed, scheduler } = this.#options;
    for (const job of scheduler.clear()) {
      if (isListed?.(job) === false) continue;
      const result = abandon?.(job);
      if (result === undefined) this.#dropped.push(job);
      else this.#abandoned.push(result);
    }
    this.#giveAbandoned();
    scheduler.close();
    this.#producer.stop();
  }

  /** Drops waiting jobs that are unwanted now instead of when their turn comes. */
  dropUnwanted(): void {
    const { scheduler, isWanted = () => true } = this.#options;
    this.#unwanted += scheduler.removeWhere((job) => !isWanted(job)).length;
  }

  /** Begins a job that is not listed. The scheduler must not have ended. */
  accept(job: Extract<Outcome<J, R>, { readonly again: J }>): void {
    this.#requeue(job);
  }

  /**
   * Runs everything, and calls `use` with each result. If it returns a promise, the next result waits for that. To be called
   * once. An error of `use` stops the run and discards later results.
   */
  async run(use: (result: R) => Promise<void> | undefined): Promise<void> {
    this.#start();
    try {
      await this.#results.useAll(use);
      for await (const result of this.#lastResults()) await use(result);
    } finally {
      await this.#end();
    }
  }

  /** The same as a loop, to be iterated once. Leaving early stops the run and discards later results. */
  async *results(): AsyncGenerator<R, void, void> {
    this.#start();
    try {
      for (;;) {
        let result = await this.#results.receive();
        if (result === undefined) break;
        yield result;
        // It would be held until the next one comes, and may have a large body.
        result = undefined;
      }
      yield* this.#lastResults();
    } finally {
      await this.#end();
    }
  }

  /** Starts the producer and the workers. */
  #start(): void {
    const { concurrency, scheduler } = this.#options;
    this.#producing = this.#producer.run().finally(() => scheduler.close());
    this.#working = new Promise<void>((resolve, reject) => {
      this.#endWorking = (error) => (error === undefined ? resolve() : reject(error));
    }).finally(() => this.#results.close());
    this.#working.catch(() => {}); // awaited later; a consumer that leaves early must not turn it into a crash
    this.#workers = concurrency;
    for (let count = concurrency; count > 0; count -= 1) this.#takeNext();
  }

  /** What follows the results of the workers. */
  async *#lastResults(): AsyncGenerator<R, void, void> {
    await this.#working;
    // A stopped run waits neither for an input that may never give another line nor for an admission.
    if (!this.#isStopping) await this.#producing;
    const { lastResults } = this.#options;
    if (lastResults !== undefined) yield* lastResults();
    if (this.#producer.failure !== undefined) throw this.#producer.failure.error;
  }

  async #end(): Promise<void> {
    this.stop();
    this.#results.abort(new Error('The results are no longer read'));
    await this.#options.onEnd?.();
  }

  /** Returns undefined if the job was queued synchronously; a promise would cost more than queueing. */
  #put(job: J): Promise<void> | undefined {
    const { recall, scheduler, keyOf } = this.#options;
    const result = recall?.(job);
    return result === undefined ? scheduler.put(keyOf(job), job) : this.#give(result);
  }

  /** A worker takes jobs until one is not settled at once, or ends if there is none. */
  #takeNext(): void {
    // A loop: with a thousand jobs that are settled at once, calls would be nested that deep.
    while (this.#workOnNext());
  }

  /** Returns true if the worker is free again. */
  #workOnNext(): boolean {
    try {
      const taken = this.#options.scheduler.take();
      if (!(taken instanceof Promise)) return this.#workOn(taken);
      taken.then((job) => {
        if (this.#workOn(job)) this.#takeNext();
      });
    } catch (error) {
      this.#endWorking(error); // a bug
    }
    return false;
  }

  /** Returns true if the worker is free again, since the job was settled at once. */
  #workOn(taken: J | undefined): boolean {
    const { keyOf, open, work, isWanted } = this.#options;
    if (taken === undefined) {
      this.#workers -= 1;
      if (this.#workers === 0) this.#endWorking();
      return false;
    }
    const job = open?.(taken) ?? taken;
    const key = keyOf(job); // a redirect changes it
    let isStarting = true;
    let isFree = false;
    const settle = (outcome: Outcome<J, R> | undefined) => {
      const given = this.#settle(job, key, outcome);
      if (given !== undefined) given.then(() => this.#takeNext());
      else if (isStarting) isFree = true;
      else this.#takeNext();
    };
    try {
      if (isWanted?.(job) === false) settle(undefined);
      else work(job, settle);
    } catch (error) {
      settle({ error });
    }
    isStarting = false;
    return isFree;
  }

  /** Does what follows the work on a job. Returns what its worker waits for before it takes the next one. */
  #settle(job: J, key: string, outcome: Outcome<J, R> | undefined): Promise<void> | undefined {
    let given: Promise<void> | undefined;
    try {
      if (outcome === undefined) this.#unwanted += 1;
      else if ('result' in outcome) given = this.#give(outcome.result);
      else if ('again' in outcome) this.#requeue(outcome);
      else if ('error' in outcome) given = this.#give(this.#options.crashed(job, outcome.error));
      else if ('isDropped' in outcome) this.#dropped.push(job);
      this.#options.scheduler.release(key);
      this.#giveAbandoned();
    } catch (error) {
      this.#endWorking(error); // a bug
    }
    return given?.catch(() => {}); // the consumer has left
  }

  #requeue({ again, at }: { readonly again: J; readonly at: number }): void {
    const { scheduler, keyOf } = this.#options;
    scheduler.requeue(keyOf(again), again, at);
  }

  /** Waits for work in flight. */
  #giveAbandoned(): void {
    if (this.#abandoned.length === 0 || this.#options.scheduler.inFlight > 0) return;
    for (const result of this.#abandoned.splice(0)) this.#giveUnawaited(result);
  }

  /** Gives a result on which no worker waits. */
  #giveUnawaited(result: R): void {
    this.#give(result)?.catch(() => {}); // the consumer has left
  }

  #give(result: R): Promise<void> | undefined {
    return this.#results.send(this.#options.finish?.(result) ?? result);
  }
}

interface ProducerOptions<J extends object> {
  /** Batches of jobs. A batch is iterated, and the next one requested, only when the last job was put. */
  readonly jobs: AsyncIterable<Iterable<J>>;
  /** Awaited before a job is put, to hold reading back. */
  readonly admit?: ((job: J) => Promise<void> | undefined) | undefined;
  /** Takes a job; a promise holds reading back. */
  readonly put: (job: J) => Promise<void> | undefined;
}

/** Reads jobs and puts each of them, until the source ends or `stop()` is called. */
export class Producer<J extends object> {
  readonly #options: ProducerOptions<J>;
  readonly #source: AsyncIterator<Iterable<J>>;
  #isStopping = false;
  /** A job that was read and not yet put. */
  #held: J | undefined;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: ProducerOptions<J>) {
    this.#options = options;
    this.#source = options.jobs[Symbol.asyncIterator]();
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The error that ended reading early. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** The job that was read and is not put, since reading was stopped. */
  get notPut(): J | undefined {
    return this.#isStopping ? this.#held : undefined;
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
    this.#source.return?.()?.catch(() => {}); // an error while closing the input no longer matters
  }

  #enter(job: J): Promise<void> | undefined {
    this.#held = job;
    const admitted = this.#options.admit?.(job);
    return admitted === undefined ? this.#put(job) : admitted.then(() => this.#put(job));
  }

  #put(job: J): Promise<void> | undefined {
    if (this.#isStopping) return undefined;
    this.#held = undefined;
    return this.#options.put(job);
  }
}
