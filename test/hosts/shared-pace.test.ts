import { describe, expect, it } from 'vitest';
import { SharedRateLimiter, sharedRateMemory } from '../../src/hosts/rate-limiter.ts';

const START = 1_700_000_000_000;

/** Starts as many requests as two threads that take turns may in so many ms. */
function startsIn(ms: number, perMs: number): number {
  const memory = sharedRateMemory();
  const paces = [new SharedRateLimiter(memory, perMs), new SharedRateLimiter(memory, perMs)];
  let starts = 0;
  for (let now = START; now < START + ms; now += 1) {
    for (const pace of paces) {
      for (; pace.openAt <= now; starts += 1) pace.taken(now);
    }
  }
  return starts;
}

describe('SharedRateLimiter', () => {
  it.each([0.01, 0.1, 3])('keeps a rate of %d for each ms over all who share its memory', (perMs) => {
    const starts = startsIn(10_000, perMs);
    expect(starts).toBeGreaterThanOrEqual(10_000 * perMs);
    expect(starts).toBeLessThanOrEqual(10_011 * perMs + 1);
  });

  it('lets nobody make up for time in which nothing was asked for', () => {
    const pace = new SharedRateLimiter(sharedRateMemory(), 0.1);
    pace.taken(START);
    pace.taken(START + 60_000);
    pace.taken(START + 60_000);
    expect(pace.openAt).toBeCloseTo(START + 60_010, 0);
  });
});
