import { firstHop, firstMethod, type Hop, type HostHeaders, type RequestDefaults } from '../http/hop.ts';
import type { Job } from '../model/job.ts';
import type { Redirect } from '../model/result.ts';
import { hostOf } from '../model/url.ts';

const NO_REDIRECTS: readonly Redirect[] = [];

/** How far a task has come, as plain data. */
export interface TaskState {
  /** Left out when it is the first. */
  readonly hop: Hop | undefined;
  readonly attempts: number;
  readonly redirects: readonly Redirect[];
  readonly startedAt: number;
  readonly elapsedMs: number;
  readonly ttfbMs: number | undefined;
  readonly isUnderWay: boolean;
}

/** A job on its way: the hop that is sent next, and what has happened so far. Goes through the queue once for each hop. */
export class RequestTask {
  readonly job: Job;
  readonly #defaults: RequestDefaults;
  #hop: Hop | undefined;
  /** The lane it belongs to: the host of the next hop. */
  lane: string;
  attempts = 0;
  redirects = NO_REDIRECTS;
  /** Start of the present attempt in ms since the epoch, and the time its hops took so far. */
  startedAt = 0;
  elapsedMs = 0;
  ttfbMs: number | undefined = undefined;
  isUnderWay = false;
  /** When the first of the shortages was met that alone it has met of late. */
  shortSince: number | undefined = undefined;

  constructor(job: Job, defaults: RequestDefaults) {
    this.job = job;
    this.#defaults = defaults;
    this.lane = job.invalid === undefined ? hostOf(job.url) : '';
  }

  /** A task that goes on where another one, of the same job, stood. */
  static from(job: Job, defaults: RequestDefaults, { hop, ...state }: TaskState): RequestTask {
    const task = new RequestTask(job, defaults);
    if (hop !== undefined) task.#aim(hop);
    return Object.assign(task, state);
  }

  get state(): TaskState {
    const { attempts, redirects, startedAt, elapsedMs, ttfbMs, isUnderWay } = this;
    return { hop: this.#hop, attempts, redirects, startedAt, elapsedMs, ttfbMs, isUnderWay };
  }

  /** What is sent next. Made when it is asked for: thousands of tasks wait in the queue. */
  get hop(): Hop {
    this.#hop ??= firstHop(this.job, this.#defaults);
    return this.#hop;
  }

  /** The method of the first hop. */
  get method(): string {
    return firstMethod(this.job, this.#defaults);
  }

  /** Headers for one host alone, for the hops to come. */
  get hostHeaders(): HostHeaders | undefined {
    return this.#defaults.hostHeaders;
  }

  /** Begins another attempt, from the first hop on. */
  begin(now: number): void {
    this.attempts += 1;
    this.startedAt = now;
    this.elapsedMs = 0;
    this.ttfbMs = undefined;
    this.isUnderWay = true;
  }

  /** The present attempt could not be begun; the next one counts in its place, unless a hop of it was sent. */
  withdraw(): void {
    if (this.elapsedMs > 0) return;
    this.attempts -= 1;
    this.isUnderWay = false;
  }

  /** Goes on with another hop of the same attempt. */
  follow(hop: Hop, redirect: Redirect): void {
    this.redirects = [...this.redirects, redirect];
    this.#aim(hop);
  }

  /** The same URL with another method, of the same attempt. */
  repeatAs(method: string): void {
    this.#aim({ ...this.hop, method });
  }

  /** The attempt has failed, and the next one starts from the beginning. */
  startOver(): void {
    this.isUnderWay = false;
    this.redirects = NO_REDIRECTS;
    this.#hop = undefined;
    this.lane = hostOf(this.job.url);
  }

  #aim(hop: Hop): void {
    this.#hop = hop;
    this.lane = hostOf(hop.url);
  }
}
