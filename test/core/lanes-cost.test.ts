import { describe, expect, test } from 'vitest';
import { runWorkers } from '../../src/core/pipeline.ts';
import { Scheduler } from '../../src/core/scheduler.ts';
import { seededRandom } from '../seeded-random.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeGate } from './fake-gate.ts';

const JOBS = 100_000;
const LANES = 10_000;

interface Job {
  readonly key: string;
}

/** The lanes of all jobs, mixed as a list of links is, or sorted as a site map is. */
const ORDERS: Record<string, (index: number, random: () => number) => number> = {
  mixed: (_, random) => Math.floor(random() ** 2 * LANES),
  sorted: (index) => Math.floor((index / JOBS) * LANES),
  'in turn': (index) => index % LANES,
};

/** Works off all jobs with 64 workers, whose jobs end in an order left to chance, and returns the gate. */
async function workOff(gate: FakeGate, order: keyof typeof ORDERS): Promise<FakeGate> {
  const random = seededRandom(1);
  const clock = new FakeClock();
  const lanes = new Scheduler<Job>({ capacity: 1_000, clock, gate });
  const underWay: (() => void)[] = [];
  let done = 0;
  const working = runWorkers(64, lanes, async ({ key }) => {
    await new Promise<void>((resolve) => underWay.push(resolve));
    done += 1;
    lanes.done(key);
  });
  const ended = working.then(() => true);
  const putting = putAll(lanes, (index) => String(ORDERS[order]?.(index, random))).then(() => lanes.close());
  for (let isOver = false; !isOver; ) {
    underWay.splice(Math.floor(random() * underWay.length), 1)[0]?.();
    if (underWay.length === 0 && clock.pending > 0) clock.turnTo(clock.nextAt);
    isOver = await Promise.race([ended, Promise.resolve(false)]);
  }
  await putting;
  expect(done).toBe(JOBS);
  return gate;
}

async function putAll(lanes: Scheduler<Job>, keyOf: (index: number) => string): Promise<void> {
  for (let index = 0; index < JOBS; index += 1) {
    const key = keyOf(index);
    await lanes.put(key, { key });
  }
}

describe.each(Object.keys(ORDERS))('100,000 jobs of 10,000 lanes, %s,', (order) => {
  test('ask the gate of a lane no more than three times a job when each lane has a limit', async () => {
    const gate = new FakeGate();
    gate.limit = 2;
    await workOff(gate, order);
    expect(gate.takings).toHaveLength(JOBS);
    expect(gate.laneAsked).toBeLessThanOrEqual(3 * JOBS);
    expect(gate.asked).toBeLessThanOrEqual(3 * JOBS);
  });

  test('ask it no more than three times a job when each lane has a rate', async () => {
    const gate = new FakeGate();
    gate.onDispatch = (key, at) => {
      gate.takings.push({ key, at });
      gate.laneOpenFrom.set(key, at + 10);
    };
    await workOff(gate, order);
    expect(gate.takings).toHaveLength(JOBS);
    expect(gate.laneAsked).toBeLessThanOrEqual(3 * JOBS);
    expect(gate.asked).toBeLessThanOrEqual(3 * JOBS);
  });
});
