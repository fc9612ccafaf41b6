import { runWorkers } from './pool/run-workers.ts';
import { Channel } from './queue/channel.ts';
import type { Lanes } from './queue/lanes.ts';

/**
 * What became of a taken job: a result, or the same work again, in the lane it now belongs to, at `at` or later.
 * `otherwise` is the result if the run is being stopped and nothing new is to be started.
 */
export type Outcome<J, R> =
  | { readonly result: R }
  | { readonly again: J; readonly at: number; readonly otherwise?: R };

export interface EngineOptions<J extends object, R extends object> {
  /** Batches of jobs. The next batch is asked for, and a batch is walked on, only when the queue has room. */
  readonly jobs: AsyncIterable<Iterable<J>>;
  readonly lanes: Lanes<J>;
  readonly concurrency: number;
  readonly laneOf: (job: J) => string;
  readonly work: (job: J) => Promise<Outcome<J, R>>;
  /** The result of a job whose `work` threw: a bug, which costs that job alone. */
  readonly crashed: (job: J, error: unknown) => R;
  /** Waited for before a job enters the queue, to hold the reader back. */
  readonly admit?: ((job: J) => Promise<void> | undefined) | undefined;
  /** Told of each result as soon as it is known, before it waits for its turn to be taken. */
  readonly onResult?: (result: R) => void;
  /** Waited for after the last result, before the results end. */
  readonly settle?: () => Promise<void>;
  /** Called when all is over, also after an error or a consumer that left early. */
  readonly onEnd?: () => void;
}

/**
 * Producer → lanes → workers → results, generic in job and result.
 *
 * Every job that was read ends in exactly one result, or is counted in `notFetched` after a `stop`.
 * An error of the job source ends the reading; it is thrown by `results` after all that was read has its result.
 */
export class Engine<J extends object, R extends object> {
  readonly #options: EngineOptions<J, R>;
  readonly #results: Channel<R>;
  readonly #source: AsyncIterator<Iterable<J>>;
  #reading = false;
  #stopping = false;
  #notFetched = 0;
  #sourceError: { error: unknown } | undefined;

  constructor(options: EngineOptions<J, R>) {
    this.#options = options;
    this.#results = new Channel(options.concurrency);
    this.#source = options.jobs[Symbol.asyncIterator]();
  }

  /** Jobs that were read and will have no result, because the run was stopped. */
  get notFetched(): number {
    return this.#notFetched;
  }

  /** Stops reading and starting; what is under way is finished. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#notFetched += this.#options.lanes.clear().length;
    this.#options.lanes.close();
    this.#source.return?.()?.catch(() => {}); // An error while letting go of an input no longer matters.
  }

  /** Runs it all; to be iterated once. Leaving early stops the run and throws later results away. */
  async *results(): AsyncGenerator<R, void, void> {
    const { concurrency, lanes } = this.#options;
    const producing = this.#produce();
    const working = runWorkers(concurrency, lanes, (job) => this.#process(job)).finally(() =>
      this.#results.close(),
    );
    working.catch(() => {}); // Awaited below; a consumer that leaves early must not turn it into a crash.
    try {
      for (
        let result = await this.#results.receive();
        result !== undefined;
        result = await this.#results.receive()
      ) {
        yield result;
      }
      await working;
      // A stopped run does not wait for an input that may never give another line.
      if (!this.#stopping || !this.#reading) await producing;
      await this.#options.settle?.();
      if (this.#sourceError !== undefined) throw this.#sourceError.error;
    } finally {
      this.stop();
      this.#results.abort(new Error('Nobody takes the results any more'));
      this.#options.onEnd?.();
    }
  }

  /** Reads until the source ends or the run is stopped. Never rejects. */
  async #produce(): Promise<void> {
    try {
      for (let batch = await this.#read(); batch !== undefined; batch = await this.#read()) {
        for (const job of batch) {
          // A promise for each job that waits for nothing would cost more than the rest of its way to the queue.
          const room = this.#options.admit === undefined ? this.#put(job) : this.#admit(job);
          if (room !== undefined) await room;
          if (this.#stopping) return;
        }
      }
    } catch (error) {
      if (!this.#stopping) this.#sourceError = { error };
    } finally {
      this.#options.lanes.close();
    }
  }

  async #read(): Promise<Iterable<J> | undefined> {
    this.#reading = true;
    const next = await this.#source.next();
    this.#reading = false;
    return next.done === true || this.#stopping ? undefined : next.value;
  }

  async #admit(job: J): Promise<void> {
    await this.#options.admit?.(job);
    await this.#put(job);
  }

  #put(job: J): Promise<void> | undefined {
    if (!this.#stopping) return this.#options.lanes.put(this.#options.laneOf(job), job);
    this.#notFetched += 1;
    return undefined;
  }

  async #process(job: J): Promise<void> {
    const { lanes, laneOf, work, crashed, onResult } = this.#options;
    const lane = laneOf(job);
    let outcome: Outcome<J, R>;
    try {
      outcome = await work(job);
    } catch (error) {
      outcome = { result: crashed(job, error) };
    }
    const result = 'result' in outcome ? outcome.result : this.#stopping ? outcome.otherwise : undefined;
    if ('again' in outcome && result === undefined) {
      lanes.again(laneOf(outcome.again), outcome.again, outcome.at);
    }
    lanes.done(lane);
    if (result === undefined) return;
    onResult?.(result);
    const taken = this.#results.send(result);
    if (taken !== undefined) await taken;
  }
}
