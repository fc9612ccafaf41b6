import { describe, expect, test } from 'vitest';
import { Scheduler } from '../../src/core/scheduler.ts';
import { runWorkers } from '../../src/core/worker-pool.ts';
import { seededRandom } from '../seeded-random.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeLimiter } from './fake-limiter.ts';

const JOBS = 100_000;
const KEYS = 10_000;

interface Job {
  readonly key: string;
}

/** The keys of all jobs: mixed like a list of links, sorted like a sitemap, or in turn. */
const ORDERS: Record<string, (index: number, random: () => number) => number> = {
  mixed: (_, random) => Math.floor(random() ** 2 * KEYS),
  sorted: (index) => Math.floor((index / JOBS) * KEYS),
  'in turn': (index) => index % KEYS,
};

/** Runs all jobs with 64 workers, whose jobs end in random order, and returns the limiter. */
async function workOff(limiter: FakeLimiter, order: keyof typeof ORDERS): Promise<FakeLimiter> {
  const random = seededRandom(1);
  const clock = new FakeClock();
  const scheduler = new Scheduler<Job>({ capacity: 1_000, clock, limiter });
  const inFlight: (() => void)[] = [];
  let done = 0;
  const working = runWorkers(64, scheduler, async ({ key }) => {
    await new Promise<void>((resolve) => inFlight.push(resolve));
    done += 1;
    scheduler.release(key);
  });
  const ended = working.then(() => true);
  const putting = putAll(scheduler, (index) => String(ORDERS[order]?.(index, random))).then(() =>
    scheduler.close(),
  );
  for (let isOver = false; !isOver; ) {
    inFlight.splice(Math.floor(random() * inFlight.length), 1)[0]?.();
    if (inFlight.length === 0 && clock.pending > 0) clock.turnTo(clock.nextAt);
    isOver = await Promise.race([ended, Promise.resolve(false)]);
  }
  await putting;
  expect(done).toBe(JOBS);
  return limiter;
}

async function putAll(scheduler: Scheduler<Job>, keyOf: (index: number) => string): Promise<void> {
  for (let index = 0; index < JOBS; index += 1) {
    const key = keyOf(index);
    await scheduler.put(key, { key });
  }
}

describe.each(Object.keys(ORDERS))('100,000 jobs of 10,000 keys, %s,', (order) => {
  test('ask the limiter at most three times per job when each key has a limit', async () => {
    const limiter = new FakeLimiter();
    limiter.limit = 2;
    await workOff(limiter, order);
    expect(limiter.dispatched).toHaveLength(JOBS);
    expect(limiter.keyCalls).toBeLessThanOrEqual(3 * JOBS);
    expect(limiter.calls).toBeLessThanOrEqual(3 * JOBS);
  });

  test('ask the limiter at most three times per job when each key has a rate', async () => {
    const limiter = new FakeLimiter();
    limiter.onDispatch = (key, at) => {
      limiter.dispatched.push({ key, at });
      limiter.keyAllowedFrom.set(key, at + 10);
    };
    await workOff(limiter, order);
    expect(limiter.dispatched).toHaveLength(JOBS);
    expect(limiter.keyCalls).toBeLessThanOrEqual(3 * JOBS);
    expect(limiter.calls).toBeLessThanOrEqual(3 * JOBS);
  });
});
