import { describe, expect, test } from 'vitest';
import { TestScheduler } from './test-scheduler.ts';
import { allReactions, watch } from './watch.ts';

describe('Scheduler with a limiter for all keys', () => {
  test('gives nothing before the allowed time', async () => {
    const queue = new TestScheduler();
    queue.limiter.allowedFrom = 100;
    queue.put('a1', 'b1');
    const taken = [queue.take(), queue.take()];
    queue.clock.turnTo(99);
    expect(queue.limiter.dispatched).toEqual([]);
    queue.clock.turnTo(100);
    expect(await Promise.all(taken)).toEqual(['a1', 'b1']);
  });

  test('gives one job for each allowed time, as with a rate limit', async () => {
    const queue = new TestScheduler();
    queue.limiter.onDispatch = (key, at) => {
      queue.limiter.dispatched.push({ key, at });
      queue.limiter.allowedFrom = at + 10;
    };
    queue.put('a1', 'b1', 'a2');
    const taken = [queue.take(), queue.take(), queue.take()];
    queue.clock.turnTo(100);
    expect(await Promise.all(taken)).toEqual(['a1', 'b1', 'a2']);
    expect(queue.limiter.dispatched.map(({ at }) => at)).toEqual([0, 10, 20]);
  });

  test('passes the number of jobs in flight, and asks again when one is released', async () => {
    const queue = new TestScheduler();
    queue.limiter.nextAllowedAt = (_now = 0, inFlight = 0) => (inFlight < 2 ? 0 : Number.POSITIVE_INFINITY);
    queue.put('a1', 'b1', 'c1');
    expect(queue.takeAllNow(2)).toEqual(['a1', 'b1']);
    const third = watch(queue.take());
    await allReactions();
    expect(third().state).toBe('pending');
    queue.release('a1');
    await allReactions();
    expect(third()).toEqual({ state: 'fulfilled', value: 'c1' });
  });

  test('reports each job that is released, with the number of the others of its key in flight', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2', 'b1');
    queue.takeAllNow(3);
    queue.clock.turnTo(7);
    queue.release('a1', 'b1', 'a2');
    expect(queue.limiter.released).toEqual([
      { key: 'a', inFlight: 1, at: 7 },
      { key: 'b', inFlight: 0, at: 7 },
      { key: 'a', inFlight: 0, at: 7 },
    ]);
  });

  test('asks for no key while no job is allowed', () => {
    const queue = new TestScheduler();
    queue.limiter.allowedFrom = 100;
    queue.put('a1', 'b1');
    queue.take();
    queue.clock.turnTo(99);
    expect(queue.limiter.keyCalls).toBe(0);
  });

  test('asks again, and sets a new timer, when the allowed time has moved to a later one', async () => {
    const queue = new TestScheduler();
    queue.limiter.allowedFrom = 100;
    queue.put('a1');
    const taken = watch(queue.take());
    queue.limiter.allowedFrom = 200;
    queue.clock.turnTo(199);
    await allReactions();
    expect(taken().state).toBe('pending');
    expect(queue.clock.nextAt).toBe(200);
    queue.clock.turnTo(200);
    await allReactions();
    expect(taken()).toEqual({ state: 'fulfilled', value: 'a1' });
  });

  test('sees an earlier allowed time at the next event', async () => {
    const queue = new TestScheduler();
    queue.limiter.allowedFrom = 100;
    queue.put('a1', 'b1');
    const taken = [queue.take(), queue.take()];
    queue.limiter.allowedFrom = 0;
    queue.put('c1');
    expect(await Promise.all(taken)).toEqual(['a1', 'b1']);
    expect(queue.clock.pending).toBe(0);
  });
});

describe('Scheduler with a limiter for each key', () => {
  test('passes over a key until its time, and gives the jobs of others', async () => {
    const queue = new TestScheduler();
    queue.limiter.keyAllowedFrom.set('a', 100);
    queue.put('a1', 'b1', 'b2');
    expect(queue.takeAllNow(2)).toEqual(['b1', 'b2']);
    const taken = queue.take();
    queue.clock.turnTo(100);
    expect(await taken).toBe('a1');
    expect(queue.limiter.dispatched[2]).toEqual({ key: 'a', at: 100 });
  });

  test('wakes the key whose time comes first, first', async () => {
    const queue = new TestScheduler();
    queue.limiter.keyAllowedFrom.set('a', 30).set('b', 10).set('c', 20);
    queue.put('a1', 'b1', 'c1');
    const taken = [queue.take(), queue.take(), queue.take()];
    queue.clock.turnTo(50);
    expect(await Promise.all(taken)).toEqual(['b1', 'c1', 'a1']);
    expect(queue.limiter.dispatched.map(({ at }) => at)).toEqual([10, 20, 30]);
  });

  test('holds back a key at its limit until one of its jobs is released', async () => {
    const queue = new TestScheduler();
    queue.limiter.limit = 2;
    queue.put('a1', 'a2', 'a3');
    expect(queue.takeAllNow(2)).toEqual(['a1', 'a2']);
    const taken = watch(queue.take());
    queue.clock.turnTo(1_000_000);
    await allReactions();
    expect(taken().state).toBe('pending');
    expect(queue.clock.started).toBe(0);
    queue.release('a1');
    await allReactions();
    expect(taken()).toEqual({ state: 'fulfilled', value: 'a3' });
  });

  test('gives a job that is requeued at the limit only when there is room', async () => {
    const queue = new TestScheduler();
    queue.limiter.limit = 1;
    queue.put('a1', 'b1');
    queue.takeAllNow(2);
    queue.requeue('a1', 0, 'b');
    queue.release('a1');
    const taken = watch(queue.take());
    await allReactions();
    expect(taken().state).toBe('pending');
    queue.release('b1');
    await allReactions();
    expect(taken()).toEqual({ state: 'fulfilled', value: 'a1' });
  });

  test('asks again when the allowed time of the key has moved to a later one', async () => {
    const queue = new TestScheduler();
    queue.limiter.keyAllowedFrom.set('a', 100);
    queue.put('a1');
    const taken = watch(queue.take());
    queue.limiter.keyAllowedFrom.set('a', 200);
    queue.clock.turnTo(199);
    await allReactions();
    expect(taken().state).toBe('pending');
    queue.clock.turnTo(200);
    await allReactions();
    expect(taken()).toEqual({ state: 'fulfilled', value: 'a1' });
  });

  test('wakes the key at the earlier time when the allowed time has moved to one', async () => {
    const queue = new TestScheduler();
    queue.limiter.keyAllowedFrom.set('a', 100);
    queue.put('a1');
    const taken = [queue.take(), queue.take()];
    queue.limiter.keyAllowedFrom.set('a', 50);
    queue.put('a2');
    expect(queue.clock.nextAt).toBe(50);
    queue.clock.turnTo(50);
    expect(await Promise.all(taken)).toEqual(['a1', 'a2']);
    queue.clock.turnTo(200);
    expect(queue.limiter.dispatched).toHaveLength(2);
  });

  test('gives a job put under a key that was allowed before its time', async () => {
    const queue = new TestScheduler();
    queue.limiter.keyAllowedFrom.set('a', 100);
    queue.put('a1', 'a2');
    const taken = queue.take();
    queue.limiter.keyAllowedFrom.set('a', 0);
    queue.put('a3');
    expect(await taken).toBe('a1');
    queue.takeAllNow(2);
    queue.put('a4');
    expect(queue.takeNow()).toBe('a4');
  });

  test('asks again when a job of the key is released before its time', async () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2');
    queue.takeNow();
    queue.limiter.keyAllowedFrom.set('a', 100);
    const taken = queue.take();
    queue.limiter.keyAllowedFrom.set('a', 0);
    queue.release('a1');
    expect(await taken).toBe('a2');
  });

  test('does not wake a key that was emptied and came back at its old time', async () => {
    const queue = new TestScheduler();
    queue.limiter.keyAllowedFrom.set('a', 100);
    queue.put('a1');
    const first = queue.take();
    queue.limiter.keyAllowedFrom.set('a', 0);
    queue.put('a2');
    expect(await first).toBe('a1');
    expect(queue.takeNow()).toBe('a2');
    queue.release('a1', 'a2');
    queue.limiter.keyAllowedFrom.set('a', 300);
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
