import { describe, expect, test } from 'vitest';
import { TestScheduler } from './test-scheduler.ts';
import { allReactions, watch } from './watch.ts';

describe('Scheduler()', () => {
  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a capacity of %d', (capacity) => {
    expect(() => new TestScheduler(capacity)).toThrow(
      new RangeError(`Cannot use "${capacity}" as a capacity: it must be a whole number above 0`),
    );
  });
});

describe('Scheduler.put()', () => {
  test('waits while the queue is full, over all keys together', async () => {
    const queue = new TestScheduler(2);
    expect(queue.put('a1', 'b1')).toEqual([undefined, undefined]);
    const [put] = queue.put('c1');
    const state = watch(put);
    await allReactions();
    expect(state().state).toBe('pending');
    expect(queue.scheduler.size).toBe(2);
    queue.takeNow();
    await allReactions();
    expect(state().state).toBe('fulfilled');
    expect(queue.scheduler.size).toBe(2);
  });

  test('accepts waiting jobs one by one, in their order', async () => {
    const queue = new TestScheduler(1);
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

  test('counts requeued jobs, delayed ones included', async () => {
    const queue = new TestScheduler(2);
    queue.put('a1', 'a2');
    queue.takeAllNow(2);
    queue.requeue('a1', 50);
    queue.requeue('a2');
    queue.release('a1', 'a2');
    expect(queue.scheduler.size).toBe(2);
    const [put] = queue.put('a3');
    const state = watch(put);
    await allReactions();
    expect(state().state).toBe('pending');
  });

  test('waits until jobs that were requeued beyond the capacity have left', async () => {
    const queue = new TestScheduler(1);
    queue.put('a1');
    queue.takeNow();
    queue.put('a2');
    queue.requeue('a1');
    queue.release('a1');
    expect(queue.scheduler.size).toBe(2);
    const state = watch(queue.put('a3')[0]);
    queue.takeNow();
    await allReactions();
    expect(state().state).toBe('pending');
    queue.takeNow();
    await allReactions();
    expect(state().state).toBe('fulfilled');
  });

  test('throws after close()', () => {
    const queue = new TestScheduler();
    queue.scheduler.close();
    expect(() => queue.put('a1')).toThrow('Cannot put a job: the queue is closed');
  });
});

describe('Scheduler.release()', () => {
  test('counts the jobs in flight', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2');
    expect(queue.scheduler.inFlight).toBe(0);
    queue.takeAllNow(2);
    expect(queue.scheduler.inFlight).toBe(2);
    queue.release('a1');
    expect(queue.scheduler.inFlight).toBe(1);
  });

  test.each([
    ['an unknown key', 'x'],
    ['a key with nothing in flight', 'b'],
    ['a key whose last job was released', 'a'],
  ])('throws for %s', (_, key) => {
    const queue = new TestScheduler();
    queue.put('a1', 'b1');
    queue.takeNow();
    queue.release('a1');
    expect(() => queue.scheduler.release(key)).toThrow(
      `Cannot release a job of key "${key}": none is in flight`,
    );
    expect(queue.scheduler.inFlight).toBe(0);
  });
});

describe('Scheduler.take() chooses', () => {
  test('the jobs of one key in the order they were put', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2', 'a3');
    expect(queue.takeAllNow(3)).toEqual(['a1', 'a2', 'a3']);
  });

  test('one job of each key before the second of any', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2', 'a3', 'b1', 'b2', 'c1');
    expect(queue.takeAllNow(6)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  });

  test('the key with the fewest jobs in flight, however late it came', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2', 'b1', 'b2');
    expect(queue.takeAllNow(2)).toEqual(['a1', 'b1']);
    queue.put('c1');
    expect(queue.takeNow()).toBe('c1');
  });

  test('the key with the fewest jobs in flight after a release', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2', 'a3', 'b1', 'b2', 'b3');
    expect(queue.takeAllNow(4)).toEqual(['a1', 'b1', 'a2', 'b2']);
    queue.release('b1');
    expect(queue.takeNow()).toBe('b3');
    expect(queue.takeNow()).toBe('a3');
  });

  test('of keys with equally many jobs in flight the one that waited longest', () => {
    const queue = new TestScheduler();
    queue.put('b1', 'a1', 'a2', 'b2', 'c1', 'c2');
    expect(queue.takeAllNow(3)).toEqual(['b1', 'a1', 'c1']);
    queue.release('c1', 'a1', 'b1');
    expect(queue.takeAllNow(3)).toEqual(['c2', 'a2', 'b2']);
  });

  test('a key with many jobs in flight as soon as it is the only one', () => {
    const queue = new TestScheduler(2_000);
    queue.put(...Array.from({ length: 1_000 }, (_, index) => `a${index}`));
    expect(queue.takeAllNow(999)).toHaveLength(999);
    queue.put('b1');
    expect(queue.takeAllNow(2)).toEqual(['b1', 'a999']);
    expect(queue.scheduler.inFlight).toBe(1_001);
  });

  test('no key that has become empty, which starts afresh when it comes back', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'b1');
    queue.takeAllNow(2);
    queue.release('a1', 'b1');
    queue.put('b2', 'a2', 'a3');
    expect(queue.takeAllNow(3)).toEqual(['b2', 'a2', 'a3']);
  });
});

describe('Scheduler.take() gives waiting workers', () => {
  test('the jobs in the order in which the workers came', async () => {
    const queue = new TestScheduler();
    const taken = [queue.take(), queue.take(), queue.take()];
    queue.put('a1', 'a2', 'b1');
    expect(await Promise.all(taken)).toEqual(['a1', 'a2', 'b1']);
  });

  test('a job each, when a hundred of them wait and the jobs come one by one', async () => {
    const queue = new TestScheduler(1);
    const names = Array.from({ length: 100 }, (_, index) => `a${index}`);
    const taken = names.map(() => queue.take());
    expect(queue.put(...names)).toEqual(names.map(() => undefined));
    expect(await Promise.all(taken)).toEqual(names);
  });
});

describe('Scheduler.requeue()', () => {
  test('puts the job at the head of its key at once when the time has come', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2');
    queue.takeNow();
    queue.requeue('a1');
    queue.release('a1');
    expect(queue.takeAllNow(2)).toEqual(['a1', 'a2']);
  });

  test('puts the job under another key', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'b1');
    queue.takeNow();
    queue.requeue('a1', 0, 'b');
    queue.release('a1');
    queue.limiter.limits.set('b', 1);
    expect(queue.takeNow()).toBe('a1');
    const next = queue.take();
    queue.release('b0');
    return expect(next).resolves.toBe('b1');
  });

  test('gives the job at its time and not before', async () => {
    const queue = new TestScheduler();
    queue.put('a1');
    queue.takeNow();
    queue.requeue('a1', 50);
    queue.release('a1');
    const taken = queue.take();
    queue.clock.turnTo(49);
    expect(queue.limiter.dispatched).toHaveLength(1);
    expect(queue.scheduler.size).toBe(1);
    queue.clock.turnTo(60);
    expect(await taken).toBe('a1');
    expect(queue.limiter.dispatched[1]).toEqual({ key: 'a', at: 50 });
  });

  test('lets the other jobs of the key pass while one is delayed, and puts it behind them', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2', 'a3');
    queue.takeNow();
    queue.requeue('a1', 50);
    queue.release('a1');
    expect(queue.takeNow()).toBe('a2');
    queue.clock.turnTo(50);
    expect(queue.takeAllNow(2)).toEqual(['a3', 'a1']);
  });

  test('gives jobs that are due together in the order of their times', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2', 'a3', 'a4');
    queue.takeAllNow(3);
    queue.requeue('a1', 30);
    queue.requeue('a2', 10);
    queue.requeue('a3', 20);
    queue.release('a1', 'a2', 'a3');
    queue.clock.turnTo(40);
    expect(queue.takeAllNow(4)).toEqual(['a4', 'a2', 'a3', 'a1']);
  });

  test('gives jobs with equal times in the order they were requeued', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2', 'a3');
    queue.takeAllNow(3);
    for (const name of ['a2', 'a3', 'a1']) queue.requeue(name, 10);
    queue.release('a1', 'a2', 'a3');
    queue.clock.turnTo(10);
    expect(queue.takeAllNow(3)).toEqual(['a2', 'a3', 'a1']);
  });
});

describe('Scheduler.close()', () => {
  test('ends an empty queue at once, for workers that wait and for those that come later', async () => {
    const queue = new TestScheduler();
    const waiting = [queue.take(), queue.take()];
    queue.scheduler.close();
    expect(await Promise.all(waiting)).toEqual(['-', '-']);
    expect(queue.takeNow()).toBe('-');
  });

  test('ends only when all held jobs were taken', () => {
    const queue = new TestScheduler();
    queue.put('a1');
    queue.scheduler.close();
    expect(queue.takeNow()).toBe('a1');
    queue.release('a1');
    expect(queue.takeNow()).toBe('-');
  });

  test('ends only when nothing is in flight, since a job in flight may be requeued', async () => {
    const queue = new TestScheduler();
    queue.put('a1');
    queue.takeNow();
    queue.scheduler.close();
    const [first, second] = [watch(queue.take()), watch(queue.take())];
    await allReactions();
    expect(first().state).toBe('pending');
    queue.requeue('a1');
    queue.release('a1');
    await allReactions();
    expect(first()).toEqual({ state: 'fulfilled', value: 'a1' });
    expect(second().state).toBe('pending');
    queue.release('a1');
    await allReactions();
    expect(second()).toEqual({ state: 'fulfilled', value: '-' });
  });

  test('ends only when a delayed job was taken', async () => {
    const queue = new TestScheduler();
    queue.put('a1');
    queue.takeNow();
    queue.requeue('a1', 50);
    queue.release('a1');
    queue.scheduler.close();
    const taken = queue.take();
    queue.clock.turnTo(50);
    expect(await taken).toBe('a1');
  });

  test('accepts the jobs that wait in put() first', async () => {
    const queue = new TestScheduler(1);
    const [, second] = queue.put('a1', 'a2');
    queue.scheduler.close();
    expect(queue.takeAllNow(2)).toEqual(['a1', 'a2']);
    await second;
    queue.release('a1', 'a2');
    expect(queue.takeNow()).toBe('-');
  });
});

describe('Scheduler.clear()', () => {
  const names = (queue: TestScheduler) =>
    queue.scheduler
      .clear()
      .map((job) => job.name)
      .sort();

  test('returns nothing from an empty queue', () => {
    expect(new TestScheduler().scheduler.clear()).toEqual([]);
  });

  test('returns jobs that are held, delayed or waiting in put()', async () => {
    const queue = new TestScheduler(3);
    queue.put('a1', 'a2', 'b1');
    expect(queue.takeAllNow(1)).toEqual(['a1']);
    queue.requeue('a1', 50);
    queue.release('a1');
    const puts = queue.put('c1', 'c2');
    expect(names(queue)).toEqual(['a1', 'a2', 'b1', 'c1', 'c2']);
    await Promise.all(puts);
    expect(queue.scheduler.size).toBe(0);
    expect(names(queue)).toEqual([]);
  });

  test('leaves jobs in flight, which can be requeued and released', () => {
    const queue = new TestScheduler();
    queue.put('a1', 'a2', 'b1');
    queue.takeNow();
    expect(names(queue)).toEqual(['a2', 'b1']);
    expect(queue.scheduler.inFlight).toBe(1);
    queue.requeue('a1');
    queue.release('a1');
    expect(queue.takeNow()).toBe('a1');
    queue.release('a1');
    expect(queue.scheduler.inFlight).toBe(0);
  });

  test('leaves the queue usable', () => {
    const queue = new TestScheduler(1);
    queue.limiter.keyAllowedFrom.set('a', 50);
    queue.put('a1', 'a2');
    queue.scheduler.clear();
    queue.limiter.keyAllowedFrom.clear();
    expect(queue.put('a3')).toEqual([undefined]);
    expect(queue.takeNow()).toBe('a3');
  });

  test('ends a closed queue with nothing in flight', async () => {
    const queue = new TestScheduler();
    queue.limiter.allowedFrom = 50;
    queue.put('a1');
    const waiting = [queue.take(), queue.take()];
    queue.scheduler.close();
    queue.scheduler.clear();
    expect(await Promise.all(waiting)).toEqual(['-', '-']);
    expect(queue.clock.pending).toBe(0);
  });

  test('leaves workers waiting on an open queue, without a timer', async () => {
    const queue = new TestScheduler();
    queue.limiter.allowedFrom = 50;
    queue.put('a1');
    const taken = queue.take();
    queue.scheduler.clear();
    expect(queue.clock.pending).toBe(0);
    queue.limiter.allowedFrom = 0;
    queue.put('a2');
    expect(await taken).toBe('a2');
  });
});

test('Scheduler.hasMore() is true for a key with a job that is held and not delayed', () => {
  const queue = new TestScheduler();
  queue.put('a1', 'a2', 'b1');
  const more = () => ['a', 'b', 'c'].map((key) => queue.scheduler.hasMore(key));
  expect(more()).toEqual([true, true, false]);
  queue.takeAllNow(2);
  expect(more()).toEqual([true, false, false]);
  queue.takeNow();
  expect(more()).toEqual([false, false, false]);
  queue.requeue('a1', 100);
  expect(more(), 'a delayed job').toEqual([false, false, false]);
  queue.requeue('a2');
  expect(more()).toEqual([true, false, false]);
});
