import type { Clock } from './clock.ts';
import { Deque } from './deque.ts';
import { Lane, LaneList } from './lane.ts';
import { WakeHeap } from './wake-heap.ts';

/** Says when a lane may give a job. Asked each time before a job is taken, so what it says may change at any time. */
export interface Gate {
  /** Time from which any lane may give its next job; at or before `now` means at once. */
  openAt(now: number): number;
  /** The same for one lane; Infinity means not before one of its jobs is done. */
  laneOpenAt(key: string, inFlight: number, now: number): number;
  /** A job of the lane was taken. */
  taken(key: string, now: number): void;
}

/** The gate that lets everything through. */
export const OPEN_GATE: Gate = { openAt: () => 0, laneOpenAt: () => 0, taken: () => {} };

export interface LanesOptions {
  /** How many jobs are held before `put` waits. */
  readonly capacity: number;
  readonly clock: Clock;
  readonly gate?: Gate;
}

interface Parked<J> {
  readonly key: string;
  readonly job: J;
}

interface Putter<J> extends Parked<J> {
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
  readonly #gate: Gate;
  readonly #lanes = new Map<string, Lane<J>>();
  /** Lanes that may have a job to give, by how many of their jobs are under way. */
  readonly #ready: LaneList<J>[] = [];
  readonly #waking = new WakeHeap<Parked<J> | Lane<J>>();
  readonly #takers = new Deque<(job: J | undefined) => void>();
  readonly #putters = new Deque<Putter<J>>();
  #held = 0;
  #inFlight = 0;
  #closed = false;
  #timer: { at: number; cancel: () => void } | undefined;

  constructor(options: LanesOptions) {
    this.#capacity = options.capacity;
    this.#clock = options.clock;
    this.#gate = options.gate ?? OPEN_GATE;
  }

  /** Jobs held, parked ones included, without those under way. */
  get size(): number {
    return this.#held;
  }

  /** Jobs taken and not yet done. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Returns nothing when the job was taken in at once, or a promise that waits for room. */
  put(key: string, job: J): Promise<void> | undefined {
    if (this.#closed) throw new Error('Cannot put a job: the queue is closed');
    if (this.#held >= this.#capacity) {
      return new Promise((accepted) => this.#putters.push({ key, job, accepted }));
    }
    this.#hold(key, job);
    if (this.#takers.size > 0) this.#serve();
    return undefined;
  }

  /** Puts a taken job back at the head of the lane `key`, to be taken again at `at` or later. */
  again(key: string, job: J, at: number): void {
    this.#held += 1;
    if (at <= this.#clock.now()) this.#enqueue(key, job, 'first');
    else this.#waking.push(at, { key, job });
    this.#serve();
  }

  /** The next job, at once when a lane may give one. */
  take(): J | undefined | Promise<J | undefined> {
    if (this.#takers.size === 0) {
      const job = this.#select(this.#clock.now());
      if (job !== undefined || this.#hasEnded()) return job;
    }
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#serve();
    });
  }

  /** A job that was taken from the lane `key` is no longer under way. */
  done(key: string): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined || lane.inFlight === 0) throw new Error(`No job of lane "${key}" is under way`);
    this.#inFlight -= 1;
    lane.list?.remove(lane);
    lane.inFlight -= 1;
    this.#list(lane);
    this.#serve();
  }

  /** No more jobs will be put. */
  close(): void {
    this.#closed = true;
    this.#serve();
  }

  /** Throws away every job that is held or waits to be put, and says how many there were. */
  clear(): number {
    const count = this.#held + this.#putters.size;
    this.#waking.clear();
    for (const lane of this.#lanes.values()) {
      for (const _ of lane.jobs.drain());
      lane.list?.remove(lane);
      lane.wakeAt = Number.POSITIVE_INFINITY;
      if (lane.inFlight === 0) this.#lanes.delete(lane.key);
    }
    this.#held = 0;
    for (const putter of this.#putters.drain()) putter.accepted();
    this.#serve();
    return count;
  }

  #hold(key: string, job: J): void {
    this.#held += 1;
    this.#enqueue(key, job, 'last');
  }

  #enqueue(key: string, job: J, place: 'first' | 'last'): void {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(key);
      this.#lanes.set(key, lane);
    }
    if (place === 'first') lane.jobs.unshift(job);
    else lane.jobs.push(job);
    if (lane.list === undefined && lane.wakeAt === Number.POSITIVE_INFINITY) this.#list(lane);
  }

  /** Makes a lane that has jobs selectable, and forgets one that has nothing left. */
  #list(lane: Lane<J>): void {
    if (lane.jobs.size === 0) {
      if (lane.inFlight === 0) this.#lanes.delete(lane.key);
      return;
    }
    while (this.#ready.length <= lane.inFlight) this.#ready.push(new LaneList());
    this.#ready[lane.inFlight]?.append(lane);
  }

  #select(now: number): J | undefined {
    if (this.#held === 0) return undefined;
    this.#wake(now);
    if (this.#gate.openAt(now) > now) return undefined;
    for (const list of this.#ready) {
      for (let lane = list.first; lane !== undefined; lane = list.first) {
        const openAt = this.#gate.laneOpenAt(lane.key, lane.inFlight, now);
        if (openAt <= now) return this.#takeFrom(lane, now);
        list.remove(lane);
        if (openAt < lane.wakeAt) {
          lane.wakeAt = openAt;
          this.#waking.push(openAt, lane);
        }
      }
    }
    return undefined;
  }

  #takeFrom(lane: Lane<J>, now: number): J | undefined {
    const job = lane.jobs.shift();
    this.#held -= 1;
    this.#inFlight += 1;
    this.#gate.taken(lane.key, now);
    lane.list?.remove(lane);
    lane.inFlight += 1;
    this.#list(lane);
    this.#admit();
    return job;
  }

  /** Lets putters in. Gives no job to a worker: it runs while one is being chosen for the worker that is next. */
  #admit(): void {
    while (this.#putters.size > 0 && this.#held < this.#capacity) {
      const putter = this.#putters.shift();
      if (putter === undefined) return;
      this.#hold(putter.key, putter.job);
      putter.accepted();
    }
  }

  /** Brings back what is due: parked jobs to the head of their lane, waiting lanes to the ready ones. */
  #wake(now: number): void {
    for (let due = this.#waking.popDue(now); due !== undefined; due = this.#waking.popDue(now)) {
      if (!(due instanceof Lane)) {
        this.#enqueue(due.key, due.job, 'first');
      } else if (due.wakeAt <= now) {
        due.wakeAt = Number.POSITIVE_INFINITY;
        if (due.list === undefined && this.#lanes.get(due.key) === due) this.#list(due);
      }
    }
  }

  /**
   * Gives jobs to the workers that wait, until there is none to give or nobody waits. The clock is read once: a gate
   * that opened between the last refusal and the setting of the timer would wake nobody.
   */
  #serve(): void {
    if (this.#takers.size === 0 && this.#timer === undefined) return;
    const now = this.#clock.now();
    while (this.#takers.size > 0) {
      const job = this.#select(now);
      if (job === undefined && !this.#hasEnded()) break;
      this.#takers.shift()?.(job);
    }
    this.#setTimer(now);
  }

  #hasEnded(): boolean {
    return this.#closed && this.#held === 0 && this.#inFlight === 0 && this.#putters.size === 0;
  }

  /** Keeps one timer, for the earliest time at which a waiting worker may find a job. */
  #setTimer(now: number): void {
    const at = this.#nextChance(now);
    if (this.#timer?.at === at) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (at === Number.POSITIVE_INFINITY) return;
    const cancel = this.#clock.after(at - now, () => {
      this.#timer = undefined;
      this.#serve();
    });
    this.#timer = { at, cancel };
  }

  #nextChance(now: number): number {
    if (this.#takers.size === 0 || this.#held === 0) return Number.POSITIVE_INFINITY;
    const openAt = this.#gate.openAt(now);
    return openAt > now ? openAt : this.#waking.next;
  }
}
