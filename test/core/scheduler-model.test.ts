import { expect, test } from 'vitest';
import { Scheduler } from '../../src/core/scheduler.ts';
import { seededRandom } from '../seeded-random.ts';
import { FakeClock } from './fake-clock.ts';
import { type ModelJob, type ModelRules, SchedulerModel, sizeOf } from './scheduler-model.ts';

/** `FUZZ=100` adds 100 random seeds. */
const MORE = Number(process.env.FUZZ ?? 0);
const STEPS = 1_500;

/** Applies the same random steps to the scheduler and to its model, and compares them after each. */
class Comparison {
  readonly #random: () => number;
  readonly #clock = new FakeClock();
  readonly #rules: ModelRules;
  readonly #model: SchedulerModel;
  readonly #scheduler: Scheduler<ModelJob>;
  readonly #inFlight: { key: string; job: ModelJob }[] = [];
  readonly #accounted: number[] = [];
  #put = 0;
  #accepted = 0;
  #given = 0;
  #ended = 0;
  #waiting = 0;
  #closed = false;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#rules = {
      capacity: 1 + this.#below(12),
      maxBytes: this.#below(2) === 0 ? Number.POSITIVE_INFINITY : 1 + this.#below(20),
      limit: this.#below(3) === 0 ? Number.POSITIVE_INFINITY : 1 + this.#below(3),
      keyEveryMs: this.#below(2) * this.#below(30),
      everyMs: this.#below(3) === 0 ? this.#below(10) : 0,
    };
    this.#model = new SchedulerModel(this.#rules);
    this.#scheduler = new Scheduler({
      capacity: this.#rules.capacity,
      maxBytes: this.#rules.maxBytes,
      sizeOf,
      clock: this.#clock,
      limiter: this.#model,
    });
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step += 1) {
      this.#step();
      await Promise.resolve();
      this.#compare();
    }
    await this.#finish();
  }

  #step(): void {
    const dice = this.#random();
    if (dice < 0.3) this.#doPut();
    else if (dice < 0.55) this.#doTake();
    else if (dice < 0.65) this.#doRequeue();
    else if (dice < 0.85) this.#doRelease();
    else if (dice < 0.98) this.#clock.turnTo(this.#clock.now() + this.#below(15));
    else if (dice < 0.995) this.#doRemove();
    else this.#doClear();
  }

  #doPut(): void {
    const key = 'abcdefgh'.charAt(this.#below(8));
    const job = { id: this.#put };
    this.#put += 1;
    this.#model.put(key, job);
    const accepted = this.#scheduler.put(key, job);
    if (accepted === undefined) this.#accepted += 1;
    else
      accepted.then(() => {
        this.#accepted += 1;
      });
  }

  #doTake(): void {
    const taken = this.#scheduler.take();
    if (!(taken instanceof Promise)) {
      this.#receive(taken);
      return;
    }
    this.#waiting += 1;
    taken.then((job) => {
      this.#waiting -= 1;
      this.#receive(job);
    });
  }

  #receive(job: ModelJob | undefined): void {
    if (job === undefined) {
      this.#ended += 1;
      return;
    }
    const expected = this.#model.expected[this.#given];
    this.#given += 1;
    expect(job).toBe(expected?.job);
    if (expected !== undefined) this.#inFlight.push(expected);
  }

  #doRequeue(): void {
    const taken = this.#inFlight.splice(this.#below(this.#inFlight.length), 1)[0];
    if (taken === undefined) return;
    const key = this.#below(2) === 0 ? taken.key : 'abcdefgh'.charAt(this.#below(8));
    const now = this.#clock.now();
    const at = now + this.#below(3) * this.#below(20);
    this.#model.requeue(key, taken.job, at, now);
    this.#scheduler.requeue(key, taken.job, at);
    this.#release(taken.key);
  }

  #doRelease(): void {
    const taken = this.#inFlight.splice(this.#below(this.#inFlight.length), 1)[0];
    if (taken === undefined) return;
    this.#accounted.push(taken.job.id);
    this.#release(taken.key);
  }

  #release(key: string): void {
    this.#model.release(key);
    this.#scheduler.release(key);
  }

  #doClear(): void {
    const expected = this.#model.clear().map(({ id }) => id);
    const cleared = this.#scheduler.clear().map(({ id }) => id);
    expect(cleared.sort()).toEqual(expected.sort());
    this.#accounted.push(...cleared);
  }

  #doRemove(): void {
    const rest = this.#below(3);
    const matches = ({ id }: ModelJob): boolean => id % 3 === rest;
    const expected = this.#model.removeWhere(matches).map(({ id }) => id);
    const removed = this.#scheduler.removeWhere(matches).map(({ id }) => id);
    expect(removed.sort()).toEqual(expected.sort());
    this.#accounted.push(...removed);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #compare(): void {
    const model = this.#model;
    expect(model.faults).toEqual([]);
    expect(this.#given).toBe(model.expected.length);
    expect(this.#scheduler.size).toBe(model.held);
    expect(this.#scheduler.inFlight).toBe(this.#inFlight.length);
    expect(this.#accepted).toBe(this.#put - model.putters.length);
    expect(this.#clock.pending).toBeLessThanOrEqual(this.#waiting > 0 ? 1 : 0);
    if (this.#waiting > 0) expect(model.allowedKeys(this.#clock.now())).toEqual([]);
    if (!this.#closed) expect(this.#ended).toBe(0);
  }

  /** Closes the scheduler and takes what is left. */
  async #finish(): Promise<void> {
    this.#scheduler.close();
    this.#closed = true;
    for (let round = 0; this.#ended === 0 && round < 10_000; round += 1) {
      await Promise.resolve();
      this.#compare();
      if (this.#waiting === 0) this.#doTake();
      this.#doRelease();
      this.#clock.turnTo(this.#clock.now() + 1);
    }
    expect(this.#waiting).toBe(0);
    expect(this.#accounted.sort((a, b) => a - b)).toEqual(Array.from({ length: this.#put }, (_, id) => id));
    expect(this.#given).toBeGreaterThan(STEPS / 20);
  }
}

const more = Array.from({ length: MORE }, () => Math.floor(Math.random() * 2 ** 31));

test.each([...Array.from({ length: 30 }, (_, index) => index + 1), ...more])(
  'Scheduler behaves as its model does, for random steps in any order (seed %i)',
  (seed) => new Comparison(seed).run(),
);
