import type { Clock } from './clock.ts';
import { Deque } from './deque.ts';
import { WakeHeap } from './heap.ts';

/** Says when a lane may give a job. Asked each time before a job is taken, so what it says may change at any time. */
export interface Limiter {
  /**
   * Time from which any lane may give its next job; at or before `now` means at once, Infinity not before one of the
   * jobs under way over all lanes, `inFlight` in number, is done.
   */
  nextAllowedAt(now: number, inFlight: number): number;
  /** The same for one lane; Infinity means not before one of its jobs is done. */
  laneNextAllowedAt(key: string, inFlight: number, now: number): number;
  /** A job of the lane was taken. */
  onDispatch(key: string, now: number): void;
}

/** The gate that lets everything through. */
export const UNLIMITED: Limiter = {
  nextAllowedAt: () => 0,
  laneNextAllowedAt: () => 0,
  onDispatch: () => {},
};

/** The jobs of one key in their order, and how many of them are under way. A node of a `LaneList`. */
class Lane<J> {
  readonly key: string;
  readonly jobs = new Deque<J>();
  inFlight = 0;
  /** Earliest time at which the gate is asked again, when it said no; Infinity when no time is known. */
  wakeAt = Number.POSITIVE_INFINITY;
  list: LaneList<J> | undefined;
  before: Lane<J> | undefined;
  after: Lane<J> | undefined;

  constructor(key: string) {
    this.key = key;
  }
}

/** A doubly linked list of lanes, so that a lane moves between lists in O(1). A lane is in one list at most. */
class LaneList<J> {
  #first: Lane<J> | undefined;
  #last: Lane<J> | undefined;

  get first(): Lane<J> | undefined {
    return this.#first;
  }

  append(lane: Lane<J>): void {
    lane.list = this;
    lane.before = this.#last;
    if (this.#last === undefined) this.#first = lane;
    else this.#last.after = lane;
    this.#last = lane;
  }

  remove(lane: Lane<J>): void {
    if (lane.before === undefined) this.#first = lane.after;
    else lane.before.after = lane.after;
    if (lane.after === undefined) this.#last = lane.before;
    else lane.after.before = lane.before;
    lane.list = lane.before = lane.after = undefined;
  }
}

/** The lanes whose turn may come: those with the fewest jobs under way first, and of those the one added first. */
class ReadyQueue<J> {
  /** By the number of jobs under way. */
  readonly #lists: LaneList<J>[] = [];
  /** No list before this one holds a lane; kept so that a host with a thousand jobs under way costs no thousand looks. */
  #lowest = 0;

  /** The lane whose turn it is. */
  get first(): Lane<J> | undefined {
    for (; this.#lowest < this.#lists.length; this.#lowest += 1) {
      const lane = this.#lists[this.#lowest]?.first;
      if (lane !== undefined) return lane;
    }
    return undefined;
  }

  /** Adds a lane that is in no list. */
  add(lane: Lane<J>): void {
    while (this.#lists.length <= lane.inFlight) this.#lists.push(new LaneList());
    this.#lists[lane.inFlight]?.append(lane);
    if (lane.inFlight < this.#lowest) this.#lowest = lane.inFlight;
  }

  remove(lane: Lane<J>): void {
    lane.list?.remove(lane);
  }
}

/** One timer, however often its time is changed. */
export class SingleTimer {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #at = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings once at `at`, and at no other time that was set before; never, when that is Infinity. */
  set(at: number, now: number): void {
    if (this.#at === at) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#at = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#cancel = this.#clock.after(at - now, () => {
      this.#cancel = undefined;
      this.#at = Number.POSITIVE_INFINITY;
      this.#ring();
    });
  }
}

interface Parked<J> {
  readonly key: string;
  readonly job: J;
}

/**
 * Decides which job is next: jobs in lanes, some of them parked until a time, and a gate in front of the lanes.
 * It neither waits nor bounds anything; `Lanes` does.
 *
 * A lane is known while it has a job to give or under way. The gate is asked for it when its turn comes, and having
 * said no, again when its time has come, when a job of it is done, or when it gets one more.
 */
export class Schedule<J extends object> {
  readonly #gate: Limiter;
  readonly #lanes = new Map<string, Lane<J>>();
  readonly #rota = new ReadyQueue<J>();
  readonly #waking = new WakeHeap<Parked<J> | Lane<J>>();
  #size = 0;
  #inFlight = 0;

  constructor(gate: Limiter) {
    this.#gate = gate;
  }

  /** Jobs held, parked ones included, without those under way. */
  get size(): number {
    return this.#size;
  }

  /** Jobs taken and not yet done. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Lanes known: those with a job to give or under way, however many there were. */
  get laneCount(): number {
    return this.#lanes.size;
  }

  /** Times waited for: one for each parked job and, if it has named one, for a lane; after an early opening one more. */
  get timeCount(): number {
    return this.#waking.size;
  }

  /** Adds a job at the end of the lane `key`. */
  append(key: string, job: J): void {
    this.#size += 1;
    this.#enqueue(key, job, 'last');
  }

  /** Adds a job at the head of the lane `key`. */
  prepend(key: string, job: J): void {
    this.#size += 1;
    this.#enqueue(key, job, 'first');
  }

  /** Keeps a job apart until `at`; then it goes to the head of the lane `key`. */
  park(key: string, job: J, at: number): void {
    this.#size += 1;
    this.#waking.push(at, { key, job });
  }

  /** Whether the lane `key` has a job that waits for nothing but its turn. */
  hasMore(key: string): boolean {
    return (this.#lanes.get(key)?.jobs.size ?? 0) > 0;
  }

  /** The next job, which is then under way; `undefined` when no lane may give one at `now`. */
  take(now: number): J | undefined {
    if (this.#size === 0) return undefined;
    this.#wake(now);
    if (this.#gate.nextAllowedAt(now, this.#inFlight) > now) return undefined;
    for (let lane = this.#rota.first; lane !== undefined; lane = this.#rota.first) {
      const openAt = this.#gate.laneNextAllowedAt(lane.key, lane.inFlight, now);
      if (openAt <= now) return this.#takeFrom(lane, now);
      this.#rota.remove(lane);
      if (openAt < lane.wakeAt) {
        lane.wakeAt = openAt;
        this.#waking.push(openAt, lane);
      }
    }
    return undefined;
  }

  /** @throws Error when no job of the lane `key` is under way: a bug of the caller. */
  done(key: string): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined || lane.inFlight === 0) {
      throw new Error(`Cannot finish a job of lane "${key}": none is under way`);
    }
    this.#inFlight -= 1;
    this.#rota.remove(lane);
    lane.inFlight -= 1;
    this.#settle(lane);
  }

  /** The earliest time at which `take` may give a job, after it gave none at `now`; Infinity when none is known. */
  nextChance(now: number): number {
    if (this.#size === 0) return Number.POSITIVE_INFINITY;
    const openAt = this.#gate.nextAllowedAt(now, this.#inFlight);
    return openAt > now ? openAt : this.#waking.next;
  }

  /** Gives up every job that is held, in no order. */
  clear(): J[] {
    const jobs: J[] = [];
    for (const waiting of this.#waking.drain()) if (!(waiting instanceof Lane)) jobs.push(waiting.job);
    for (const lane of this.#lanes.values()) {
      for (const job of lane.jobs.drain()) jobs.push(job);
      lane.wakeAt = Number.POSITIVE_INFINITY;
      this.#rota.remove(lane);
      this.#settle(lane);
    }
    this.#size = 0;
    return jobs;
  }

  /** Gives up the jobs that are held and for which this holds, in no order. */
  remove(isMeant: (job: J) => boolean): J[] {
    const jobs: J[] = [];
    const isParked = (waiting: Parked<J> | Lane<J>) => !(waiting instanceof Lane) && isMeant(waiting.job);
    for (const waiting of this.#waking.remove(isParked))
      if (!(waiting instanceof Lane)) jobs.push(waiting.job);
    for (const lane of this.#lanes.values()) {
      for (const job of lane.jobs.remove(isMeant)) jobs.push(job);
      if (lane.jobs.size > 0) continue;
      this.#rota.remove(lane);
      this.#settle(lane);
    }
    this.#size -= jobs.length;
    return jobs;
  }

  #enqueue(key: string, job: J, place: 'first' | 'last'): void {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(key);
      this.#lanes.set(key, lane);
    }
    if (place === 'first') lane.jobs.unshift(job);
    else lane.jobs.push(job);
    if (lane.list === undefined) this.#rota.add(lane);
  }

  #takeFrom(lane: Lane<J>, now: number): J | undefined {
    const job = lane.jobs.shift();
    this.#size -= 1;
    this.#inFlight += 1;
    this.#gate.onDispatch(lane.key, now);
    this.#rota.remove(lane);
    lane.inFlight += 1;
    this.#settle(lane);
    return job;
  }

  /** Puts a lane that has jobs where its number of jobs under way belongs, and forgets one that has nothing left. */
  #settle(lane: Lane<J>): void {
    if (lane.jobs.size > 0) this.#rota.add(lane);
    else if (lane.inFlight === 0) this.#lanes.delete(lane.key);
  }

  /** Brings back what is due: parked jobs to the head of their lane, lanes that wait for a time to the rota. */
  #wake(now: number): void {
    if (this.#waking.next > now) return;
    const parked: Parked<J>[] = [];
    for (let due = this.#waking.popDue(now); due !== undefined; due = this.#waking.popDue(now)) {
      if (due instanceof Lane) this.#wakeLane(due, now);
      else parked.push(due);
    }
    // Each goes to the head, so the one that was due first has to be the last.
    for (const { key, job } of parked.reverse()) this.#enqueue(key, job, 'first');
  }

  #wakeLane(lane: Lane<J>, now: number): void {
    if (lane.wakeAt > now) return; // An earlier time was named later on: that one was for this lane.
    lane.wakeAt = Number.POSITIVE_INFINITY;
    if (lane.list === undefined && lane.jobs.size > 0) this.#rota.add(lane);
  }
}

interface SchedulerOptions {
  /** How many jobs are held before `put` waits. */
  readonly capacity: number;
  readonly clock: Clock;
  readonly gate?: Limiter;
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
export class Scheduler<J extends object> {
  readonly #capacity: number;
  readonly #clock: Clock;
  readonly #schedule: Schedule<J>;
  readonly #alarm: SingleTimer;
  readonly #isHeld: (() => boolean) | undefined;
  readonly #takers = new Deque<(job: J | undefined) => void>();
  readonly #putters = new Deque<Putter<J>>();
  #closed = false;

  /** @throws RangeError when the capacity is not a whole number above 0. */
  constructor(options: SchedulerOptions) {
    const { capacity, clock, gate = UNLIMITED } = options;
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot use "${capacity}" as a capacity: it must be a whole number above 0`);
    }
    this.#capacity = capacity;
    this.#isHeld = options.isHeld;
    this.#clock = clock;
    this.#schedule = new Schedule(gate);
    this.#alarm = new SingleTimer(clock, () => this.#serve());
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
