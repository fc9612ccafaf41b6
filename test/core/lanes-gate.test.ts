import { describe, expect, test } from 'vitest';
import { TestQueue } from './test-queue.ts';
import { allReactions, watch } from './watch.ts';

describe('Lanes with a gate before all lanes', () => {
  test('gives nothing before it opens', async () => {
    const queue = new TestQueue();
    queue.gate.openFrom = 100;
    queue.put('a1', 'b1');
    const taken = [queue.take(), queue.take()];
    queue.clock.turnTo(99);
    expect(queue.gate.takings).toEqual([]);
    queue.clock.turnTo(100);
    expect(await Promise.all(taken)).toEqual(['a1', 'b1']);
  });

  test('gives one job for each opening, as a rate does', async () => {
    const queue = new TestQueue();
    queue.gate.onDispatch = (key, at) => {
      queue.gate.takings.push({ key, at });
      queue.gate.openFrom = at + 10;
    };
    queue.put('a1', 'b1', 'a2');
    const taken = [queue.take(), queue.take(), queue.take()];
    queue.clock.turnTo(100);
    expect(await Promise.all(taken)).toEqual(['a1', 'b1', 'a2']);
    expect(queue.gate.takings.map(({ at }) => at)).toEqual([0, 10, 20]);
  });

  test('is told how many jobs are under way, and asked again when one is done', async () => {
    const queue = new TestQueue();
    queue.gate.nextAllowedAt = (_now = 0, inFlight = 0) => (inFlight < 2 ? 0 : Number.POSITIVE_INFINITY);
    queue.put('a1', 'b1', 'c1');
    expect(queue.takeAllNow(2)).toEqual(['a1', 'b1']);
    const third = watch(queue.take());
    await allReactions();
    expect(third().state).toBe('pending');
    queue.done('a1');
    await allReactions();
    expect(third()).toEqual({ state: 'fulfilled', value: 'c1' });
  });

  test('asks no lane while it is closed', () => {
    const queue = new TestQueue();
    queue.gate.openFrom = 100;
    queue.put('a1', 'b1');
    queue.take();
    queue.clock.turnTo(99);
    expect(queue.gate.laneAsked).toBe(0);
  });

  test('looks again, and sets a new timer, when it has changed its mind to a later time', async () => {
    const queue = new TestQueue();
    queue.gate.openFrom = 100;
    queue.put('a1');
    const taken = watch(queue.take());
    queue.gate.openFrom = 200;
    queue.clock.turnTo(199);
    await allReactions();
    expect(taken().state).toBe('pending');
    expect(queue.clock.nextAt).toBe(200);
    queue.clock.turnTo(200);
    await allReactions();
    expect(taken()).toEqual({ state: 'fulfilled', value: 'a1' });
  });

  test('sees an earlier opening at the next thing that happens', async () => {
    const queue = new TestQueue();
    queue.gate.openFrom = 100;
    queue.put('a1', 'b1');
    const taken = [queue.take(), queue.take()];
    queue.gate.openFrom = 0;
    queue.put('c1');
    expect(await Promise.all(taken)).toEqual(['a1', 'b1']);
    expect(queue.clock.pending).toBe(0);
  });
});

describe('Lanes with a gate before a lane', () => {
  test('passes a lane over until its time, and gives the jobs of others', async () => {
    const queue = new TestQueue();
    queue.gate.laneOpenFrom.set('a', 100);
    queue.put('a1', 'b1', 'b2');
    expect(queue.takeAllNow(2)).toEqual(['b1', 'b2']);
    const taken = queue.take();
    queue.clock.turnTo(100);
    expect(await taken).toBe('a1');
    expect(queue.gate.takings[2]).toEqual({ key: 'a', at: 100 });
  });

  test('wakes the lane whose time comes first, first', async () => {
    const queue = new TestQueue();
    queue.gate.laneOpenFrom.set('a', 30).set('b', 10).set('c', 20);
    queue.put('a1', 'b1', 'c1');
    const taken = [queue.take(), queue.take(), queue.take()];
    queue.clock.turnTo(50);
    expect(await Promise.all(taken)).toEqual(['b1', 'c1', 'a1']);
    expect(queue.gate.takings.map(({ at }) => at)).toEqual([10, 20, 30]);
  });

  test('keeps a lane at its limit until a job of it is done', async () => {
    const queue = new TestQueue();
    queue.gate.limit = 2;
    queue.put('a1', 'a2', 'a3');
    expect(queue.takeAllNow(2)).toEqual(['a1', 'a2']);
    const taken = watch(queue.take());
    queue.clock.turnTo(1_000_000);
    await allReactions();
    expect(taken().state).toBe('pending');
    expect(queue.clock.started).toBe(0);
    queue.done('a1');
    await allReactions();
    expect(taken()).toEqual({ state: 'fulfilled', value: 'a3' });
  });

  test('gives a job that comes again at the limit only when there is room', async () => {
    const queue = new TestQueue();
    queue.gate.limit = 1;
    queue.put('a1', 'b1');
    queue.takeAllNow(2);
    queue.again('a1', 0, 'b');
    queue.done('a1');
    const taken = watch(queue.take());
    await allReactions();
    expect(taken().state).toBe('pending');
    queue.done('b1');
    await allReactions();
    expect(taken()).toEqual({ state: 'fulfilled', value: 'a1' });
  });

  test('looks again when the lane has changed its mind to a later time', async () => {
    const queue = new TestQueue();
    queue.gate.laneOpenFrom.set('a', 100);
    queue.put('a1');
    const taken = watch(queue.take());
    queue.gate.laneOpenFrom.set('a', 200);
    queue.clock.turnTo(199);
    await allReactions();
    expect(taken().state).toBe('pending');
    queue.clock.turnTo(200);
    await allReactions();
    expect(taken()).toEqual({ state: 'fulfilled', value: 'a1' });
  });

  test('wakes the lane at the earlier time when it has changed its mind to one', async () => {
    const queue = new TestQueue();
    queue.gate.laneOpenFrom.set('a', 100);
    queue.put('a1');
    const taken = [queue.take(), queue.take()];
    queue.gate.laneOpenFrom.set('a', 50);
    queue.put('a2');
    expect(queue.clock.nextAt).toBe(50);
    queue.clock.turnTo(50);
    expect(await Promise.all(taken)).toEqual(['a1', 'a2']);
    queue.clock.turnTo(200);
    expect(queue.gate.takings).toHaveLength(2);
  });

  test('gives a job put into a lane that has opened before its time', async () => {
    const queue = new TestQueue();
    queue.gate.laneOpenFrom.set('a', 100);
    queue.put('a1', 'a2');
    const taken = queue.take();
    queue.gate.laneOpenFrom.set('a', 0);
    queue.put('a3');
    expect(await taken).toBe('a1');
    queue.takeAllNow(2);
    queue.put('a4');
    expect(queue.takeNow()).toBe('a4');
  });

  test('looks again when a job of the lane is done before its time', async () => {
    const queue = new TestQueue();
    queue.put('a1', 'a2');
    queue.takeNow();
    queue.gate.laneOpenFrom.set('a', 100);
    const taken = queue.take();
    queue.gate.laneOpenFrom.set('a', 0);
    queue.done('a1');
    expect(await taken).toBe('a2');
  });

  test('a lane that was emptied and comes back is not woken by the time of its former self', async () => {
    const queue = new TestQueue();
    queue.gate.laneOpenFrom.set('a', 100);
    queue.put('a1');
    const first = queue.take();
    queue.gate.laneOpenFrom.set('a', 0);
    queue.put('a2');
    expect(await first).toBe('a1');
    expect(queue.takeNow()).toBe('a2');
    queue.done('a1', 'a2');
    queue.gate.laneOpenFrom.set('a', 300);
    queue.put('a3');
    const later = watch(queue.take());
    queue.clock.turnTo(299);
    await allReactions();
    expect(later().state).toBe('pending');
    queue.clock.turnTo(300);
    await allReactions();
    expect(later()).toEqual({ state: 'fulfilled', value: 'a3' });
  });
});
