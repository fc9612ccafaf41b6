import { expect, test } from 'vitest';
import { SingleTimer } from '../../src/core/scheduler.ts';
import { FakeClock } from './fake-clock.ts';

function alarmOn(clock: FakeClock): { alarm: SingleTimer; rung: number[] } {
  const rung: number[] = [];
  return { alarm: new SingleTimer(clock, () => rung.push(clock.now())), rung };
}

test('an alarm rings once, at its time', () => {
  const clock = new FakeClock();
  const { alarm, rung } = alarmOn(clock);
  alarm.set(10, 0);
  clock.turnTo(9);
  expect(rung).toEqual([]);
  clock.turnTo(50);
  expect(rung).toEqual([10]);
});

test('an alarm that is set to another time does not ring at the one before', () => {
  const clock = new FakeClock();
  const { alarm, rung } = alarmOn(clock);
  alarm.set(10, 0);
  alarm.set(30, 0);
  alarm.set(20, 0);
  expect(clock.pending).toBe(1);
  clock.turnTo(50);
  expect(rung).toEqual([20]);
});

test('an alarm that is set to the same time keeps its timer', () => {
  const clock = new FakeClock();
  const { alarm } = alarmOn(clock);
  for (let now = 0; now < 10; now += 1) alarm.set(10, now);
  expect(clock.started).toBe(1);
});

test('an alarm that is set to Infinity holds no timer', () => {
  const clock = new FakeClock();
  const { alarm, rung } = alarmOn(clock);
  alarm.set(10, 0);
  alarm.set(Number.POSITIVE_INFINITY, 0);
  expect(clock.pending).toBe(0);
  clock.turnTo(50);
  expect(rung).toEqual([]);
});

test('an alarm can be set to the same time again once it has rung', () => {
  const clock = new FakeClock();
  const { alarm, rung } = alarmOn(clock);
  alarm.set(10, 0);
  clock.turnTo(10);
  alarm.set(10, 10);
  clock.turnTo(10);
  expect(rung).toEqual([10, 10]);
});
