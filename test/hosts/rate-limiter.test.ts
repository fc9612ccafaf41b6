import { describe, expect, test } from 'vitest';
import { RateLimiter, RateWindow } from '../../src/hosts/rate-limiter.ts';

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

describe('RateWindow', () => {
  /** A window in which 3 requests were served, and probes were pushed back at 1000 and 4000. It is known from 9000 on. */
  function learned(): RateWindow {
    const window = new RateWindow(0, 3);
    window.recordPushBack(1000);
    window.recordPushBack(4000);
    window.learn(9000);
    window.recordServed();
    return window;
  }

  /** Starts requests that are served, as many as are allowed at `now`. */
  function serve(window: RateWindow, now: number): number {
    let count = 0;
    while (window.nextAllowedAt <= now && count < 100) {
      window.onDispatch(now);
      window.recordServed();
      count += 1;
    }
    return count;
  }

  test('allows everything until a host has served again', () => {
    const window = new RateWindow(0, 3);
    window.recordPushBack(1000);
    expect([window.isKnown, window.nextAllowedAt]).toEqual([false, 0]);
  });

  test('then allows what was served, and again after the time between the last push-back and the first success', () => {
    const window = learned();
    expect(serve(window, 9000)).toBe(2);
    expect(window.nextAllowedAt).toBe(9000 + 6500);
  });

  test('finds the length by bisection, and never begins a window again that was too early', () => {
    const window = learned();
    serve(window, 9000);
    expect(window.onDispatch(15_500)).toBe(true);
    expect(window.isOpening).toBe(true);
    window.recordPushBack(15_600);
    expect(window.nextAllowedAt).toBe(18_000); // between 6,500 and 9,000 ms
    expect(serve(window, 18_000)).toBe(6); // twice the quota, since it has held
    expect(window.nextAllowedAt).toBe(18_000 + 7750);
  });

  test('returns to the quota that held when twice as much is pushed back', () => {
    const window = learned();
    serve(window, 9000);
    expect(window.onDispatch(15_500)).toBe(true);
    for (let count = 0; count < 3; count += 1) window.recordServed();
    for (let count = 0; count < 3; count += 1) window.onDispatch(15_500);
    window.recordPushBack(15_600);
    expect(window.nextAllowedAt).toBeGreaterThan(15_600);
    expect(serve(window, window.nextAllowedAt)).toBe(3);
  });

  test('lowers the quota when less is served twice', () => {
    const window = learned();
    serve(window, 9000);
    let now = window.nextAllowedAt;
    for (let round = 0; round < 3; round += 1) {
      window.onDispatch(now);
      window.recordServed();
      window.onDispatch(now);
      window.recordPushBack(now + 1);
      now = window.nextAllowedAt;
    }
    expect(serve(window, now)).toBe(1);
  });
});
