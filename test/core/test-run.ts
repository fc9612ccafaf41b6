import { expect } from 'vitest';
import { type Outcome, Pipeline, type PipelineOptions } from '../../src/core/pipeline.ts';
import { Scheduler } from '../../src/core/scheduler.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeGate } from './fake-gate.ts';
import { JobSource, type TestJob } from './job-source.ts';
import { allReactions } from './watch.ts';

export interface TestResult {
  readonly id: number;
  readonly text: string;
}

type Step = Outcome<TestJob, TestResult>;
type Parts = Partial<PipelineOptions<TestJob, TestResult>> & {
  readonly capacity?: number;
  readonly isHeld?: () => boolean;
};

/** An engine whose work, clock, gate and source are in the hands of the test. */
export class TestRun {
  readonly source = new JobSource();
  readonly clock = new FakeClock();
  readonly gate = new FakeGate();
  readonly lanes: Scheduler<TestJob>;
  readonly engine: Pipeline<TestJob, TestResult>;
  /** Results taken so far. */
  readonly taken: TestResult[] = [];
  /** Jobs whose work was started, each time. */
  readonly started: TestJob[] = [];
  readonly #underWay: { job: TestJob; end: (step: Step) => void; fail: (error: unknown) => void }[] = [];

  constructor({ capacity = 4, isHeld = () => false, ...parts }: Parts = {}) {
    this.lanes = new Scheduler({ capacity, clock: this.clock, gate: this.gate, isHeld });
    this.engine = new Pipeline<TestJob, TestResult>({
      jobs: this.source,
      lanes: this.lanes,
      concurrency: 2,
      laneOf: (job) => job.lane,
      work: (job) => this.#work(job),
      crashed: (job, error) => ({ id: job.id, text: `crashed: ${error}` }),
      ...parts,
    });
  }

  /** Ids of the jobs whose work has not ended. */
  get underWay(): number[] {
    return this.#underWay.map(({ job }) => job.id);
  }

  /** Takes all results as they come. Resolves when they end. */
  async takeAll(): Promise<TestResult[]> {
    for await (const result of this.engine.results()) this.taken.push(result);
    return this.taken;
  }

  /** Ends the work under way that was started first, with a result or with what is given. */
  async end(step?: Step): Promise<void> {
    const work = this.#underWay.shift();
    if (work === undefined) throw new Error('No work is under way');
    work.end(step ?? { result: { id: work.job.id, text: 'ok' } });
    await allReactions();
  }

  /** Ends all work with results until no more is started. */
  async endAll(): Promise<void> {
    await allReactions();
    while (this.#underWay.length > 0) await this.end();
  }

  /** Lets the work under way that was started first reject. */
  async fail(error: unknown): Promise<void> {
    this.#underWay.shift()?.fail(error);
    await allReactions();
  }

  #work(job: TestJob): Promise<Step> {
    this.started.push(job);
    return new Promise((end, fail) => this.#underWay.push({ job, end, fail }));
  }
}

export const ids = (results: Iterable<{ readonly id: number }>): number[] =>
  [...results].map(({ id }) => id).sort((a, b) => a - b);

export const idsTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Checks that every job that was pulled has a result or is counted, and that nothing is left. */
export function expectToAddUp(run: TestRun): void {
  expect(run.taken.length + run.engine.notFetched).toBe(run.source.pulled);
  expect(run.lanes.size).toBe(0);
  expect(run.lanes.inFlight).toBe(0);
  expect(run.clock.pending).toBe(0);
}
