import { expect } from 'vitest';
import { type Outcome, Pipeline, type PipelineOptions } from '../../src/core/pipeline.ts';
import { Scheduler } from '../../src/core/scheduler.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeLimiter } from './fake-limiter.ts';
import { JobSource, type TestJob } from './job-source.ts';
import { allReactions } from './watch.ts';

export interface TestResult {
  readonly id: number;
  readonly text: string;
}

type Step = Outcome<TestJob, TestResult>;
type Parts = Partial<PipelineOptions<TestJob, TestResult>> & {
  readonly capacity?: number;
};

/** A pipeline whose work, clock, limiter and source the test controls. */
export class TestRun {
  readonly source = new JobSource();
  readonly clock = new FakeClock();
  readonly limiter = new FakeLimiter();
  readonly scheduler: Scheduler<TestJob>;
  readonly pipeline: Pipeline<TestJob, TestResult>;
  /** Ids of the jobs that end in a failure if the run stops while they wait. */
  readonly failures = new Set<number>();
  /** Results taken so far. */
  readonly taken: TestResult[] = [];
  /** Jobs whose work was started, once for each start. */
  readonly started: TestJob[] = [];
  readonly #inFlight: { job: TestJob; end: (step: Step) => void }[] = [];

  constructor({ capacity = 4, ...parts }: Parts = {}) {
    this.scheduler = new Scheduler({ capacity, clock: this.clock, limiter: this.limiter });
    this.pipeline = new Pipeline<TestJob, TestResult>({
      jobs: this.source,
      scheduler: this.scheduler,
      concurrency: 2,
      keyOf: (job) => job.key,
      work: (job, settle) => this.#work(job, settle),
      abandon: ({ id }) => (this.failures.has(id) ? { id, text: 'failed' } : undefined),
      crashed: (job, error) => ({ id: job.id, text: `crashed: ${error}` }),
      ...parts,
    });
  }

  /** Ids of the jobs whose work has not ended. */
  get inFlight(): number[] {
    return this.#inFlight.map(({ job }) => job.id);
  }

  /** Takes all results as they come. Resolves when they end. */
  async takeAll(): Promise<TestResult[]> {
    for await (const result of this.pipeline.results()) this.taken.push(result);
    return this.taken;
  }

  /** Ends the work in flight that was started first, with an OK result or the given outcome. */
  async end(step?: Step): Promise<void> {
    const work = this.#inFlight.shift();
    if (work === undefined) throw new Error('No work is in flight');
    work.end(step ?? { result: { id: work.job.id, text: 'ok' } });
    await allReactions();
  }

  /** Ends all work with results until no more is started. */
  async endAll(): Promise<void> {
    await allReactions();
    while (this.#inFlight.length > 0) await this.end();
  }

  /** Ends the work in flight that was started first with an error. */
  async fail(error: unknown): Promise<void> {
    this.#inFlight.shift()?.end({ error });
    await allReactions();
  }

  #work(job: TestJob, end: (step: Step) => void): void {
    this.started.push(job);
    this.#inFlight.push({ job, end });
  }
}

export const ids = (results: Iterable<{ readonly id: number }>): number[] =>
  [...results].map(({ id }) => id).sort((a, b) => a - b);

export const idsTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Checks that every job that was pulled has a result or is counted, and that nothing is left. */
export function expectToAddUp(run: TestRun): void {
  expect(run.taken.length + run.pipeline.notFetched).toBe(run.source.pulled);
  expect(run.scheduler.size).toBe(0);
  expect(run.scheduler.inFlight).toBe(0);
  expect(run.clock.pending).toBe(0);
}
