import { describe, expect, test } from 'vitest';
import { Schedule } from '../../src/core/scheduler.ts';
import { FakeGate } from './fake-gate.ts';

const job = {};

function scheduleOf(...keys: string[]): { schedule: Schedule<object>; gate: FakeGate } {
  const gate = new FakeGate();
  const schedule = new Schedule<object>(gate);
  for (const key of keys) schedule.append(key, job);
  return { schedule, gate };
}

describe('Schedule forgets', () => {
  test('a lane when its last job is done', () => {
    const { schedule } = scheduleOf('a', 'a', 'b');
    expect(schedule.laneCount).toBe(2);
    for (let count = 0; count < 3; count += 1) schedule.take(0);
    expect(schedule.laneCount).toBe(2);
    schedule.done('a');
    expect(schedule.laneCount).toBe(2);
    schedule.done('a');
    expect(schedule.laneCount).toBe(1);
    schedule.done('b');
    expect(schedule.laneCount).toBe(0);
  });

  test('a lane when its last job has gone to another lane', () => {
    const { schedule } = scheduleOf('a');
    schedule.take(0);
    schedule.prepend('b', job);
    schedule.done('a');
    expect(schedule.laneCount).toBe(1);
    schedule.take(0);
    schedule.done('b');
    expect(schedule.laneCount).toBe(0);
  });

  test('a lane while its only job waits for a time', () => {
    const { schedule } = scheduleOf('a');
    schedule.take(0);
    schedule.park('a', job, 50);
    schedule.done('a');
    expect(schedule.laneCount).toBe(0);
    expect(schedule.size).toBe(1);
    expect(schedule.take(50)).toBe(job);
    expect(schedule.laneCount).toBe(1);
  });

  test('the time of a lane when it has come', () => {
    const { schedule, gate } = scheduleOf('a', 'b');
    gate.laneOpenFrom.set('a', 50).set('b', 60);
    expect(schedule.take(0)).toBeUndefined();
    expect(schedule.nextChance(0)).toBe(50);
    expect(schedule.take(50)).toBe(job);
    expect(schedule.take(50)).toBeUndefined();
    expect(schedule.nextChance(50)).toBe(60);
    expect(schedule.take(60)).toBe(job);
    schedule.append('a', job);
    gate.laneOpenFrom.set('a', Number.POSITIVE_INFINITY);
    expect(schedule.take(60)).toBeUndefined();
    expect(schedule.nextChance(60)).toBe(Number.POSITIVE_INFINITY);
  });

  test('every lane and time at clear(), but those of jobs under way', () => {
    const { schedule, gate } = scheduleOf('a', 'a', 'b', 'c');
    gate.laneOpenFrom.set('b', 50);
    gate.limits.set('c', 0);
    schedule.take(0);
    gate.limits.set('a', 1);
    expect(schedule.take(0)).toBeUndefined();
    schedule.park('d', job, 70);
    expect(schedule.clear()).toHaveLength(4);
    expect(schedule.laneCount).toBe(1);
    schedule.append('c', job);
    expect(schedule.take(0)).toBeUndefined();
    expect(schedule.nextChance(0)).toBe(Number.POSITIVE_INFINITY);
    schedule.done('a');
    expect(schedule.laneCount).toBe(1);
  });

  test('each of 10,000 lanes that were used once', () => {
    const { schedule } = scheduleOf();
    for (let index = 0; index < 10_000; index += 1) {
      schedule.append(`host${index}`, job);
      schedule.take(0);
      schedule.done(`host${index}`);
    }
    expect(schedule.laneCount).toBe(0);
  });
});

describe('Schedule keeps', () => {
  test('one time for a lane that gets a thousand jobs while it is closed', () => {
    const { schedule, gate } = scheduleOf();
    gate.laneOpenFrom.set('a', 50);
    for (let count = 0; count < 1_000; count += 1) {
      schedule.append('a', job);
      schedule.take(0);
    }
    expect(schedule.timeCount).toBe(1);
    expect(schedule.take(50)).toBe(job);
    expect(schedule.timeCount).toBe(0);
  });

  test('no time for a lane at its limit', () => {
    const { schedule, gate } = scheduleOf();
    gate.limit = 0;
    for (let count = 0; count < 1_000; count += 1) {
      schedule.append('a', job);
      schedule.take(0);
    }
    expect(schedule.timeCount).toBe(0);
  });

  test('the later time alone once the earlier one has come and gone', () => {
    const { schedule, gate } = scheduleOf('a');
    gate.laneOpenFrom.set('a', 100);
    schedule.take(0);
    gate.laneOpenFrom.set('a', 50);
    schedule.append('a', job);
    schedule.take(0);
    gate.laneOpenFrom.set('a', 200);
    schedule.take(50);
    const asked = gate.laneAsked;
    expect(schedule.take(100)).toBeUndefined();
    expect(gate.laneAsked).toBe(asked);
    expect(schedule.nextChance(100)).toBe(200);
  });

  test.each([
    ['that is forgotten', true],
    ['whose jobs are all under way', false],
  ])('the time of a lane %s, and does nothing when it has come', (_, isDone) => {
    const { schedule, gate } = scheduleOf('a');
    gate.laneOpenFrom.set('a', 100);
    schedule.take(0);
    gate.laneOpenFrom.clear();
    schedule.prepend('a', job);
    schedule.take(0);
    schedule.take(0);
    if (isDone) for (const key of ['a', 'a']) schedule.done(key);
    expect(schedule.timeCount).toBe(1);
    schedule.park('b', job, 150);
    expect(schedule.take(100)).toBeUndefined();
    expect(schedule.size).toBe(1);
    expect(schedule.take(150)).toBe(job);
    expect(schedule.timeCount).toBe(0);
  });
});

describe('Schedule.nextChance()', () => {
  test('is Infinity when nothing is held', () => {
    const { schedule, gate } = scheduleOf();
    gate.openFrom = 50;
    expect(schedule.nextChance(0)).toBe(Number.POSITIVE_INFINITY);
  });

  test('is the time of the gate while that is closed, whatever waits for an earlier time', () => {
    const { schedule, gate } = scheduleOf();
    gate.openFrom = 50;
    schedule.park('a', job, 20);
    expect(schedule.nextChance(0)).toBe(50);
    gate.openFrom = 0;
    expect(schedule.nextChance(0)).toBe(20);
  });

  test('asks a lane that waits for a time once, however often a job is asked for', () => {
    const { schedule, gate } = scheduleOf('a', 'a', 'a');
    gate.laneOpenFrom.set('a', 50);
    for (let now = 0; now < 50; now += 1) expect(schedule.take(now)).toBeUndefined();
    expect(gate.laneAsked).toBe(1);
  });
});
