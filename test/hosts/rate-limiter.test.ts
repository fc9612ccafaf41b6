import { describe, expect, test } from 'vitest';
import { createSharedRateMemory, RateLimiter, SharedRateLimiter } from '../../src/hosts/rate-limiter.ts';

describe('RateLimiter', () => {
  /** Starts each request as soon as it is allowed, and returns how many started before `endMs`. */
  function startedBy(limiter: RateLimiter, endMs: number): number {
    let count = 0;
    for (let now = 0; now < endMs; now++) {
      while (limiter.nextAllowedAt <= now) {
        limiter.onDispatch(now);
        count++;
      }
    }
    return count;
  }

  test('without a limit always allows requests', () => {
    const limiter = new RateLimiter(Number.POSITIVE_INFINITY);
    limiter.onDispatch(5);
    expect(limiter.nextAllowedAt).toBe(0);
  });

  test('keeps its rate, low or high, with bursts of a few ms at most', () => {
    expect(startedBy(new RateLimiter(2 / 1000), 9_980)).toBe(20);
    const fast = startedBy(new RateLimiter(5), 1000);
    expect(fast).toBeGreaterThanOrEqual(5000);
    expect(fast).toBeLessThanOrEqual(5000 + 5 * 12);
  });

  test('does not save up idle time', () => {
    const limiter = new RateLimiter(1 / 1000);
    limiter.onDispatch(0);
    limiter.onDispatch(60_000);
    expect(limiter.nextAllowedAt).toBeGreaterThan(60_900);
  });
});

describe('SharedRateLimiter', () => {
  const START = 1_700_000_000_000;

  /** How many requests two threads that take turns may start in `ms`. */
  function startsIn(ms: number, perMs: number): number {
    const memory = createSharedRateMemory();
    const limiters = [new SharedRateLimiter(memory, perMs), new SharedRateLimiter(memory, perMs)];
    let starts = 0;
    for (let now = START; now < START + ms; now += 1) {
      for (const limiter of limiters) {
        for (; limiter.nextAllowedAt <= now; starts += 1) limiter.onDispatch(now);
      }
    }
    return starts;
  }

  test.each([0.01, 0.1, 3])('keeps a rate of %d per ms over all threads that share its memory', (perMs) => {
    const starts = startsIn(10_000, perMs);
    expect(starts).toBeGreaterThanOrEqual(10_000 * perMs);
    expect(starts).toBeLessThanOrEqual(10_011 * perMs + 1);
  });

  test('does not save up idle time', () => {
    const limiter = new SharedRateLimiter(createSharedRateMemory(), 0.1);
    limiter.onDispatch(START);
    limiter.onDispatch(START + 60_000);
    limiter.onDispatch(START + 60_000);
    expect(limiter.nextAllowedAt).toBeCloseTo(START + 60_010, 0);
  });
});
