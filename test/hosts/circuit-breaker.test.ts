import { expect, test } from 'vitest';
import { CircuitBreaker } from '../../src/hosts/circuit-breaker.ts';

const NEVER = Number.POSITIVE_INFINITY;

function breakerOf(threshold: number, giveUpAfterMs = 30_000, minProbes = 1): CircuitBreaker {
  return new CircuitBreaker({ threshold, giveUpAfterMs, minProbes });
}

function failing(threshold: number, times: number): CircuitBreaker {
  const breaker = breakerOf(threshold);
  for (let i = 0; i < times; i++) breaker.recordFailure('refused', 0, 0);
  return breaker;
}

/** Dispatches a probe as soon as it is allowed, which fails after `takesMs`. Returns the time of that. */
function failProbe(breaker: CircuitBreaker, takesMs = 0): number {
  const at = breaker.nextAllowedAt(0);
  breaker.onDispatch(at);
  breaker.recordFailure('refused', at, at + takesMs);
  return at + takesMs;
}

test('CircuitBreaker stays closed below its threshold, and opens for a second at it', () => {
  expect(failing(5, 4).nextAllowedAt(0)).toBe(0);
  expect(failing(5, 5).nextAllowedAt(0)).toBe(1000);
});

test('CircuitBreaker starts counting again after the success of a request that was sent after the failures', () => {
  const breaker = failing(5, 4);
  breaker.recordSuccess(1, 2);
  expect(breaker.hasNoFailures).toBe(true);
  for (let i = 0; i < 4; i++) breaker.recordFailure('refused', 3, 3);
  expect(breaker.nextAllowedAt(0)).toBe(0);
});

test('CircuitBreaker never opens with a threshold of 0', () => {
  expect(failing(0, 1000).nextAllowedAt(0)).toBe(0);
});

test('CircuitBreaker allows one probe after its time, and nothing beside it', () => {
  const breaker = failing(1, 1);
  breaker.onDispatch(1000);
  expect(breaker.nextAllowedAt(1)).toBe(NEVER);
});

test.each([
  [30_000, 0, [1000, 3000, 7000, 15_000, 30_000]],
  [30_000, 10_000, [11_000, 23_000, 37_000]],
  [10_000, 0, [1000, 3000, 7000, 10_000]],
  [10_000, 10_000, [11_000]],
  [0, 0, [1000]],
  [120_000, 0, [1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000, 120_000]],
])(
  'CircuitBreaker that gives up after %i ms, with probes of %i ms, is down after the probes that end at %j',
  (giveUpAfterMs, takesMs, ends) => {
    const breaker = breakerOf(1, giveUpAfterMs);
    breaker.recordFailure('refused', 0, 0);
    const seen: number[] = [];
    while (!breaker.isDown && seen.length < 20) seen.push(failProbe(breaker, takesMs));
    expect([seen, breaker.lastError]).toEqual([ends, 'refused']);
  },
);

test('CircuitBreaker counts the time from the start of the first request that failed, or from a later success', () => {
  const hanging = breakerOf(1);
  hanging.recordFailure('timeout', 0, 40_000);
  failProbe(hanging);
  expect(hanging.isDown).toBe(true);
  const alive = breakerOf(1);
  alive.recordFailure('timeout', 0, 40_000);
  alive.recordSuccess(20_000, 40_500); // sent before the failure, so it stays open
  expect([alive.isOpen, failProbe(alive), alive.isDown]).toEqual([true, 41_000, false]);
});

test('CircuitBreaker is down below its threshold, too, if a request that was sent after a failure fails late', () => {
  const breaker = breakerOf(5, 30_000);
  breaker.recordFailure('timeout', 0, 30_000);
  breaker.recordFailure('timeout', 10, 30_010); // sent before the first failure
  expect(breaker.isOpen).toBe(false);
  breaker.recordFailure('timeout', 31_000, 61_000);
  expect(breaker.isDown).toBe(true);
});

test('CircuitBreaker is down only after as many probes as it needs', () => {
  const breaker = breakerOf(1, 500, 3);
  breaker.recordFailure('refused', 0, 0);
  const down = [1, 2, 3].map(() => {
    failProbe(breaker);
    return breaker.isDown;
  });
  expect(down).toEqual([false, false, true]);
});

test('CircuitBreaker is closed by a probe that succeeds', () => {
  const breaker = failing(1, 1);
  failProbe(breaker);
  breaker.onDispatch(3000);
  expect([breaker.isProbe(2999), breaker.isProbe(3000)]).toEqual([false, true]);
  breaker.recordSuccess(3000, 3001);
  expect([breaker.nextAllowedAt(7), breaker.hasNoFailures, breaker.isProbe(3000)]).toEqual([0, true, false]);
});

test('CircuitBreaker ignores failures of requests that were sent before it opened, also while it is probed', () => {
  const breaker = failing(5, 5);
  for (let i = 0; i < 20; i++) breaker.recordFailure('refused', 0, 500);
  expect(breaker.nextAllowedAt(0)).toBe(1000);
  breaker.onDispatch(1000);
  breaker.recordFailure('refused', 0, 1500);
  expect(breaker.nextAllowedAt(1)).toBe(NEVER);
});

test('CircuitBreaker allows a probe once nothing is in flight, and takes no request sent before its time for the probe', () => {
  const breaker = failing(1, 1);
  expect(breaker.isOpen).toBe(true);
  breaker.onDispatch(999);
  expect(breaker.nextAllowedAt(1)).toBe(1000);
  breaker.onDispatch(1000);
  expect([breaker.nextAllowedAt(0), breaker.nextAllowedAt(1)]).toEqual([0, NEVER]);
});
