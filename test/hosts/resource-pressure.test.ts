import { expect, test } from 'vitest';
import { ResourcePressure } from '../../src/hosts/concurrency-limit.ts';

const NEVER = Number.POSITIVE_INFINITY;

function succeed(pressure: ResourcePressure, times: number): void {
  for (let i = 0; i < times; i++) pressure.recordSuccess();
}

/** How many requests may be in flight. */
function limitOf(pressure: ResourcePressure): number {
  let inFlight = 0;
  while (inFlight < 1000 && pressure.nextAllowedAt(inFlight) !== NEVER) inFlight += 1;
  return inFlight;
}

test('ResourcePressure pauses all requests when a resource is exhausted, each time for twice as long, up to a second', () => {
  const pressure = new ResourcePressure(64);
  const pauses = [0, 1000, 2000, 3000, 4000, 5000, 6000].map((now) => {
    pressure.recordExhausted(now, now);
    return pressure.nextAllowedAt(0) - now;
  });
  expect(pauses).toEqual([50, 100, 200, 400, 800, 1000, 1000]);
});

test('ResourcePressure only counts requests that were started before the last pause', () => {
  const pressure = new ResourcePressure(256);
  for (let i = 0; i < 100; i++) pressure.recordExhausted(0, 10);
  expect([pressure.exhaustedCount, pressure.nextAllowedAt(0), limitOf(pressure)]).toEqual([100, 60, 128]);
});

test('ResourcePressure halves the limit of requests in flight, down to 16', () => {
  const pressure = new ResourcePressure(100);
  const limits = [1, 2, 3, 4].map((now) => {
    pressure.recordExhausted(now, now);
    return limitOf(pressure);
  });
  expect(limits).toEqual([50, 25, 16, 16]);
});

test('ResourcePressure does not lower a limit below 16', () => {
  const pressure = new ResourcePressure(4);
  pressure.recordExhausted(0, 0);
  expect(limitOf(pressure)).toBe(4);
});

test('ResourcePressure raises the limit by a quarter and halves the pause with each full round of successes', () => {
  const pressure = new ResourcePressure(100);
  for (const now of [0, 100, 300]) pressure.recordExhausted(now, now);
  succeed(pressure, 15);
  expect(limitOf(pressure)).toBe(16);
  succeed(pressure, 1);
  expect(limitOf(pressure)).toBe(20);
  pressure.recordExhausted(1000, 1000);
  expect(pressure.nextAllowedAt(0)).toBe(1000 + 200);
});

test('ResourcePressure is back at its maximum, and at the shortest pause, after enough successes', () => {
  const pressure = new ResourcePressure(100);
  for (const now of [0, 100, 300, 700]) pressure.recordExhausted(now, now);
  succeed(pressure, 1000);
  expect(limitOf(pressure)).toBe(100);
  pressure.recordExhausted(5000, 5000);
  expect(pressure.nextAllowedAt(0)).toBe(5050);
});
