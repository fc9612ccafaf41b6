import { expect, test } from 'vitest';
import { type Limiter, Scheduler, UNLIMITED } from '../../src/core/scheduler.ts';
import { FakeClock } from './fake-clock.ts';

// Each of these once lost a job or a wake-up.

interface Job {
  readonly name: string;
}

const job = (name: string): Job => ({ name });
const gateUntil = (at: number): Limiter => ({ ...UNLIMITED, nextAllowedAt: () => at });

test('a job is not lost when both a worker and a putter wait at the moment a lane opens', async () => {
  const clock = new FakeClock();
  const lanes = new Scheduler<Job>({ capacity: 1, clock, gate: gateUntil(100) });
  await lanes.put('a', job('first'));
  const accepted = lanes.put('a', job('second'));
  const taken = lanes.take();
  clock.turnTo(100);
  await accepted;
  expect(await taken).toEqual(job('first'));
  expect(await lanes.take()).toEqual(job('second'));
  expect(lanes.inFlight).toBe(2);
});

test('workers that wait longer get their jobs first, also when putters wait', async () => {
  const clock = new FakeClock();
  const lanes = new Scheduler<Job>({ capacity: 1, clock, gate: gateUntil(100) });
  lanes.put('a', job('1'));
  lanes.put('a', job('2'));
  lanes.put('a', job('3'));
  const taken = [lanes.take(), lanes.take(), lanes.take()];
  clock.turnTo(100);
  expect(await Promise.all(taken)).toEqual([job('1'), job('2'), job('3')]);
});

test('a worker that comes when the gate has opened, but the timer has not yet gone off, is not left waiting', async () => {
  const clock = new FakeClock();
  const lanes = new Scheduler<Job>({ capacity: 9, clock, gate: gateUntil(100) });
  lanes.put('a', job('1'));
  lanes.put('a', job('2'));
  const early = lanes.take();
  clock.slipTo(101);
  const late = lanes.take();
  clock.turnTo(200);
  expect(await early).toEqual(job('1'));
  expect(await late).toEqual(job('2'));
});

test('a gate that opens between two looks at the clock wakes the worker', async () => {
  const clock = new FakeClock();
  const lanes = new Scheduler<Job>({ capacity: 9, clock, gate: gateUntil(100) });
  lanes.put('a', job('1'));
  clock.slipTo(99.5);
  clock.readingTakesMs = 0.4;
  const taken = lanes.take();
  clock.readingTakesMs = 0;
  clock.turnTo(200);
  expect(await taken).toEqual(job('1'));
});
