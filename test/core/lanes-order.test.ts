import { describe, expect, test } from 'vitest';
import { TestQueue } from './test-queue.ts';

describe('Lanes.take() chooses', () => {
  test('the jobs of one lane in the order they were put', () => {
    const queue = new TestQueue();
    queue.put('a1', 'a2', 'a3');
    expect(queue.takeAllNow(3)).toEqual(['a1', 'a2', 'a3']);
  });

  test('one job of each lane before the second of any', () => {
    const queue = new TestQueue();
    queue.put('a1', 'a2', 'a3', 'b1', 'b2', 'c1');
    expect(queue.takeAllNow(6)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  });

  test('the lane with the fewest under way, however late it came', () => {
    const queue = new TestQueue();
    queue.put('a1', 'a2', 'b1', 'b2');
    expect(queue.takeAllNow(2)).toEqual(['a1', 'b1']);
    queue.put('c1');
    expect(queue.takeNow()).toBe('c1');
  });

  test('the lane with the fewest under way when a job of it was done', () => {
    const queue = new TestQueue();
    queue.put('a1', 'a2', 'a3', 'b1', 'b2', 'b3');
    expect(queue.takeAllNow(4)).toEqual(['a1', 'b1', 'a2', 'b2']);
    queue.done('b1');
    expect(queue.takeNow()).toBe('b3');
    expect(queue.takeNow()).toBe('a3');
  });

  test('of lanes with as many under way the one that waited longest', () => {
    const queue = new TestQueue();
    queue.put('b1', 'a1', 'a2', 'b2', 'c1', 'c2');
    expect(queue.takeAllNow(3)).toEqual(['b1', 'a1', 'c1']);
    queue.done('c1', 'a1', 'b1');
    expect(queue.takeAllNow(3)).toEqual(['c2', 'a2', 'b2']);
  });

  test('a lane with many under way as soon as it is the only one', () => {
    const queue = new TestQueue(2_000);
    queue.put(...Array.from({ length: 1_000 }, (_, index) => `a${index}`));
    expect(queue.takeAllNow(999)).toHaveLength(999);
    queue.put('b1');
    expect(queue.takeAllNow(2)).toEqual(['b1', 'a999']);
    expect(queue.lanes.inFlight).toBe(1_001);
  });

  test('no lane that has become empty, and starts afresh when it comes back', () => {
    const queue = new TestQueue();
    queue.put('a1', 'b1');
    queue.takeAllNow(2);
    queue.done('a1', 'b1');
    queue.put('b2', 'a2', 'a3');
    expect(queue.takeAllNow(3)).toEqual(['b2', 'a2', 'a3']);
  });
});

describe('Lanes.take() gives workers that wait', () => {
  test('the jobs in the order in which the workers came', async () => {
    const queue = new TestQueue();
    const taken = [queue.take(), queue.take(), queue.take()];
    queue.put('a1', 'a2', 'b1');
    expect(await Promise.all(taken)).toEqual(['a1', 'a2', 'b1']);
  });

  test('a job each, when a hundred of them wait and the jobs come one by one', async () => {
    const queue = new TestQueue(1);
    const names = Array.from({ length: 100 }, (_, index) => `a${index}`);
    const taken = names.map(() => queue.take());
    expect(queue.put(...names)).toEqual(names.map(() => undefined));
    expect(await Promise.all(taken)).toEqual(names);
  });
});

describe('Lanes.again()', () => {
  test('puts the job at the head of its lane at once when the time has come', () => {
    const queue = new TestQueue();
    queue.put('a1', 'a2');
    queue.takeNow();
    queue.again('a1');
    queue.done('a1');
    expect(queue.takeAllNow(2)).toEqual(['a1', 'a2']);
  });

  test('puts the job into another lane', () => {
    const queue = new TestQueue();
    queue.put('a1', 'b1');
    queue.takeNow();
    queue.again('a1', 0, 'b');
    queue.done('a1');
    queue.gate.limits.set('b', 1);
    expect(queue.takeNow()).toBe('a1');
    const next = queue.take();
    queue.done('b0');
    return expect(next).resolves.toBe('b1');
  });

  test('gives the job at its time and not before', async () => {
    const queue = new TestQueue();
    queue.put('a1');
    queue.takeNow();
    queue.again('a1', 50);
    queue.done('a1');
    const taken = queue.take();
    queue.clock.turnTo(49);
    expect(queue.gate.takings).toHaveLength(1);
    expect(queue.lanes.size).toBe(1);
    queue.clock.turnTo(60);
    expect(await taken).toBe('a1');
    expect(queue.gate.takings[1]).toEqual({ key: 'a', at: 50 });
  });

  test('lets the other jobs of the lane pass while one of them waits for its time', () => {
    const queue = new TestQueue();
    queue.put('a1', 'a2', 'a3');
    queue.takeNow();
    queue.again('a1', 50);
    queue.done('a1');
    expect(queue.takeNow()).toBe('a2');
    queue.clock.turnTo(50);
    expect(queue.takeAllNow(2)).toEqual(['a1', 'a3']);
  });

  test('gives jobs that are due together in the order of their times', () => {
    const queue = new TestQueue();
    queue.put('a1', 'a2', 'a3', 'a4');
    queue.takeAllNow(3);
    queue.again('a1', 30);
    queue.again('a2', 10);
    queue.again('a3', 20);
    queue.done('a1', 'a2', 'a3');
    queue.clock.turnTo(40);
    expect(queue.takeAllNow(4)).toEqual(['a2', 'a3', 'a1', 'a4']);
  });

  test('gives jobs with equal times in the order they were given back', () => {
    const queue = new TestQueue();
    queue.put('a1', 'a2', 'a3');
    queue.takeAllNow(3);
    for (const name of ['a2', 'a3', 'a1']) queue.again(name, 10);
    queue.done('a1', 'a2', 'a3');
    queue.clock.turnTo(10);
    expect(queue.takeAllNow(3)).toEqual(['a2', 'a3', 'a1']);
  });
});
