import { Channel } from './channel.ts';
import type { Scheduler } from './scheduler.ts';

/**
 * What became of a taken job: a result, or the same work again, in the lane it now belongs to, at `at` or later.
 * `otherwise` is the result if the run is stopped before that. A job that was handed to another engine is gone from this one.
 */
export type Outcome<J, R> = { readonly result: R } | { readonly isHanded: true } | Repetition<J, R>;

/** The same work again. */
export interface Repetition<J, R> {
  readonly again: J;
  readonly at: number;
  readonly otherwise?: R;
  /** The work could not be begun: a stop before that leaves the job as it was when it was taken. */
  readonly isUntried?: boolean;
}

export interface PipelineOptions<J extends object, R extends object> {
  /** Batches of jobs. The next batch is asked for, and a batch is walked on, only when the queue has room. */
  readonly jobs: AsyncIterable<Iterable<J>>;
  readonly lanes: Scheduler<J>;
  readonly concurrency: number;
  readonly laneOf: (job: J) => string;
  readonly work: (job: J) => Promise<Outcome<J, R>>;
  /** The result of a job whose `work` threw: a bug, which costs that job alone. */
  readonly crashed: (job: J, error: unknown) => R;
  /** Waited for before a job enters the queue, to hold the reader back. */
  readonly admit?: ((job: J) => Promise<void> | undefined) | undefined;
  /** Asked before each piece of work on a job; one that nobody wants any more is dropped, and has no result. */
  readonly isWanted?: ((job: J) => boolean) | undefined;
  /** The result of a job that needs no work, such as one from an earlier run; it never enters the lanes. */
  readonly known?: ((job: J) => R | undefined) | undefined;
  /** Given each result as soon as it is there, before it waits for its turn to be taken; what it returns is the result. */
  readonly finish?: ((result: R) => R) | undefined;
  /** Waited for after the last result, before the results end. */
  readonly settle?: () => Promise<void>;
  /** Called when all is over, also after an error or a consumer that left early. */
  readonly onEnd?: () => void;
}

interface ProducerOptions<J extends object> {
  /** Batches of jobs. The next batch is asked for, and a batch is walked on, only when the last job was put. */
  readonly jobs: AsyncIterable<Iterable<J>>;
  /** Waited for before a job is put, to hold the reading back. */
  readonly admit?: ((job: J) => Promise<void> | undefined) | undefined;
  /** Takes a job. A promise holds the reading back; none costs less than the rest of the way of a job. */
  readonly put: (job: J) => Promise<void> | undefined;
}

/** The producer: reads jobs and puts each, until the source ends or there is a stop. */
export class Producer<J extends object> {
  readonly #options: ProducerOptions<J>;
  readonly #source: AsyncIterator<Iterable<J>>;
  #isStopping = false;
  /** Whether there is a job that was read and not put. */
  #isOneOutside = false;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: ProducerOptions<J>) {
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

/** Where workers get their jobs: `undefined` means that there will be no more. */
interface JobQueue<J extends object> {
  take(): J | undefined | Promise<J | undefined>;
}

/**
 * The pool: `concurrency` loops over one queue, each of which takes a job, works on it and comes back for more.
 * Resolves when the queue has ended and every worker has finished. `work` must not reject; if it does, so does this.
 */
export async function runWorkers<J extends object>(
  concurrency: number,
  queue: JobQueue<J>,
  work: (job: J) => Promise<void>,
): Promise<void> {
  const worker = async () => {
    for (let job = await queue.take(); job !== undefined; job = await queue.take()) await work(job);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

/**
 * Producer → lanes → workers → results, generic in job and result.
 *
 * Every job that was read ends in exactly one result, or is counted in `notFetched` after a `stop`, or since nobody wanted it.
 * An error of the job source ends the reading; it is thrown by `results` after all that was read has its result.
 */
export class Pipeline<J extends object, R extends object> {
  readonly #options: PipelineOptions<J, R>;
  readonly #results: Channel<R>;
  readonly #reading: Producer<J>;
  /** The results of jobs that are to come again, should the run be stopped before. */
  readonly #otherwise = new Map<J, R>();
  /** Those of them that a stop has made results, as long as other work is under way. */
  readonly #refused: R[] = [];
  #stopping = false;
  #notStarted = 0;

  constructor(options: PipelineOptions<J, R>) {
    this.#options = options;
    this.#results = new Channel(options.concurrency);
    const { jobs, admit } = options;
    this.#reading = new Producer({ jobs, admit, put: (job) => this.#put(job) });
  }

  /** Jobs that were read and will have no result, because the run was stopped or nobody wanted them any more. */
  get notFetched(): number {
    return this.#notStarted + this.#reading.notPut;
  }

  /** Stops reading and starting; what is under way is finished. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const job of this.#options.lanes.clear()) {
      const otherwise = this.#otherwise.get(job);
      if (otherwise === undefined) this.#notStarted += 1;
      else this.#refused.push(otherwise);
    }
    this.#giveRefused();
    this.#options.lanes.close();
    this.#reading.stop();
  }

  /** Drops what waits and is wanted no more, at once and not when its turn comes. */
  weed(): void {
    const { lanes, isWanted = () => true } = this.#options;
    for (const job of lanes.remove((held) => !isWanted(held))) this.#drop(job);
  }

  /** Takes over a job that was handed over by another engine. The queue must not have ended. */
  adopt(repetition: Repetition<J, R>): void {
    const result = this.#repeat(repetition, undefined);
    if (result !== undefined) this.#giveUnasked(result);
  }

  /** Runs it all; to be iterated once. Leaving early stops the run and throws later results away. */
  async *results(): AsyncGenerator<R, void, void> {
    const producing = this.#reading.run().finally(() => this.#options.lanes.close());
    const working = this.#workAll().finally(() => this.#results.close());
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
      // A stopped run waits neither for an input that may never give another line nor for an admission.
      if (!this.#stopping) await producing;
      await this.#options.settle?.();
      if (this.#reading.failure !== undefined) throw this.#reading.failure.error;
    } finally {
      this.stop();
      this.#results.abort(new Error('Nobody takes the results any more'));
      this.#options.onEnd?.();
    }
  }

  /** Returns nothing when the job is in the queue at once: a promise would cost more than the rest of its way there. */
  #put(job: J): Promise<void> | undefined {
    const { known, lanes, laneOf } = this.#options;
    const result = known?.(job);
    return result === undefined ? lanes.put(laneOf(job), job) : this.#give(result);
  }

  async #workAll(): Promise<void> {
    const { concurrency, lanes } = this.#options;
    await runWorkers(concurrency, lanes, (job) => this.#process(job));
  }

  async #process(job: J): Promise<void> {
    const { lanes, laneOf, work, crashed, isWanted } = this.#options;
    const lane = laneOf(job);
    if (isWanted?.(job) === false) {
      this.#drop(job);
      lanes.done(lane);
      return this.#giveRefused();
    }
    const earlier = this.#otherwise.get(job);
    if (earlier !== undefined) this.#otherwise.delete(job);
    let outcome: Outcome<J, R>;
    try {
      outcome = await work(job);
    } catch (error) {
      outcome = { result: crashed(job, error) };
    }
    const result = this.#settle(outcome, earlier);
    const given = result === undefined ? undefined : this.#give(result);
    lanes.done(lane);
    this.#giveRefused();
    if (given !== undefined) await given;
  }

  #drop(job: J): void {
    this.#otherwise.delete(job);
    this.#notStarted += 1;
  }

  #settle(outcome: Outcome<J, R>, earlier: R | undefined): R | undefined {
    if ('result' in outcome) return outcome.result;
    return 'isHanded' in outcome ? undefined : this.#repeat(outcome, earlier);
  }

  /** Puts a job back; returns its result instead when the run is being stopped and it has one. */
  #repeat({ again, at, otherwise, isUntried }: Repetition<J, R>, earlier: R | undefined): R | undefined {
    const result = isUntried === true ? earlier : otherwise;
    if (this.#stopping && (isUntried === true || result !== undefined)) {
      if (result === undefined) this.#notStarted += 1;
      return result;
    }
    if (result !== undefined) this.#otherwise.set(again, result);
    const { lanes, laneOf } = this.#options;
    lanes.again(laneOf(again), again, at);
    return undefined;
  }

  /** Waits for the work under way and not for the queue, which may be kept open for jobs that others hand over. */
  #giveRefused(): void {
    if (this.#refused.length === 0 || this.#options.lanes.inFlight > 0) return;
    for (const result of this.#refused.splice(0)) this.#giveUnasked(result);
  }

  /** Gives a result that no worker waits with. */
  #giveUnasked(result: R): void {
    this.#give(result)?.catch(() => {}); // nobody takes results any more
  }

  #give(result: R): Promise<void> | undefined {
    return this.#results.send(this.#options.finish?.(result) ?? result);
  }
}
