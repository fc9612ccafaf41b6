import { describe, expect, test } from 'vitest';
import { ConcurrencyLimit } from '../../src/hosts/concurrency-limit.ts';

/** Full rounds of requests that succeed, 100 ms each. */
function succeed(limit: ConcurrencyLimit, rounds: number, from = 0): void {
  for (let round = 0; round < rounds; round++) {
    const count = limit.current;
    const now = from + round * 100;
    for (let n = 1; n <= count; n++) limit.onDispatch(n, now);
    for (let n = 1; n <= count; n++) limit.recordSuccess(now + 100);
  }
}

/** The first push-back of a host that serves six at once of the ten that were sent. */
function lowered(waitMs = 0): ConcurrencyLimit {
  const limit = new ConcurrencyLimit(64);
  for (let n = 1; n <= 10; n++) limit.onDispatch(n, 0);
  for (let n = 0; n < 4; n++) limit.recordPushBack(0, 5, 10 - n, waitMs);
  return limit;
}

test('ConcurrencyLimit starts with ten requests, or with the maximum if that is lower', () => {
  expect(new ConcurrencyLimit(64).current).toBe(10);
  expect(new ConcurrencyLimit(3).current).toBe(3);
});

test('ConcurrencyLimit doubles with each full round of successes until the host first pushes back', () => {
  const limit = new ConcurrencyLimit(64);
  const seen = [1, 2, 3, 4].map(() => {
    succeed(limit, 1);
    return limit.current;
  });
  expect(seen).toEqual([20, 40, 64, 64]);
});

describe('ConcurrencyLimit of a host that queues', () => {
  /** Rounds of a host that serves `perMs` requests per ms, whatever the limit is. Returns the limits. */
  function queued(limit: ConcurrencyLimit, perMs: number, rounds: number, from = 0): number[] {
    let now = from;
    return Array.from({ length: rounds }, () => {
      const count = limit.current;
      for (let n = 1; n <= count; n++) limit.onDispatch(n, now);
      now += count / perMs;
      for (let n = 1; n <= count; n++) limit.recordSuccess(now);
      return limit.current;
    });
  }

  test('is halved when twice as many requests were not served faster in two rounds, and doubled again later', () => {
    const limit = new ConcurrencyLimit(64);
    expect(queued(limit, 0.1, 4)).toEqual([20, 20, 10, 10]);
    expect(new Set(queued(limit, 0.1, 100, 1000))).toEqual(new Set([10, 20]));
    expect(limit.isLowered).toBe(false);
  });

  test('grows again when the host has become faster', () => {
    const limit = new ConcurrencyLimit(64);
    queued(limit, 0.1, 4);
    succeed(limit, 40, 1000);
    expect(limit.current).toBe(64);
  });

  test('grows if rounds take only a few ms, which this machine may need for them', () => {
    const limit = new ConcurrencyLimit(64);
    expect(queued(limit, 2, 4)).toEqual([20, 40, 64, 64]);
  });
});

test('ConcurrencyLimit does not grow while it is not used', () => {
  const limit = new ConcurrencyLimit(64);
  for (let n = 0; n < 100; n++) {
    limit.onDispatch(9, n);
    limit.recordSuccess(n);
  }
  expect(limit.current).toBe(10);
});

test('ConcurrencyLimit becomes what the host accepted of the round that it pushed back, at least 1', () => {
  expect(lowered().current).toBe(6);
  const none = new ConcurrencyLimit(64);
  for (let n = 0; n < 10; n++) none.recordPushBack(0, 5, 10 - n);
  expect(none.current).toBe(1);
});

test('ConcurrencyLimit is what it was before a probe that is pushed back several times', () => {
  const limit = lowered();
  succeed(limit, 8, 100);
  expect(limit.current).toBe(7);
  for (let n = 0; n < 3; n++) limit.recordPushBack(1000 + n, 1005 + n, 7);
  expect(limit.current).toBe(6);
});

test('ConcurrencyLimit goes by what is in flight when that is less than it allows', () => {
  const limit = new ConcurrencyLimit(64);
  limit.recordPushBack(0, 5, 3);
  expect(limit.current).toBe(2);
});

test('ConcurrencyLimit is probed by one after eight rounds, and each time later that fails', () => {
  const limit = lowered();
  let now = 100;
  const rounds = [1, 2, 3, 4, 5].map(() => {
    let count = 0;
    for (; limit.current === 6 && count < 1000; count++) {
      now += 100;
      succeed(limit, 1, now);
    }
    expect(limit.current).toBe(7);
    now += 100;
    limit.recordPushBack(now, now, 7);
    return count;
  });
  expect(rounds).toEqual([8, 32, 128, 256, 256]);
});

test('ConcurrencyLimit grows ever faster while its probes hold', () => {
  const limit = lowered();
  const seen = new Set([limit.current]);
  for (let round = 0; round < 20; round++) {
    succeed(limit, 1, 100 * round);
    seen.add(limit.current);
  }
  expect([...seen]).toEqual([6, 7, 9, 13, 21, 37, 64]);
});

test('ConcurrencyLimit is probed soon again after a push-back of a limit that had held', () => {
  const limit = lowered();
  succeed(limit, 5, 100);
  limit.recordPushBack(700, 700, 6);
  expect(limit.current).toBe(5);
  succeed(limit, 2, 800);
  expect(limit.current).toBe(6);
});

test('ConcurrencyLimit is probed after 16 times the pause that a probe may cost, then after 32 times', () => {
  const limit = lowered(1000);
  const probedAt = (from: number) => {
    let now = from;
    for (let round = 0; limit.current === 6 && round < 1000; round++) {
      now += 100;
      succeed(limit, 1, now);
    }
    return now + 100;
  };
  expect(probedAt(1000)).toBe(16_100);
  limit.recordPushBack(17_000, 17_000, 7, 1000);
  expect(probedAt(18_000)).toBe(17_000 + 32_000);
});

test('ConcurrencyLimit lets at most ten requests start after a pause, and twice as many with each round', () => {
  const limit = new ConcurrencyLimit(64);
  succeed(limit, 3);
  limit.restart();
  const seen = [1, 2, 3, 4].map(() => {
    const { current } = limit;
    succeed(limit, 1);
    return current;
  });
  expect(seen).toEqual([10, 20, 40, 64]);
  limit.restart(1);
  expect(limit.current).toBe(1);
});

test('ConcurrencyLimit spaces the requests of a host that pushes back one at a time by what it served', () => {
  const limit = new ConcurrencyLimit(64);
  limit.recordPushBack(0, 0, 1);
  for (let n = 1; n <= 4; n++) limit.recordSuccess(n * 100);
  limit.recordPushBack(450, 1000, 1);
  limit.onDispatch(1, 2000);
  expect([limit.current, limit.nextAllowedAt, limit.isLowered]).toEqual([1, 2250, true]);
  succeed(limit, 100, 3000);
  limit.onDispatch(1, 20_000);
  expect(limit.nextAllowedAt).toBeLessThan(20_250); // it has been probed
});

describe('ConcurrencyLimit of a host that pushes back a share of its requests, whatever is sent,', () => {
  /** Sends one request after the other; every `n`th is pushed back. Returns the longest gap between two of them, and the time. */
  function oneByOne(
    limit: ConcurrencyLimit,
    n: number,
    count: number,
    from = 0,
  ): [gapMs: number, now: number] {
    let now = from;
    let gapMs = 0;
    for (let request = 1; request <= count; request++) {
      const startedAt = Math.max(now, limit.nextAllowedAt);
      gapMs = Math.max(gapMs, startedAt - now);
      limit.onDispatch(1, startedAt);
      now = startedAt + (request % n === 0 ? 5 : 100);
      if (request % n === 0) limit.recordPushBack(startedAt, now, 1);
      else limit.recordSuccess(now);
    }
    return [gapMs, now];
  }

  test.each([2, 3, 4, 8])('one of %i, has no gap once gaps had no effect', (n) => {
    const limit = new ConcurrencyLimit(1);
    const [gapMs, now] = oneByOne(limit, n, 20 * n);
    expect(gapMs).toBeGreaterThan(100);
    expect(gapMs).toBeLessThan(10_000);
    expect(oneByOne(limit, n, 1000, now)[0]).toBe(0);
  });

  test('grows while it pushes back no larger share, and is lowered by a larger one', () => {
    const limit = new ConcurrencyLimit(64);
    for (let n = 10; n >= 1; n--) limit.recordPushBack(0, 5, n);
    const [, from] = oneByOne(limit, 2, 40, 10);
    let now = from;
    for (let request = 0; limit.current < 8 && request < 1000; request++) {
      const { current } = limit;
      for (let n = 1; n <= current; n++) limit.onDispatch(n, now);
      now += 100;
      limit.recordPushBack(now - 100, now, current);
      for (let n = 0; n < current; n++) limit.recordSuccess(now);
    }
    expect(limit.current).toBeGreaterThanOrEqual(8);
    for (let n = 0; n < 40; n++) limit.recordPushBack(now, now + 5, Math.max(1, 8 - n));
    expect(limit.current).toBeLessThan(8);
  });

  test('has a gap again if it then has a rate', () => {
    const limit = new ConcurrencyLimit(1);
    let [, now] = oneByOne(limit, 2, 40);
    expect(oneByOne(limit, 2, 10, now)[0]).toBe(0);
    for (let request = 0; limit.nextAllowedAt <= now && request < 1000; request++) {
      limit.onDispatch(1, now);
      now += 100;
      if (request % 20 > 0) limit.recordPushBack(now - 100, now, 1);
      else limit.recordSuccess(now);
      limit.onDispatch(1, now);
    }
    expect(limit.nextAllowedAt).toBeGreaterThan(now);
  });
});

test('ConcurrencyLimit recovers what the host served before it served nothing', () => {
  const limit = new ConcurrencyLimit(64);
  succeed(limit, 1);
  for (let n = 0; n < 20; n++) limit.recordPushBack(100, 200, 20 - n);
  limit.recordPushBack(1000, 1000, 1);
  expect(limit.current).toBe(1);
  limit.recover(true);
  expect(limit.current).toBe(20);
});

test.each([
  ['that was down', true, 10],
  ['whose gap explains the push-backs', false, 450],
])('ConcurrencyLimit of a host %s recovers with the gap that it needs', (_, wasDown, gapMs) => {
  const limit = new ConcurrencyLimit(1);
  limit.recordPushBack(0, 0, 1);
  succeed(limit, 2, 100);
  limit.recordPushBack(900, 900, 1);
  limit.recover(wasDown);
  limit.onDispatch(1, 2000);
  expect(Math.max(10, limit.nextAllowedAt - 2000)).toBe(gapMs);
});

test('ConcurrencyLimit is lowered from the first push-back until it is back at its maximum', () => {
  const limit = new ConcurrencyLimit(2);
  expect(limit.isLowered).toBe(false);
  limit.recordPushBack(0, 1, 2);
  expect(limit.isLowered).toBe(true);
  succeed(limit, 8, 100);
  expect([limit.current, limit.isLowered]).toEqual([2, false]);
});
