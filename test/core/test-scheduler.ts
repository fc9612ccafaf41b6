import { Scheduler } from '../../src/core/scheduler.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeLimiter } from './fake-limiter.ts';

/** A job whose key is the first letter of its name: `a1` is the first job of key `a`. */
export interface NamedJob {
  readonly name: string;
}

/** A scheduler whose clock and limiter the test controls, and whose jobs have names. */
export class TestScheduler {
  readonly clock = new FakeClock();
  readonly limiter = new FakeLimiter();
  readonly scheduler: Scheduler<NamedJob>;

  constructor(capacity = 100) {
    this.scheduler = new Scheduler({ capacity, clock: this.clock, limiter: this.limiter });
  }

  put(...names: string[]): (Promise<void> | undefined)[] {
    return names.map((name) => this.scheduler.put(keyOf(name), { name }));
  }

  requeue(name: string, at = 0, key = keyOf(name)): void {
    this.scheduler.requeue(key, { name }, at);
  }

  release(...names: string[]): void {
    for (const name of names) this.scheduler.release(keyOf(name));
  }

  /** Takes a job that must be available synchronously; `-` at the end of the queue. */
  takeNow(): string {
    const job = this.scheduler.take();
    if (job instanceof Promise) throw new Error('No job can be taken at once');
    return job?.name ?? '-';
  }

  takeAllNow(count: number): string[] {
    return Array.from({ length: count }, () => this.takeNow());
  }

  /** Takes a job as a worker does; `-` at the end of the queue. */
  async take(): Promise<string> {
    return (await this.scheduler.take())?.name ?? '-';
  }
}

function keyOf(name: string): string {
  return name.charAt(0);
}
