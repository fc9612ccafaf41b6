import { expect, test } from 'vitest';
import { RateLimiter } from '../../src/hosts/rate-limiter.ts';

/** Starts a request as soon as the pace allows it, and says how many there were by `endMs`. */
function startedBy(pace: RateLimiter, endMs: number): number {
  let count = 0;
  for (let now = 0; now < endMs; now++) {
    while (pace.openAt <= now) {
      pace.taken(now);
      count++;
    }
  }
  return count;
}

test('Pace without a limit is always open', () => {
  const pace = new RateLimiter(Number.POSITIVE_INFINITY);
  pace.taken(5);
  expect(pace.openAt).toBe(0);
});

test('Pace lets as many through as its rate says, slow or fast, and no burst worth the name', () => {
  expect(startedBy(new RateLimiter(2 / 1000), 9_980)).toBe(20);
  const fast = startedBy(new RateLimiter(5), 1000);
  expect(fast).toBeGreaterThanOrEqual(5000);
  expect(fast).toBeLessThanOrEqual(5000 + 5 * 12);
});

test('Pace does not save up while nothing is asked for', () => {
  const pace = new RateLimiter(1 / 1000);
  pace.taken(0);
  pace.taken(60_000);
  expect(pace.openAt).toBeGreaterThan(60_900);
});
