import { Scheduler } from '../../src/core/scheduler.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeGate } from './fake-gate.ts';

/** A job that knows its lane: `a1` is the first of lane `a`. */
export interface NamedJob {
  readonly name: string;
}

/** A queue with a clock and a gate in the hands of the test, and jobs by their names. */
export class TestQueue {
  readonly clock = new FakeClock();
  readonly gate = new FakeGate();
  readonly lanes: Scheduler<NamedJob>;

  constructor(capacity = 100) {
    this.lanes = new Scheduler({ capacity, clock: this.clock, gate: this.gate });
  }

  /** Puts jobs, each into the lane of its first letter. */
  put(...names: string[]): (Promise<void> | undefined)[] {
    return names.map((name) => this.lanes.put(laneOf(name), { name }));
  }

  again(name: string, at = 0, key = laneOf(name)): void {
    this.lanes.again(key, { name }, at);
  }

  done(...names: string[]): void {
    for (const name of names) this.lanes.done(laneOf(name));
  }

  /** Takes a job that has to be there at once; `-` when there is none to come. */
  takeNow(): string {
    const job = this.lanes.take();
    if (job instanceof Promise) throw new Error('No job can be taken at once');
    return job?.name ?? '-';
  }

  takeAllNow(count: number): string[] {
    return Array.from({ length: count }, () => this.takeNow());
  }

  /** Takes a job as a worker does; `-` when there is none to come. */
  async take(): Promise<string> {
    return (await this.lanes.take())?.name ?? '-';
  }
}

function laneOf(name: string): string {
  return name.charAt(0);
}
