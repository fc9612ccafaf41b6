import { describe, expect, test } from 'vitest';
import { FairQueue } from '../../src/core/scheduler.ts';
import { FakeLimiter } from './fake-limiter.ts';

const job = {};

function queueOf(...keys: string[]): { queue: FairQueue<object>; limiter: FakeLimiter } {
  const limiter = new FakeLimiter();
  const queue = new FairQueue<object>(limiter);
  for (const key of keys) queue.append(key, job);
  return { queue, limiter };
}

describe('FairQueue forgets', () => {
  test('a key when its last job is released', () => {
    const { queue } = queueOf('a', 'a', 'b');
    expect(queue.keyCount).toBe(2);
    for (let count = 0; count < 3; count += 1) queue.take(0);
    expect(queue.keyCount).toBe(2);
    queue.release('a');
    expect(queue.keyCount).toBe(2);
    queue.release('a');
    expect(queue.keyCount).toBe(1);
    queue.release('b');
    expect(queue.keyCount).toBe(0);
  });

  test('a key when its last job has moved to another key', () => {
    const { queue } = queueOf('a');
    queue.take(0);
    queue.prepend('b', job);
    queue.release('a');
    expect(queue.keyCount).toBe(1);
    queue.take(0);
    queue.release('b');
    expect(queue.keyCount).toBe(0);
  });

  test('a key while its only job is delayed', () => {
    const { queue } = queueOf('a');
    queue.take(0);
    queue.delay('a', job, 50);
    queue.release('a');
    expect(queue.keyCount).toBe(0);
    expect(queue.size).toBe(1);
    expect(queue.take(50)).toBe(job);
    expect(queue.keyCount).toBe(1);
  });

  test('the time of a key when it has come', () => {
    const { queue, limiter } = queueOf('a', 'b');
    limiter.keyAllowedFrom.set('a', 50).set('b', 60);
    expect(queue.take(0)).toBeUndefined();
    expect(queue.nextTakeAt(0)).toBe(50);
    expect(queue.take(50)).toBe(job);
    expect(queue.take(50)).toBeUndefined();
    expect(queue.nextTakeAt(50)).toBe(60);
    expect(queue.take(60)).toBe(job);
    queue.append('a', job);
    limiter.keyAllowedFrom.set('a', Number.POSITIVE_INFINITY);
    expect(queue.take(60)).toBeUndefined();
    expect(queue.nextTakeAt(60)).toBe(Number.POSITIVE_INFINITY);
  });

  test('every key and time at clear(), except those of jobs in flight', () => {
    const { queue, limiter } = queueOf('a', 'a', 'b', 'c');
    limiter.keyAllowedFrom.set('b', 50);
    limiter.limits.set('c', 0);
    queue.take(0);
    limiter.limits.set('a', 1);
    expect(queue.take(0)).toBeUndefined();
    queue.delay('d', job, 70);
    expect(queue.clear()).toHaveLength(4);
    expect(queue.keyCount).toBe(1);
    queue.append('c', job);
    expect(queue.take(0)).toBeUndefined();
    expect(queue.nextTakeAt(0)).toBe(Number.POSITIVE_INFINITY);
    queue.release('a');
    expect(queue.keyCount).toBe(1);
  });

  test('each of 10,000 keys that were used once', () => {
    const { queue } = queueOf();
    for (let index = 0; index < 10_000; index += 1) {
      queue.append(`host${index}`, job);
      queue.take(0);
      queue.release(`host${index}`);
    }
    expect(queue.keyCount).toBe(0);
  });
});

describe('FairQueue keeps', () => {
  test('one time for a key that gets a thousand jobs while it is not allowed', () => {
    const { queue, limiter } = queueOf();
    limiter.keyAllowedFrom.set('a', 50);
    for (let count = 0; count < 1_000; count += 1) {
      queue.append('a', job);
      queue.take(0);
    }
    expect(queue.timeCount).toBe(1);
    expect(queue.take(50)).toBe(job);
    expect(queue.timeCount).toBe(0);
  });

  test('no time for a key at its limit', () => {
    const { queue, limiter } = queueOf();
    limiter.limit = 0;
    for (let count = 0; count < 1_000; count += 1) {
      queue.append('a', job);
      queue.take(0);
    }
    expect(queue.timeCount).toBe(0);
  });

  test('only the later time once the earlier one has passed', () => {
    const { queue, limiter } = queueOf('a');
    limiter.keyAllowedFrom.set('a', 100);
    queue.take(0);
    limiter.keyAllowedFrom.set('a', 50);
    queue.append('a', job);
    queue.take(0);
    limiter.keyAllowedFrom.set('a', 200);
    queue.take(50);
    const asked = limiter.keyCalls;
    expect(queue.take(100)).toBeUndefined();
    expect(limiter.keyCalls).toBe(asked);
    expect(queue.nextTakeAt(100)).toBe(200);
  });

  test.each([
    ['that is forgotten', true],
    ['whose jobs are all in flight', false],
  ])('the time of a key %s, and does nothing when it has come', (_, isDone) => {
    const { queue, limiter } = queueOf('a');
    limiter.keyAllowedFrom.set('a', 100);
    queue.take(0);
    limiter.keyAllowedFrom.clear();
    queue.prepend('a', job);
    queue.take(0);
    queue.take(0);
    if (isDone) for (const key of ['a', 'a']) queue.release(key);
    expect(queue.timeCount).toBe(1);
    queue.delay('b', job, 150);
    expect(queue.take(100)).toBeUndefined();
    expect(queue.size).toBe(1);
    expect(queue.take(150)).toBe(job);
    expect(queue.timeCount).toBe(0);
  });
});

describe('FairQueue.nextTakeAt()', () => {
  test('is Infinity when nothing is held', () => {
    const { queue, limiter } = queueOf();
    limiter.allowedFrom = 50;
    expect(queue.nextTakeAt(0)).toBe(Number.POSITIVE_INFINITY);
  });

  test('is the time of the limiter while it allows nothing, even if something waits for an earlier time', () => {
    const { queue, limiter } = queueOf();
    limiter.allowedFrom = 50;
    queue.delay('a', job, 20);
    expect(queue.nextTakeAt(0)).toBe(50);
    limiter.allowedFrom = 0;
    expect(queue.nextTakeAt(0)).toBe(20);
  });

  test('does not make take() ask again for a key that waits for a time', () => {
    const { queue, limiter } = queueOf('a', 'a', 'a');
    limiter.keyAllowedFrom.set('a', 50);
    for (let now = 0; now < 50; now += 1) expect(queue.take(now)).toBeUndefined();
    expect(limiter.keyCalls).toBe(1);
  });
});

describe('FairQueue with 8 workers prefers', () => {
  function taken(capacityOfA: number, jobsOfA: number): string {
    const limiter = new FakeLimiter();
    limiter.limits.set('a', capacityOfA);
    const queue = new FairQueue<{ key: string }>(limiter, undefined, 8);
    for (const key of ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']) queue.append(key, { key });
    for (let count = 0; count < jobsOfA; count += 1) queue.append('a', { key: 'a' });
    return Array.from({ length: 8 }, () => queue.take(0)?.key).join('');
  }

  test.each([
    ['no key whose jobs need no more rounds than all jobs', 2, 2, 'bcdefghi'],
    ['a key whose jobs would end last', 2, 20, 'aabcdefg'],
    ['a key only as long as its jobs would end last', 3.5, 8, 'aabcdefg'],
    ['no key that allows as much as all workers', 8, 20, 'bcdefghi'],
  ])('%s', (_, capacity, jobs, order) => {
    expect(taken(capacity, jobs)).toBe(order);
  });
});
