import { expect, test } from 'vitest';
import { ResourcePressure } from '../../src/hosts/resource-pressure.ts';

const NEVER = Number.POSITIVE_INFINITY;

function succeed(shortages: ResourcePressure, times: number): void {
  for (let i = 0; i < times; i++) shortages.succeeded();
}

/** How many requests may be under way at once. */
function limitOf(shortages: ResourcePressure): number {
  let inFlight = 0;
  while (inFlight < 1000 && shortages.openAt(inFlight) !== NEVER) inFlight += 1;
  return inFlight;
}

test('all starts pause after a shortage, longer and longer while nothing but shortages follow, up to a second', () => {
  const shortages = new ResourcePressure(64);
  const pauses = [0, 1000, 2000, 3000, 4000, 5000, 6000].map((now) => {
    shortages.recordExhausted(now, now);
    return shortages.openAt(0) - now;
  });
  expect(pauses).toEqual([50, 100, 200, 400, 800, 1000, 1000]);
});

test('requests that were started before the last pause are counted and say nothing new', () => {
  const shortages = new ResourcePressure(256);
  for (let i = 0; i < 100; i++) shortages.recordExhausted(0, 10);
  expect([shortages.count, shortages.openAt(0), limitOf(shortages)]).toEqual([100, 60, 128]);
});

test('a shortage halves the number of requests under way, down to 16', () => {
  const shortages = new ResourcePressure(100);
  const limits = [1, 2, 3, 4].map((now) => {
    shortages.recordExhausted(now, now);
    return limitOf(shortages);
  });
  expect(limits).toEqual([50, 25, 16, 16]);
});

test('a run with fewer workers than that keeps all of them', () => {
  const shortages = new ResourcePressure(4);
  shortages.recordExhausted(0, 0);
  expect(limitOf(shortages)).toBe(4);
});

test('each full round of successes gives a quarter of the requests back, and halves the pause', () => {
  const shortages = new ResourcePressure(100);
  for (const now of [0, 100, 300]) shortages.recordExhausted(now, now);
  succeed(shortages, 15);
  expect(limitOf(shortages)).toBe(16);
  succeed(shortages, 1);
  expect(limitOf(shortages)).toBe(20);
  shortages.recordExhausted(1000, 1000);
  expect(shortages.openAt(0)).toBe(1000 + 200);
});

test('enough successes bring back all workers, and the shortest pause', () => {
  const shortages = new ResourcePressure(100);
  for (const now of [0, 100, 300, 700]) shortages.recordExhausted(now, now);
  succeed(shortages, 1000);
  expect(limitOf(shortages)).toBe(100);
  shortages.recordExhausted(5000, 5000);
  expect(shortages.openAt(0)).toBe(5050);
});
