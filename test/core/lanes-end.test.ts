import { describe, expect, test } from 'vitest';
import { TestQueue } from './test-queue.ts';
import { allReactions, watch } from './watch.ts';

describe('Lanes.close()', () => {
  test('ends an empty queue at once, for workers that wait and for those that come', async () => {
    const queue = new TestQueue();
    const waiting = [queue.take(), queue.take()];
    queue.lanes.close();
    expect(await Promise.all(waiting)).toEqual(['-', '-']);
    expect(queue.takeNow()).toBe('-');
  });

  test('ends only when what is held was given', () => {
    const queue = new TestQueue();
    queue.put('a1');
    queue.lanes.close();
    expect(queue.takeNow()).toBe('a1');
    queue.done('a1');
    expect(queue.takeNow()).toBe('-');
  });

  test('ends only when nothing is under way, since that may come again', async () => {
    const queue = new TestQueue();
    queue.put('a1');
    queue.takeNow();
    queue.lanes.close();
    const [first, second] = [watch(queue.take()), watch(queue.take())];
    await allReactions();
    expect(first().state).toBe('pending');
    queue.again('a1');
    queue.done('a1');
    await allReactions();
    expect(first()).toEqual({ state: 'fulfilled', value: 'a1' });
    expect(second().state).toBe('pending');
    queue.done('a1');
    await allReactions();
    expect(second()).toEqual({ state: 'fulfilled', value: '-' });
  });

  test('ends only when a job that waits for its time was given', async () => {
    const queue = new TestQueue();
    queue.put('a1');
    queue.takeNow();
    queue.again('a1', 50);
    queue.done('a1');
    queue.lanes.close();
    const taken = queue.take();
    queue.clock.turnTo(50);
    expect(await taken).toBe('a1');
  });

  test('lets those who wait to put in first', async () => {
    const queue = new TestQueue(1);
    const [, second] = queue.put('a1', 'a2');
    queue.lanes.close();
    expect(queue.takeAllNow(2)).toEqual(['a1', 'a2']);
    await second;
    queue.done('a1', 'a2');
    expect(queue.takeNow()).toBe('-');
  });
});

describe('Lanes.clear()', () => {
  const names = (queue: TestQueue) =>
    queue.lanes
      .clear()
      .map((job) => job.name)
      .sort();

  test('gives nothing back from an empty queue', () => {
    expect(new TestQueue().lanes.clear()).toEqual([]);
  });

  test('gives back what is held, what waits for its time and what waits to be put', async () => {
    const queue = new TestQueue(3);
    queue.put('a1', 'a2', 'b1');
    expect(queue.takeAllNow(1)).toEqual(['a1']);
    queue.again('a1', 50);
    queue.done('a1');
    const puts = queue.put('c1', 'c2');
    expect(names(queue)).toEqual(['a1', 'a2', 'b1', 'c1', 'c2']);
    await Promise.all(puts);
    expect(queue.lanes.size).toBe(0);
    expect(names(queue)).toEqual([]);
  });

  test('leaves what is under way, which can be done and come again', () => {
    const queue = new TestQueue();
    queue.put('a1', 'a2', 'b1');
    queue.takeNow();
    expect(names(queue)).toEqual(['a2', 'b1']);
    expect(queue.lanes.inFlight).toBe(1);
    queue.again('a1');
    queue.done('a1');
    expect(queue.takeNow()).toBe('a1');
    queue.done('a1');
    expect(queue.lanes.inFlight).toBe(0);
  });

  test('leaves the queue usable', () => {
    const queue = new TestQueue(1);
    queue.gate.laneOpenFrom.set('a', 50);
    queue.put('a1', 'a2');
    queue.lanes.clear();
    queue.gate.laneOpenFrom.clear();
    expect(queue.put('a3')).toEqual([undefined]);
    expect(queue.takeNow()).toBe('a3');
  });

  test('ends a closed queue with nothing under way', async () => {
    const queue = new TestQueue();
    queue.gate.openFrom = 50;
    queue.put('a1');
    const waiting = [queue.take(), queue.take()];
    queue.lanes.close();
    queue.lanes.clear();
    expect(await Promise.all(waiting)).toEqual(['-', '-']);
    expect(queue.clock.pending).toBe(0);
  });

  test('lets workers wait on an open queue, without a timer', async () => {
    const queue = new TestQueue();
    queue.gate.openFrom = 50;
    queue.put('a1');
    const taken = queue.take();
    queue.lanes.clear();
    expect(queue.clock.pending).toBe(0);
    queue.gate.openFrom = 0;
    queue.put('a2');
    expect(await taken).toBe('a2');
  });
});
