import { Alarm } from './alarm.ts';
import type { Clock } from './clock.ts';
import { Deque } from './deque.ts';
import { type Gate, OPEN_GATE } from './gate.ts';
import { Schedule } from './schedule.ts';

export interface LanesOptions {
  /** How many jobs are held before `put` waits. */
  readonly capacity: number;
  readonly clock: Clock;
  readonly gate?: Gate;
  /** Whether jobs may still come by `again`, though none is held or under way: then the queue has not ended. */
  readonly isHeld?: () => boolean;
}

interface Putter<J> {
  readonly key: string;
  readonly job: J;
  readonly accepted: () => void;
}

/**
 * The job queue: bounded, and fair over lanes (one lane for each key, say each host).
 *
 * - `take` gives a job of a lane that may give one now; of those, of the lane with the fewest jobs under way, and of
 *   those, of the lane that has waited longest. Within a lane the order is first in, first out.
 * - `put` waits while `capacity` jobs are held. `again` puts a taken job back, at once or from a later time on, and
 *   never waits, so at most `capacity` + the number of workers are held.
 * - Every taken job is given up with `done(key)`, after `again` if it comes again.
 * - After `close`, `take` gives `undefined` as soon as nothing is held and nothing is under way.
 *
 * Each operation is O(log n) in the jobs and lanes that wait for a time, O(1) in all others.
 */
export class Lanes<J extends object> {
  readonly #capacity: number;
  readonly #clock: Clock;
  readonly #schedule: Schedule<J>;
  readonly #alarm: Alarm;
  readonly #isHeld: (() => boolean) | undefined;
  readonly #takers = new Deque<(job: J | undefined) => void>();
  readonly #putters = new Deque<Putter<J>>();
  #closed = false;

  /** @throws RangeError when the capacity is not a whole number above 0. */
  constructor(options: LanesOptions) {
    const { capacity, clock, gate = OPEN_GATE } = options;
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot use "${capacity}" as a capacity: it must be a whole number above 0`);
    }
    this.#capacity = capacity;
    this.#isHeld = options.isHeld;
    this.#clock = clock;
    this.#schedule = new Schedule(gate);
    this.#alarm = new Alarm(clock, () => this.#serve());
  }

  /** Jobs held, parked ones included, without those under way. */
  get size(): number {
    return this.#schedule.size;
  }

  /** Jobs taken and not yet done. */
  get inFlight(): number {
    return this.#schedule.inFlight;
  }

  /** Whether the lane `key` holds a job that waits for nothing but its turn. */
  hasMore(key: string): boolean {
    return this.#schedule.hasMore(key);
  }

  /** Returns nothing when the job was taken in at once, or a promise that waits for room. */
  put(key: string, job: J): Promise<void> | undefined {
    if (this.#closed) throw new Error('Cannot put a job: the queue is closed');
    if (this.size >= this.#capacity) {
      return new Promise((accepted) => this.#putters.push({ key, job, accepted }));
    }
    this.#schedule.append(key, job);
    this.#serve();
    return undefined;
  }

  /** Puts a taken job back at the head of the lane `key`, to be taken again at `at` or later. */
  again(key: string, job: J, at: number): void {
    if (at <= this.#clock.now()) this.#schedule.prepend(key, job);
    else this.#schedule.park(key, job, at);
    this.#serve();
  }

  /** The next job, at once when a lane may give one. */
  take(): J | undefined | Promise<J | undefined> {
    if (this.#takers.size === 0) {
      const job = this.#next(this.#clock.now());
      if (job !== undefined || this.#hasEnded()) return job;
    }
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#serve();
    });
  }

  /** A job that was taken from the lane `key` is no longer under way. */
  done(key: string): void {
    this.#schedule.done(key);
    this.#serve();
  }

  /** No more jobs will be put. To be called again when `isHeld` has come to an end. */
  close(): void {
    this.#closed = true;
    this.#serve();
  }

  /** Throws away every job that is held or waits to be put, and returns them in no order. */
  clear(): J[] {
    const jobs = this.#schedule.clear();
    for (const { job, accepted } of this.#putters.drain()) {
      jobs.push(job);
      accepted();
    }
    this.#serve();
    return jobs;
  }

  /** Throws away the jobs that are held and for which this holds, and returns them in no order. */
  remove(isMeant: (job: J) => boolean): J[] {
    const jobs = this.#schedule.remove(isMeant);
    this.#admit();
    this.#serve();
    return jobs;
  }

  #next(now: number): J | undefined {
    const job = this.#schedule.take(now);
    if (job !== undefined) this.#admit();
    return job;
  }

  /** Lets putters in. Gives no job to a worker: it runs while one is being chosen for the worker that is next. */
  #admit(): void {
    while (this.#putters.size > 0 && this.size < this.#capacity) {
      const putter = this.#putters.shift();
      if (putter === undefined) return;
      this.#schedule.append(putter.key, putter.job);
      putter.accepted();
    }
  }

  /**
   * Gives jobs to the workers that wait, until there is none to give or nobody waits. The clock is read once: a gate
   * that opened between the last refusal and the setting of the alarm would wake nobody.
   */
  #serve(): void {
    if (this.#takers.size === 0) return;
    const now = this.#clock.now();
    while (this.#takers.size > 0) {
      const job = this.#next(now);
      if (job === undefined && !this.#hasEnded()) break;
      this.#takers.shift()?.(job);
    }
    const isAnyoneWaiting = this.#takers.size > 0;
    this.#alarm.set(isAnyoneWaiting ? this.#schedule.nextChance(now) : Number.POSITIVE_INFINITY, now);
  }

  /** Nobody can be waiting to put when nothing is held. */
  #hasEnded(): boolean {
    return this.#closed && this.size === 0 && this.inFlight === 0 && this.#isHeld?.() !== true;
  }
}
