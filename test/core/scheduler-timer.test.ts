import { describe, expect, test } from 'vitest';
import { SingleTimer } from '../../src/core/clock.ts';
import { FakeClock } from './fake-clock.ts';
import { TestScheduler } from './test-scheduler.ts';

describe('the timer of a Scheduler', () => {
  test('is not set while no worker waits', () => {
    const queue = new TestScheduler();
    queue.limiter.allowedFrom = 100;
    queue.put('a1', 'b1');
    expect(queue.clock.started).toBe(0);
  });

  test('is set once for a hundred workers and a hundred keys with the same time', () => {
    const queue = new TestScheduler(1_000);
    for (let index = 0; index < 100; index += 1) {
      const key = String.fromCharCode(0x4e00 + index);
      queue.limiter.keyAllowedFrom.set(key, 100);
      queue.put(key);
    }
    for (let index = 0; index < 100; index += 1) queue.take();
    expect(queue.clock.started).toBe(1);
    expect(queue.clock.pending).toBe(1);
    queue.clock.turnTo(100);
    expect(queue.limiter.dispatched).toHaveLength(100);
    expect(queue.clock.started).toBe(1);
  });

  test('is set for the earliest of many times, and not when all jobs are taken', () => {
    const queue = new TestScheduler();
    for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) {
      queue.limiter.keyAllowedFrom.set(key, 100 - index * 10);
      queue.put(`${key}1`);
      queue.take();
      expect(queue.clock.pending).toBe(1);
    }
    expect(queue.clock.nextAt).toBe(70);
    queue.clock.turnTo(1_000);
    expect(queue.limiter.dispatched.map(({ at }) => at)).toEqual([70, 80, 90, 100]);
    expect(queue.clock.pending).toBe(0);
  });

  test('is cancelled when the last waiting worker gets a job', async () => {
    const queue = new TestScheduler();
    queue.limiter.keyAllowedFrom.set('a', 100);
    queue.put('a1');
    const taken = queue.take();
    expect(queue.clock.pending).toBe(1);
    queue.put('b1');
    expect(await taken).toBe('b1');
    expect(queue.clock.pending).toBe(0);
  });

  test('is set again for a worker that comes later', async () => {
    const queue = new TestScheduler();
    queue.limiter.keyAllowedFrom.set('a', 100);
    queue.put('a1');
    const first = queue.take();
    queue.put('b1');
    await first;
    const second = queue.take();
    expect(queue.clock.nextAt).toBe(100);
    queue.clock.turnTo(100);
    expect(await second).toBe('a1');
  });
});

describe('Scheduler loses no job and no wake-up', () => {
  function queueFrom100(capacity: number): TestScheduler {
    const queue = new TestScheduler(capacity);
    queue.limiter.allowedFrom = 100;
    return queue;
  }

  test('when both a worker and put() wait at the moment a job becomes allowed', async () => {
    const queue = queueFrom100(1);
    const [, accepted] = queue.put('a1', 'a2');
    const taken = queue.take();
    queue.clock.turnTo(100);
    await accepted;
    expect(await taken).toBe('a1');
    expect(await queue.take()).toBe('a2');
    expect(queue.scheduler.inFlight).toBe(2);
  });

  test('when several put() wait, and gives the workers jobs in the order in which they came', async () => {
    const queue = queueFrom100(1);
    queue.put('a1', 'a2', 'a3');
    const taken = [queue.take(), queue.take(), queue.take()];
    queue.clock.turnTo(100);
    expect(await Promise.all(taken)).toEqual(['a1', 'a2', 'a3']);
  });

  test('when a worker comes after the allowed time but before the timer fires', async () => {
    const queue = queueFrom100(9);
    queue.put('a1', 'a2');
    const early = queue.take();
    queue.clock.slipTo(101);
    const late = queue.take();
    queue.clock.turnTo(200);
    expect(await early).toBe('a1');
    expect(await late).toBe('a2');
  });

  test('when the allowed time comes between two readings of the clock', async () => {
    const queue = queueFrom100(9);
    queue.put('a1');
    queue.clock.slipTo(99.5);
    queue.clock.readingTakesMs = 0.4;
    const taken = queue.take();
    queue.clock.readingTakesMs = 0;
    queue.clock.turnTo(200);
    expect(await taken).toBe('a1');
  });
});

function timerOn(clock: FakeClock): { timer: SingleTimer; fired: number[] } {
  const fired: number[] = [];
  return { timer: new SingleTimer(clock, () => fired.push(clock.now())), fired };
}

describe('SingleTimer', () => {
  test('fires once, at its time', () => {
    const clock = new FakeClock();
    const { timer, fired } = timerOn(clock);
    timer.set(10, 0);
    clock.turnTo(9);
    expect(fired).toEqual([]);
    clock.turnTo(50);
    expect(fired).toEqual([10]);
  });

  test('does not fire at a time that was replaced', () => {
    const clock = new FakeClock();
    const { timer, fired } = timerOn(clock);
    timer.set(10, 0);
    timer.set(30, 0);
    timer.set(20, 0);
    expect(clock.pending).toBe(1);
    clock.turnTo(50);
    expect(fired).toEqual([20]);
  });

  test('keeps its timer when it is set to the same time', () => {
    const clock = new FakeClock();
    const { timer } = timerOn(clock);
    for (let now = 0; now < 10; now += 1) timer.set(10, now);
    expect(clock.started).toBe(1);
  });

  test('holds no timer when it is set to Infinity', () => {
    const clock = new FakeClock();
    const { timer, fired } = timerOn(clock);
    timer.set(10, 0);
    timer.set(Number.POSITIVE_INFINITY, 0);
    expect(clock.pending).toBe(0);
    clock.turnTo(50);
    expect(fired).toEqual([]);
  });

  test('can be set to the same time again after it fired', () => {
    const clock = new FakeClock();
    const { timer, fired } = timerOn(clock);
    timer.set(10, 0);
    clock.turnTo(10);
    timer.set(10, 10);
    clock.turnTo(10);
    expect(fired).toEqual([10, 10]);
  });
});
