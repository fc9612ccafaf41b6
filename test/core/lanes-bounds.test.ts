import { describe, expect, test } from 'vitest';
import { Scheduler } from '../../src/core/scheduler.ts';
import { FakeClock } from './fake-clock.ts';
import { TestQueue } from './test-queue.ts';
import { allReactions, watch } from './watch.ts';

describe('Lanes()', () => {
  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a capacity of %d', (capacity) => {
    expect(() => new Scheduler({ capacity, clock: new FakeClock() })).toThrow(
      new RangeError(`Cannot use "${capacity}" as a capacity: it must be a whole number above 0`),
    );
  });
});

describe('Lanes.put()', () => {
  test('waits while the queue is full, over all lanes together', async () => {
    const queue = new TestQueue(2);
    expect(queue.put('a1', 'b1')).toEqual([undefined, undefined]);
    const [put] = queue.put('c1');
    const state = watch(put);
    await allReactions();
    expect(state().state).toBe('pending');
    expect(queue.lanes.size).toBe(2);
    queue.takeNow();
    await allReactions();
    expect(state().state).toBe('fulfilled');
    expect(queue.lanes.size).toBe(2);
  });

  test('lets those who wait in one by one, in their order', async () => {
    const queue = new TestQueue(1);
    const states = queue.put('a1', 'b1', 'a2', 'c1').map((put) => watch(put));
    const accepted = async () => {
      await allReactions();
      return states.filter((state) => state().state === 'fulfilled').length;
    };
    expect(await accepted()).toBe(1);
    expect(queue.takeNow()).toBe('a1');
    expect(await accepted()).toBe(2);
    expect(queue.takeNow()).toBe('b1');
    expect(await accepted()).toBe(3);
    expect(queue.takeAllNow(2)).toEqual(['a2', 'c1']);
    expect(await accepted()).toBe(4);
  });

  test('counts jobs that come again, also those that wait for their time', async () => {
    const queue = new TestQueue(2);
    queue.put('a1', 'a2');
    queue.takeAllNow(2);
    queue.again('a1', 50);
    queue.again('a2');
    queue.done('a1', 'a2');
    expect(queue.lanes.size).toBe(2);
    const [put] = queue.put('a3');
    const state = watch(put);
    await allReactions();
    expect(state().state).toBe('pending');
  });

  test('waits until jobs that came again beyond the capacity have left', async () => {
    const queue = new TestQueue(1);
    queue.put('a1');
    queue.takeNow();
    queue.put('a2');
    queue.again('a1');
    queue.done('a1');
    expect(queue.lanes.size).toBe(2);
    const state = watch(queue.put('a3')[0]);
    queue.takeNow();
    await allReactions();
    expect(state().state).toBe('pending');
    queue.takeNow();
    await allReactions();
    expect(state().state).toBe('fulfilled');
  });

  test('throws after close()', () => {
    const queue = new TestQueue();
    queue.lanes.close();
    expect(() => queue.put('a1')).toThrow('Cannot put a job: the queue is closed');
  });
});

describe('Lanes.done()', () => {
  test('counts what is under way', () => {
    const queue = new TestQueue();
    queue.put('a1', 'a2');
    expect(queue.lanes.inFlight).toBe(0);
    queue.takeAllNow(2);
    expect(queue.lanes.inFlight).toBe(2);
    queue.done('a1');
    expect(queue.lanes.inFlight).toBe(1);
  });

  test.each([
    ['a lane that is unknown', 'x'],
    ['a lane with nothing under way', 'b'],
    ['a lane whose last job was done', 'a'],
  ])('throws for %s', (_, key) => {
    const queue = new TestQueue();
    queue.put('a1', 'b1');
    queue.takeNow();
    queue.done('a1');
    expect(() => queue.lanes.done(key)).toThrow(`Cannot finish a job of lane "${key}": none is under way`);
    expect(queue.lanes.inFlight).toBe(0);
  });
});
