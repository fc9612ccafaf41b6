import type { Limiter } from '../../src/core/scheduler.ts';

export interface ModelJob {
  readonly id: number;
}

interface Parked {
  readonly at: number;
  readonly key: string;
  readonly job: ModelJob;
}

/** The rules of the gate in a model: fixed for one run, so that what it says follows from what was taken. */
export interface ModelRules {
  readonly capacity: number;
  readonly limit: number;
  readonly laneEveryMs: number;
  readonly everyMs: number;
}

/**
 * The job queue in the plainest form: arrays, searched from end to end. It is also the gate of the real queue, so it
 * learns of each taking at the moment it happens and says which job has to come out of it.
 */
export class LanesModel implements Limiter {
  readonly inFlight = new Map<string, number>();
  readonly lanes = new Map<string, ModelJob[]>();
  parked: Parked[] = [];
  putters: { key: string; job: ModelJob }[] = [];
  /** The jobs that have to come out, in their order. */
  readonly expected: { key: string; job: ModelJob }[] = [];
  readonly faults: string[] = [];
  readonly #rules: ModelRules;
  readonly #laneOpenFrom = new Map<string, number>();
  #openFrom = 0;

  constructor(rules: ModelRules) {
    this.#rules = rules;
  }

  get held(): number {
    return this.parked.length + [...this.lanes.values()].reduce((sum, jobs) => sum + jobs.length, 0);
  }

  nextAllowedAt(now: number): number {
    this.#wake(now);
    return this.#openFrom;
  }

  laneNextAllowedAt(key: string, inFlight: number): number {
    if (inFlight !== this.#under(key)) this.faults.push(`lane ${key} counts ${inFlight} under way`);
    return this.#laneOpenAt(key);
  }

  onDispatch(key: string, now: number): void {
    if (this.#openFrom > now) this.faults.push(`taken before the gate opened, at ${now}`);
    const open = this.openLanes(now);
    if (!open.includes(key)) this.faults.push(`taken from lane ${key}, which is not open at ${now}`);
    const fewest = Math.min(...open.map((lane) => this.#under(lane)));
    if (this.#under(key) !== fewest) this.faults.push(`taken from lane ${key}, which has not the fewest`);
    const job = this.lanes.get(key)?.shift();
    if (job !== undefined) this.expected.push({ key, job });
    this.inFlight.set(key, this.#under(key) + 1);
    this.#laneOpenFrom.set(key, now + this.#rules.laneEveryMs);
    this.#openFrom = now + this.#rules.everyMs;
    this.#admit();
  }

  /** Lanes that may give a job at `now`. */
  openLanes(now: number): string[] {
    if (this.#openFrom > now) return [];
    this.#wake(now);
    return [...this.lanes.keys()].filter(
      (key) => (this.lanes.get(key)?.length ?? 0) > 0 && this.#laneOpenAt(key) <= now,
    );
  }

  put(key: string, job: ModelJob): void {
    this.putters.push({ key, job });
    this.#admit();
  }

  again(key: string, job: ModelJob, at: number, now: number): void {
    if (at > now) this.parked.push({ at, key, job });
    else this.#lane(key).unshift(job);
  }

  done(key: string): void {
    this.inFlight.set(key, this.#under(key) - 1);
  }

  clear(): ModelJob[] {
    const jobs = [...this.lanes.values()].flat();
    jobs.push(...this.parked.map(({ job }) => job), ...this.putters.map(({ job }) => job));
    this.lanes.clear();
    this.parked = [];
    this.putters = [];
    return jobs;
  }

  remove(isMeant: (job: ModelJob) => boolean): ModelJob[] {
    const jobs = [...this.lanes.values()].flat().filter(isMeant);
    for (const [key, held] of this.lanes) {
      this.lanes.set(
        key,
        held.filter((job) => !isMeant(job)),
      );
    }
    jobs.push(...this.parked.map(({ job }) => job).filter(isMeant));
    this.parked = this.parked.filter(({ job }) => !isMeant(job));
    this.#admit();
    return jobs;
  }

  #wake(now: number): void {
    const due = this.parked.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    this.parked = this.parked.filter(({ at }) => at > now);
    for (const { key, job } of due.reverse()) this.#lane(key).unshift(job);
  }

  #admit(): void {
    while (this.putters.length > 0 && this.held < this.#rules.capacity) {
      const putter = this.putters.shift();
      if (putter !== undefined) this.#lane(putter.key).push(putter.job);
    }
  }

  #laneOpenAt(key: string): number {
    if (this.#under(key) >= this.#rules.limit) return Number.POSITIVE_INFINITY;
    return this.#laneOpenFrom.get(key) ?? 0;
  }

  #lane(key: string): ModelJob[] {
    const lane = this.lanes.get(key) ?? [];
    this.lanes.set(key, lane);
    return lane;
  }

  #under(key: string): number {
    return this.inFlight.get(key) ?? 0;
  }
}
