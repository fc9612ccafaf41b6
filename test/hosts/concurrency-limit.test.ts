import { expect, test } from 'vitest';
import { ConcurrencyLimit } from '../../src/hosts/concurrency-limit.ts';

function succeed(limit: ConcurrencyLimit, times: number): void {
  for (let i = 0; i < times; i++) limit.recordSuccess();
}

test('ConcurrencyLimit starts with ten requests, or with the maximum if that is lower', () => {
  expect(new ConcurrencyLimit(64).current).toBe(10);
  expect(new ConcurrencyLimit(3).current).toBe(3);
});

test('ConcurrencyLimit doubles with each full round of successes until the host first pushes back', () => {
  const limit = new ConcurrencyLimit(64);
  succeed(limit, 9);
  expect(limit.current).toBe(10);
  succeed(limit, 1);
  expect(limit.current).toBe(20);
  succeed(limit, 20 + 40);
  expect(limit.current).toBe(64);
});

test('ConcurrencyLimit is halved by a push-back, down to 1', () => {
  const limit = new ConcurrencyLimit(10);
  const seen = [1, 2, 3, 4, 5].map((time) => {
    limit.recordPushBack(time, time);
    return limit.current;
  });
  expect(seen).toEqual([5, 2, 1, 1, 1]);
});

test('ConcurrencyLimit is halved once by a whole round that is pushed back', () => {
  const limit = new ConcurrencyLimit(10);
  for (let i = 0; i < 10; i++) limit.recordPushBack(0, 100 + i);
  expect(limit.current).toBe(5);
  limit.recordPushBack(105, 200);
  expect(limit.current).toBe(2);
});

test('ConcurrencyLimit grows by one for each full round of successes after a push-back', () => {
  const limit = new ConcurrencyLimit(10);
  limit.recordPushBack(0, 1);
  succeed(limit, 4);
  expect(limit.current).toBe(5);
  succeed(limit, 1);
  expect(limit.current).toBe(6);
  succeed(limit, 6);
  expect(limit.current).toBe(7);
});

test('ConcurrencyLimit counts a round anew after a push-back', () => {
  const limit = new ConcurrencyLimit(10);
  succeed(limit, 9);
  limit.recordPushBack(0, 1);
  succeed(limit, 4);
  expect(limit.current).toBe(5);
});

test('ConcurrencyLimit is lowered from the first push-back until it is back at its maximum', () => {
  const limit = new ConcurrencyLimit(2);
  expect(limit.isLowered).toBe(false);
  limit.recordPushBack(0, 1);
  expect(limit.isLowered).toBe(true);
  succeed(limit, 1);
  expect(limit.current).toBe(2);
  expect(limit.isLowered).toBe(false);
});
