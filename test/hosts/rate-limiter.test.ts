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

  test('that ends within a second is learned when it has happened three times alike', () => {
    const window = new RateWindow(0, 0);
    const known: boolean[] = [];
    for (const from of [0, 1_000, 2_000, 4_000, 5_000, 6_000]) {
      for (let count = 0; count < 5; count += 1) window.recordServed();
      window.recordPushBack(from + 100);
      window.learn(from + (from === 2_000 ? 2_000 : 1_000), true);
      known.push(window.isKnown);
    }
    expect(known).toEqual([false, false, false, false, false, true]);
    window.recordServed();
    expect(serve(window, 7_000)).toBe(4);
  });

  test('is not learned of a host that had served nothing: it was down', () => {
    const window = new RateWindow(0, 0);
    window.recordPushBack(1000);
    window.learn(9000);
    expect(window.isKnown).toBe(false);
  });

  test('is not learned anew from the request that begins a window', () => {
    const window = learned();
    serve(window, 9000);
    window.onDispatch(15_500);
    window.learn(15_500);
    window.recordServed();
    expect(serve(window, 15_500)).toBe(5); // twice the quota, since it has held
  });

  test('grows by a half at most each time that it proves to be longer', () => {
    const window = learned();
    serve(window, 9000);
    const lengths: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      const at = window.nextAllowedAt;
      lengths.push(at - 9000);
      window.onDispatch(at);
      window.recordPushBack(at + 1);
    }
    const growth = lengths.slice(1).map((length, index) => length / (lengths[index] ?? 0));
    expect(Math.max(...growth)).toBeLessThanOrEqual(1.501);
    expect(Math.min(...growth)).toBeGreaterThan(1);
  });

  test('is forgotten when less is served in each window', () => {
    const window = new RateWindow(0, 20);
    window.recordPushBack(1000);
    window.recordPushBack(4000);
    window.learn(9000);
    let at = 9000;
    for (const served of [19, 18, 17, 16]) {
      expect(window.isKnown).toBe(true);
      for (let count = 0; count < served; count += 1) window.recordServed();
      window.recordPushBack(at + 1);
      at = window.nextAllowedAt;
      window.onDispatch(at);
    }
    expect([window.isKnown, window.nextAllowedAt]).toEqual([false, 0]);
  });
});
