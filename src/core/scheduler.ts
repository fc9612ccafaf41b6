import { type Clock, SingleTimer } from './clock.ts';
import { Deque } from './deque.ts';
import { MinHeap } from './heap.ts';

/** Says when jobs may be dispatched. It is called before each dispatch, so the times may change. */
export interface Limiter {
  /**
   * When the next job of any key may be dispatched: `now` or earlier for at once, Infinity if one of the jobs in flight must
   * be released first.
   *
   * @param inFlight jobs in flight over all keys
   */
  nextAllowedAt(now: number, inFlight: number): number;
  /** The same for the jobs of one key, `inFlight` of which are in flight. */
  keyNextAllowedAt(key: string, inFlight: number, now: number): number;
  /** About how many jobs of the key can be in flight at once; less than 1 if there is a gap between them. */
  keyCapacity(key: string): number;
  /** A job of the key was dispatched. */
  onDispatch(key: string, now: number): void;
  /**
   * A job of the key was released, whatever was done with it; `inFlight` others are in flight. `hasMore` if none is, and a job
   * of the key is held that is not delayed.
   */
  onRelease(key: string, inFlight: number, now: number, hasMore: boolean): void;
}

interface SchedulerOptions<J> {
  /** Number of jobs held before `put` waits. */
  readonly capacity: number;
  /** Size of the jobs held before `put` waits, as `sizeOf` counts it. */
  readonly maxBytes?: number | undefined;
  /** The size of a job, which must not change. */
  readonly sizeOf?: ((job: J) => number) | undefined;
  /** Takers at most. If unset, no key is preferred. */
  readonly workers?: number | undefined;
  readonly clock: Clock;
  readonly limiter: Limiter;
}

/**
 * The job queue: bounded, and fair over keys, such as the host of a job.
 *
 * - `take` gives a job of a key that the limiter allows: the key with the fewest jobs in flight, and of several such keys the
 *   one that has waited longest. The jobs of one key are first in, first out.
 * - A key whose jobs would end last, since few of them can be in flight at once, comes before the others. It still gets a
 *   smaller share of the workers than it has of the jobs.
 * - `put` waits while `capacity` jobs are held, or jobs of `maxBytes`. `requeue` puts a taken job back, at once or at a later
 *   time, and never waits, so at most `capacity` plus the number of workers are held.
 * - `release` must follow each `take`, after the `requeue` if there is one.
 * - After `close`, `take` gives `undefined` once nothing is held and nothing is in flight.
 *
 * Each operation is O(log n) in the jobs and keys that wait for a time, and O(1) in everything else. `removeWhere` and `clear`
 * are O(jobs held).
 */
export class Scheduler<J extends object> {
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #clock: Clock;
  readonly #limiter: Limiter;
  readonly #queue: FairQueue<J>;
  readonly #timer: SingleTimer;
  readonly #takers = new Deque<(job: J | undefined) => void>();
  readonly #putters = new Deque<Putter<J>>();
  readonly #roomToAdmit: number;
  #isClosed = false;

  /** @throws RangeError if the capacity is not a whole number above 0 */
  constructor({ capacity, maxBytes, sizeOf, workers, clock, limiter }: SchedulerOptions<J>) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot use "${capacity}" as a capacity: it must be a whole number above 0`);
    }
    this.#capacity = capacity;
    this.#roomToAdmit = Math.min(MAX_ROOM, Math.ceil(capacity / 100));
    this.#maxBytes = maxBytes ?? Number.POSITIVE_INFINITY;
    this.#clock = clock;
    this.#limiter = limiter;
    this.#queue = new FairQueue(limiter, sizeOf, workers);
    this.#timer = new SingleTimer(clock, () => this.#dispatch());
  }

  /** Jobs held, delayed ones included, jobs in flight not. */
  get size(): number {
    return this.#queue.size;
  }

  /** Jobs taken and not yet released. */
  get inFlight(): number {
    return this.#queue.inFlight;
  }

  /** Whether a job of the key is held that is not delayed. */
  hasMore(key: string): boolean {
    return this.#queue.hasMore(key);
  }

  /** Returns undefined if the job was accepted synchronously, or a promise that waits for room. */
  put(key: string, job: J): Promise<void> | undefined {
    if (this.#isClosed) throw new Error('Cannot put a job: the queue is closed');
    if (this.#isFull) {
      return new Promise((accept) => this.#putters.push({ key, job, accept }));
    }
    this.#queue.append(key, job);
    this.#dispatch();
    return undefined;
  }

  /** Puts a taken job back, at the head of the key it now belongs to; or if `at` is later than now, at its end from then on. */
  requeue(key: string, job: J, at: number): void {
    if (at <= this.#clock.now()) this.#queue.prepend(key, job);
    else this.#queue.delay(key, job, at);
    this.#dispatch();
  }

  /** Gives the next job, synchronously if one is allowed now; `undefined` at the end. */
  take(): J | undefined | Promise<J | undefined> {
    if (this.#takers.size === 0) {
      const job = this.#next(this.#clock.now());
      if (job !== undefined || this.#hasEnded()) return job;
    }
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#dispatch();
    });
  }

  /** A job that was taken for the key is no longer in flight. */
  release(key: string): void {
    const inFlight = this.#queue.release(key);
    this.#limiter.onRelease(key, inFlight, this.#clock.now(), inFlight === 0 && this.#queue.hasMore(key));
    this.#dispatch();
  }

  /** Ends `put`. */
  close(): void {
    this.#isClosed = true;
    this.#dispatch();
  }

  /** Removes and returns all jobs that are held or wait in `put`, in no particular order. */
  clear(): J[] {
    const jobs = this.#queue.clear();
    for (const { job, accept } of this.#putters.drain()) {
      jobs.push(job);
      accept();
    }
    this.#dispatch();
    return jobs;
  }

  /** Removes and returns the held jobs that match, in no particular order. */
  removeWhere(matches: (job: J) => boolean): J[] {
    const jobs = this.#queue.removeWhere(matches);
    this.#admit();
    this.#dispatch();
    return jobs;
  }

  get #isFull(): boolean {
    return this.#queue.size >= this.#capacity || this.#queue.bytes >= this.#maxBytes;
  }

  #next(now: number): J | undefined {
    const job = this.#queue.take(now);
    if (job !== undefined) this.#admit();
    return job;
  }

  /** Accepts jobs that wait in `put`. It must not dispatch, since it runs while a job is chosen for the first taker. */
  #admit(): void {
    if (this.#queue.size > this.#capacity - this.#roomToAdmit) return;
    while (this.#putters.size > 0 && !this.#isFull) {
      const putter = this.#putters.shift();
      if (putter === undefined) return;
      this.#queue.append(putter.key, putter.job);
      putter.accept();
    }
  }

  /**
   * Gives jobs to the takers that wait, and sets the timer if some still wait. The clock is read once: if a key became allowed
   * between the last refusal and the setting of the timer, no timer would be set for it.
   */
  #dispatch(): void {
    if (this.#takers.size === 0) return;
    const now = this.#clock.now();
    while (this.#takers.size > 0) {
      const job = this.#next(now);
      if (job === undefined && !this.#hasEnded()) break;
      this.#takers.shift()?.(job);
    }
    const isWaiting = this.#takers.size > 0;
    this.#timer.set(isWaiting ? this.#queue.nextTakeAt(now) : Number.POSITIVE_INFINITY, now);
  }

  /** If nothing is held, no `put` waits either. */
  #hasEnded(): boolean {
    return this.#isClosed && this.size === 0 && this.inFlight === 0;
  }
}

/** A full queue takes no job before it has room for this many, so that not each job of a long list waits by itself. */
const MAX_ROOM = 64;

interface Putter<J> {
  readonly key: string;
  readonly job: J;
  readonly accept: () => void;
}

/**
 * The order of the jobs: a queue for each key, jobs that are delayed, and a limiter. It neither waits nor is bounded.
 *
 * A key is held while it has a job waiting or in flight. The limiter is called for it when it is next in turn. If it refuses,
 * it is called again at the time it gave, when a job of the key is released, or when one is added.
 */
export class FairQueue<J extends object> {
  readonly #limiter: Limiter;
  readonly #keys = new Map<string, KeyQueue<J>>();
  readonly #ready = new ReadyQueue<J>();
  /** Delayed jobs, and keys that the limiter allows from a known time on. */
  readonly #waiting = new MinHeap<Delayed<J> | KeyQueue<J>>();
  readonly #sizeOf: ((job: J) => number) | undefined;
  readonly #workers: number;
  #size = 0;
  #bytes = 0;
  #inFlight = 0;

  constructor(limiter: Limiter, sizeOf?: (job: J) => number, workers = 0) {
    this.#limiter = limiter;
    this.#sizeOf = sizeOf;
    this.#workers = workers;
  }

  /** Jobs held, delayed ones included, jobs in flight not. */
  get size(): number {
    return this.#size;
  }

  /** Size of the jobs held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Jobs taken and not yet released. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Keys with a job waiting or in flight. */
  get keyCount(): number {
    return this.#keys.size;
  }

  /** Times waited for: one for each delayed job, and mostly one for each key that is allowed at a known time. */
  get timeCount(): number {
    return this.#waiting.size;
  }

  /** Adds a job at the end of its key. */
  append(key: string, job: J): void {
    this.#count(job, 1);
    this.#enqueue(key, job, 'last');
  }

  /** Adds a job at the head of its key. */
  prepend(key: string, job: J): void {
    this.#count(job, 1);
    this.#enqueue(key, job, 'first');
  }

  /** Holds a job until `at`; then it goes to the end of its key, so that those which may be better off come first. */
  delay(key: string, job: J, at: number): void {
    this.#count(job, 1);
    this.#waiting.push(at, { key, job });
  }

  /** Whether a job of the key is held that is not delayed. */
  hasMore(key: string): boolean {
    return (this.#keys.get(key)?.jobs.size ?? 0) > 0;
  }

  /** Takes the next job, which is then in flight; `undefined` if none is allowed at `now`. */
  take(now: number): J | undefined {
    if (this.#size === 0) return undefined;
    this.#wake(now);
    if (this.#limiter.nextAllowedAt(now, this.#inFlight) > now) return undefined;
    for (let queue = this.#ready.first; queue !== undefined; queue = this.#ready.first) {
      const allowedAt = this.#limiter.keyNextAllowedAt(queue.key, queue.inFlight, now);
      if (allowedAt <= now) return this.#takeFrom(queue, now);
      this.#ready.remove(queue);
      if (allowedAt < queue.wakeAt) {
        queue.wakeAt = allowedAt;
        this.#waiting.push(allowedAt, queue);
      }
    }
    return undefined;
  }

  /**
   * Returns the number of jobs of the key that are still in flight.
   *
   * @throws Error if no job of the key is in flight: a bug of the caller
   */
  release(key: string): number {
    const queue = this.#keys.get(key);
    if (queue === undefined || queue.inFlight === 0) {
      throw new Error(`Cannot release a job of key "${key}": none is in flight`);
    }
    this.#inFlight -= 1;
    this.#ready.remove(queue);
    queue.inFlight -= 1;
    this.#place(queue);
    return queue.inFlight;
  }

  /** The earliest time at which `take`, which gave nothing at `now`, may give a job; Infinity if none is known. */
  nextTakeAt(now: number): number {
    if (this.#size === 0) return Number.POSITIVE_INFINITY;
    const allowedAt = this.#limiter.nextAllowedAt(now, this.#inFlight);
    return allowedAt > now ? allowedAt : this.#waiting.minKey;
  }

  /** Removes and returns all jobs held, in no particular order. */
  clear(): J[] {
    const jobs: J[] = [];
    for (const waiting of this.#waiting.drain()) if (!(waiting instanceof KeyQueue)) jobs.push(waiting.job);
    for (const queue of this.#keys.values()) {
      for (const job of queue.jobs.drain()) jobs.push(job);
      queue.wakeAt = Number.POSITIVE_INFINITY;
      this.#ready.remove(queue);
      this.#place(queue);
    }
    this.#size = this.#bytes = 0;
    return jobs;
  }

  /** Removes and returns the jobs held that match, in no particular order. */
  removeWhere(matches: (job: J) => boolean): J[] {
    const jobs: J[] = [];
    const isMatch = (waiting: Delayed<J> | KeyQueue<J>) =>
      !(waiting instanceof KeyQueue) && matches(waiting.job);
    for (const waiting of this.#waiting.removeWhere(isMatch))
      if (!(waiting instanceof KeyQueue)) jobs.push(waiting.job);
    for (const queue of this.#keys.values()) {
      for (const job of queue.jobs.removeWhere(matches)) jobs.push(job);
      if (queue.jobs.size > 0) continue;
      this.#ready.remove(queue);
      this.#place(queue);
    }
    for (const job of jobs) this.#count(job, -1);
    return jobs;
  }

  #count(job: J, change: 1 | -1): void {
    this.#size += change;
    if (this.#sizeOf !== undefined) this.#bytes += change * this.#sizeOf(job);
  }

  #enqueue(key: string, job: J, end: 'first' | 'last'): void {
    let queue = this.#keys.get(key);
    if (queue === undefined) {
      queue = new KeyQueue(key);
      this.#keys.set(key, queue);
    }
    if (end === 'first') queue.jobs.unshift(job);
    else queue.jobs.push(job);
    // A key that waits for its turn is looked at again only now and then, as the number of its jobs grows.
    const { size } = queue.jobs;
    if (queue.list !== undefined && (size & (size - 1)) === 0 && this.#endsLast(queue))
      this.#ready.remove(queue);
    if (queue.list === undefined) this.#addReady(queue);
  }

  #takeFrom(queue: KeyQueue<J>, now: number): J | undefined {
    const job = queue.jobs.shift();
    if (job !== undefined) this.#count(job, -1);
    this.#inFlight += 1;
    this.#limiter.onDispatch(queue.key, now);
    this.#ready.remove(queue);
    queue.inFlight += 1;
    this.#place(queue);
    return job;
  }

  /** Makes a key with jobs ready, at the place of its jobs in flight, and forgets one that has none left. */
  #place(queue: KeyQueue<J>): void {
    if (queue.jobs.size > 0) this.#addReady(queue);
    else if (queue.inFlight === 0) this.#keys.delete(queue.key);
  }

  /** Moves delayed jobs that are due to the end of their key, and makes keys ready whose time has come. */
  #wake(now: number): void {
    for (let due = this.#waiting.popUpTo(now); due !== undefined; due = this.#waiting.popUpTo(now)) {
      if (due instanceof KeyQueue) this.#wakeKey(due, now);
      else this.#enqueue(due.key, due.job, 'last');
    }
  }

  #wakeKey(queue: KeyQueue<J>, now: number): void {
    if (queue.wakeAt > now) return; // an earlier time was given later, and that one has been handled
    queue.wakeAt = Number.POSITIVE_INFINITY;
    if (queue.list === undefined && queue.jobs.size > 0) this.#addReady(queue);
  }

  #addReady(queue: KeyQueue<J>): void {
    if (this.#endsLast(queue)) this.#ready.addFirst(queue);
    else this.#ready.add(queue);
  }

  /** Whether the jobs of a key, with as many in flight as it allows, need more rounds than all jobs with all workers. */
  #endsLast({ key, jobs }: KeyQueue<J>): boolean {
    const share = (jobs.size * this.#workers) / this.#size;
    return share > MIN_SHARE && share > this.#limiter.keyCapacity(key);
  }
}

/** A key whose share of the jobs is worth fewer workers than this is not asked for its capacity, which takes time. */
const MIN_SHARE = 0.1;

interface Delayed<J> {
  readonly key: string;
  readonly job: J;
}

/** The jobs of one key in their order, and the number of them in flight. A node of a `KeyList`. */
class KeyQueue<J> {
  readonly key: string;
  readonly jobs = new Deque<J>();
  inFlight = 0;
  /** When to call the limiter again, which refused; Infinity if no time is known. */
  wakeAt = Number.POSITIVE_INFINITY;
  list: KeyList<J> | undefined;
  before: KeyQueue<J> | undefined;
  after: KeyQueue<J> | undefined;

  constructor(key: string) {
    this.key = key;
  }
}

/** The keys that may be next: by the number of jobs in flight, and for equal numbers in the order in which they were added. */
class ReadyQueue<J> {
  /** They come before all others. */
  readonly #preferred = new KeyList<J>();
  /** Indexed by the number of jobs in flight. */
  readonly #lists: KeyList<J>[] = [];
  /** All lists before this one are empty. Without it, a key with a thousand jobs in flight would cost a thousand steps. */
  #lowest = 0;

  get first(): KeyQueue<J> | undefined {
    if (this.#preferred.first !== undefined) return this.#preferred.first;
    for (; this.#lowest < this.#lists.length; this.#lowest += 1) {
      const queue = this.#lists[this.#lowest]?.first;
      if (queue !== undefined) return queue;
    }
    return undefined;
  }

  /** Adds a key that is in no list. */
  add(queue: KeyQueue<J>): void {
    while (this.#lists.length <= queue.inFlight) this.#lists.push(new KeyList());
    this.#lists[queue.inFlight]?.append(queue);
    if (queue.inFlight < this.#lowest) this.#lowest = queue.inFlight;
  }

  /** Adds a key that is in no list, before those that were added by `add`. */
  addFirst(queue: KeyQueue<J>): void {
    this.#preferred.append(queue);
  }

  remove(queue: KeyQueue<J>): void {
    queue.list?.remove(queue);
  }
}

/** A doubly linked list, so that a key moves between lists in O(1). A key is in at most one list. */
class KeyList<J> {
  #first: KeyQueue<J> | undefined;
  #last: KeyQueue<J> | undefined;

  get first(): KeyQueue<J> | undefined {
    return this.#first;
  }

  append(queue: KeyQueue<J>): void {
    queue.list = this;
    queue.before = this.#last;
    if (this.#last === undefined) this.#first = queue;
    else this.#last.after = queue;
    this.#last = queue;
  }

  remove(queue: KeyQueue<J>): void {
    if (queue.before === undefined) this.#first = queue.after;
    else queue.before.after = queue.after;
    if (queue.after === undefined) this.#last = queue.before;
    else queue.after.before = queue.before;
    queue.list = queue.before = queue.after = undefined;
  }
}
