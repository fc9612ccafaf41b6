import type { Gate } from './gate.ts';
import { Lane } from './lane.ts';
import { Rota } from './rota.ts';
import { WakeHeap } from './wake-heap.ts';

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
  readonly #gate: Gate;
  readonly #lanes = new Map<string, Lane<J>>();
  readonly #rota = new Rota<J>();
  readonly #waking = new WakeHeap<Parked<J> | Lane<J>>();
  #size = 0;
  #inFlight = 0;

  constructor(gate: Gate) {
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
    if (this.#gate.openAt(now, this.#inFlight) > now) return undefined;
    for (let lane = this.#rota.first; lane !== undefined; lane = this.#rota.first) {
      const openAt = this.#gate.laneOpenAt(lane.key, lane.inFlight, now);
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
    const openAt = this.#gate.openAt(now, this.#inFlight);
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
    this.#gate.taken(lane.key, now);
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
