import type { EngineOptions, Outcome, Repetition } from './engine-options.ts';
import { runWorkers } from './pool/run-workers.ts';
import { Channel } from './queue/channel.ts';

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
  readonly #source: AsyncIterator<Iterable<J>>;
  /** The results of jobs that are to come again, should the run be stopped before. */
  readonly #otherwise = new Map<J, R>();
  /** Those of them that a stop has made results, as long as other work is under way. */
  readonly #refused: R[] = [];
  #stopping = false;
  #notStarted = 0;
  /** Whether there is a job that was read and has not entered the queue. */
  #isOneOutside = false;
  #sourceError: { error: unknown } | undefined;

  constructor(options: EngineOptions<J, R>) {
    this.#options = options;
    this.#results = new Channel(options.concurrency);
    this.#source = options.jobs[Symbol.asyncIterator]();
  }

  /** Jobs that were read and will have no result, because the run was stopped or nobody wanted them any more. */
  get notFetched(): number {
    return this.#notStarted + (this.#stopping && this.#isOneOutside ? 1 : 0);
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
    this.#source.return?.()?.catch(() => {}); // An error while letting go of an input no longer matters.
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
    const producing = this.#produce();
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
      for (let next = await this.#source.next(); next.done !== true; next = await this.#source.next()) {
        if (this.#stopping) return;
        for (const job of next.value) {
          const entered = this.#enter(job);
          if (entered !== undefined) await entered;
          if (this.#stopping) return;
        }
      }
    } catch (error) {
      if (!this.#stopping) this.#sourceError = { error };
    } finally {
      this.#options.lanes.close();
    }
  }

  /** Returns nothing when the job is in the queue at once: a promise would cost more than the rest of its way there. */
  #enter(job: J): Promise<void> | undefined {
    this.#isOneOutside = true;
    const admitted = this.#options.admit?.(job);
    return admitted === undefined ? this.#put(job) : admitted.then(() => this.#put(job));
  }

  #put(job: J): Promise<void> | undefined {
    const lane = this.#options.laneOf(job);
    if (this.#stopping) return undefined;
    this.#isOneOutside = false;
    const known = this.#options.known?.(job);
    return known === undefined ? this.#options.lanes.put(lane, job) : this.#give(known);
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
