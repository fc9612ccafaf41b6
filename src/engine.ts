import type { EngineOptions, Outcome, Repetition } from './engine-options.ts';
import { runWorkers } from './pool/run-workers.ts';
import { Channel } from './queue/channel.ts';
import { Reading } from './reading.ts';

export type { EngineOptions, Outcome, Repetition } from './engine-options.ts';

/**
 * Producer → lanes → workers → results, generic in job and result.
 *
 * Every job that was read ends in exactly one result, or is counted in `notFetched` after a `stop`, or since nobody wanted it.
 * An error of the job source ends the reading; it is thrown by `results` after all that was read has its result.
 */
export class Engine<J extends object, R extends object> {
  readonly #options: EngineOptions<J, R>;
  readonly #results: Channel<R>;
  readonly #reading: Reading<J>;
  /** The results of jobs that are to come again, should the run be stopped before. */
  readonly #otherwise = new Map<J, R>();
  /** Those of them that a stop has made results, as long as other work is under way. */
  readonly #refused: R[] = [];
  #stopping = false;
  #notStarted = 0;

  constructor(options: EngineOptions<J, R>) {
    this.#options = options;
    this.#results = new Channel(options.concurrency);
    const { jobs, admit } = options;
    this.#reading = new Reading({ jobs, admit, put: (job) => this.#put(job) });
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
