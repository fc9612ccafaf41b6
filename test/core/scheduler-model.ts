import type { Limiter } from '../../src/core/scheduler.ts';

export interface ModelJob {
  readonly id: number;
}

/** The size of a job, from 0 to 4. */
export function sizeOf({ id }: ModelJob): number {
  return id % 5;
}

interface Delayed {
  readonly at: number;
  readonly key: string;
  readonly job: ModelJob;
}

/** The rules of the limiter, fixed for one run, so that its times follow from what was taken. */
export interface ModelRules {
  readonly capacity: number;
  readonly maxBytes: number;
  readonly limit: number;
  readonly keyEveryMs: number;
  readonly everyMs: number;
}

/**
 * The scheduler in its simplest form: arrays, searched from end to end. It is also the limiter of the real scheduler, so that
 * it sees each dispatch when it happens and knows which job must be given.
 */
export class SchedulerModel implements Limiter {
  readonly inFlight = new Map<string, number>();
  readonly queues = new Map<string, ModelJob[]>();
  delayed: Delayed[] = [];
  putters: { key: string; job: ModelJob }[] = [];
  /** The jobs that must be given, in their order. */
  readonly expected: { key: string; job: ModelJob }[] = [];
  readonly faults: string[] = [];
  readonly #rules: ModelRules;
  readonly #keyAllowedFrom = new Map<string, number>();
  #allowedFrom = 0;

  constructor(rules: ModelRules) {
    this.#rules = rules;
  }

  get held(): number {
    return this.delayed.length + [...this.queues.values()].reduce((sum, jobs) => sum + jobs.length, 0);
  }

  get isFull(): boolean {
    const jobs = [...this.queues.values()].flat().concat(this.delayed.map(({ job }) => job));
    const bytes = jobs.reduce((sum, job) => sum + sizeOf(job), 0);
    return this.held >= this.#rules.capacity || bytes >= this.#rules.maxBytes;
  }

  nextAllowedAt(now: number): number {
    this.#wake(now);
    return this.#allowedFrom;
  }

  keyNextAllowedAt(key: string, inFlight: number): number {
    if (inFlight !== this.#inFlightOf(key)) this.faults.push(`key ${key} counts ${inFlight} in flight`);
    return this.#keyAllowedAt(key);
  }

  keyCapacity(): number {
    return this.#rules.limit;
  }

  onRelease(key: string, inFlight: number): void {
    if (inFlight !== this.#inFlightOf(key)) this.faults.push(`key ${key} keeps ${inFlight} in flight`);
  }

  onDispatch(key: string, now: number): void {
    if (this.#allowedFrom > now) this.faults.push(`taken before any job was allowed, at ${now}`);
    const allowed = this.allowedKeys(now);
    if (!allowed.includes(key)) this.faults.push(`taken for key ${key}, which is not allowed at ${now}`);
    const fewest = Math.min(...allowed.map((each) => this.#inFlightOf(each)));
    if (this.#inFlightOf(key) !== fewest)
      this.faults.push(`taken for key ${key}, which has not the fewest in flight`);
    const job = this.queues.get(key)?.shift();
    if (job !== undefined) this.expected.push({ key, job });
    this.inFlight.set(key, this.#inFlightOf(key) + 1);
    this.#keyAllowedFrom.set(key, now + this.#rules.keyEveryMs);
    this.#allowedFrom = now + this.#rules.everyMs;
    this.#admit();
  }

  /** Keys with a job that is allowed at `now`. */
  allowedKeys(now: number): string[] {
    if (this.#allowedFrom > now) return [];
    this.#wake(now);
    return [...this.queues.keys()].filter(
      (key) => (this.queues.get(key)?.length ?? 0) > 0 && this.#keyAllowedAt(key) <= now,
    );
  }

  put(key: string, job: ModelJob): void {
    this.putters.push({ key, job });
    this.#admit();
  }

  requeue(key: string, job: ModelJob, at: number, now: number): void {
    if (at > now) this.delayed.push({ at, key, job });
    else this.#queue(key).unshift(job);
  }

  release(key: string): void {
    this.inFlight.set(key, this.#inFlightOf(key) - 1);
  }

  clear(): ModelJob[] {
    const jobs = [...this.queues.values()].flat();
    jobs.push(...this.delayed.map(({ job }) => job), ...this.putters.map(({ job }) => job));
    this.queues.clear();
    this.delayed = [];
    this.putters = [];
    return jobs;
  }

  removeWhere(matches: (job: ModelJob) => boolean): ModelJob[] {
    const jobs = [...this.queues.values()].flat().filter(matches);
    for (const [key, queue] of this.queues) {
      this.queues.set(
        key,
        queue.filter((job) => !matches(job)),
      );
    }
    jobs.push(...this.delayed.map(({ job }) => job).filter(matches));
    this.delayed = this.delayed.filter(({ job }) => !matches(job));
    this.#admit();
    return jobs;
  }

  #wake(now: number): void {
    const due = this.delayed.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    this.delayed = this.delayed.filter(({ at }) => at > now);
    for (const { key, job } of due) this.#queue(key).push(job);
  }

  #admit(): void {
    while (this.putters.length > 0 && !this.isFull) {
      const putter = this.putters.shift();
      if (putter !== undefined) this.#queue(putter.key).push(putter.job);
    }
  }

  #keyAllowedAt(key: string): number {
    if (this.#inFlightOf(key) >= this.#rules.limit) return Number.POSITIVE_INFINITY;
    return this.#keyAllowedFrom.get(key) ?? 0;
  }

  #queue(key: string): ModelJob[] {
    const queue = this.queues.get(key) ?? [];
    this.queues.set(key, queue);
    return queue;
  }

  #inFlightOf(key: string): number {
    return this.inFlight.get(key) ?? 0;
  }
}
