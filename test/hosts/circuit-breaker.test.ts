import { expect, test } from 'vitest';
import { CircuitBreaker } from '../../src/hosts/circuit-breaker.ts';

function failing(threshold: number, times: number): CircuitBreaker {
  const breaker = new CircuitBreaker(threshold);
  for (let i = 0; i < times; i++) breaker.recordFailure('refused', 0);
  return breaker;
}

/** Dispatches a probe at `now`, which fails. */
function failProbe(breaker: CircuitBreaker, now: number): void {
  breaker.onDispatch(now);
  breaker.recordFailure('refused', now);
}

test('CircuitBreaker stays closed below its threshold, and opens for a second at it', () => {
  expect(failing(5, 4).nextAllowedAt(0)).toBe(0);
  expect(failing(5, 5).nextAllowedAt(0)).toBe(1000);
});

test('CircuitBreaker starts counting again after any response', () => {
  const breaker = failing(5, 4);
  breaker.recordSuccess();
  for (let i = 0; i < 4; i++) breaker.recordFailure('refused', 0);
  expect(breaker.nextAllowedAt(0)).toBe(0);
});

test('CircuitBreaker never opens with a threshold of 0', () => {
  expect(failing(0, 1000).nextAllowedAt(0)).toBe(0);
});

test('CircuitBreaker allows one probe after its time, and nothing beside it', () => {
  const breaker = failing(1, 1);
  breaker.onDispatch(1000);
  expect(breaker.nextAllowedAt(1)).toBe(Number.POSITIVE_INFINITY);
});

test('CircuitBreaker is open for twice as long after a failed probe', () => {
  const breaker = failing(1, 1);
  failProbe(breaker, 1000);
  expect(breaker.nextAllowedAt(0)).toBe(1000 + 2000);
  failProbe(breaker, 3000);
  expect(breaker.nextAllowedAt(0)).toBe(3000 + 4000);
});

test('CircuitBreaker is down after three failed probes, and knows the last error', () => {
  const breaker = failing(1, 1);
  failProbe(breaker, 1000);
  failProbe(breaker, 3000);
  expect(breaker.isDown).toBe(false);
  failProbe(breaker, 7000);
  expect(breaker.isDown).toBe(true);
  expect(breaker.lastError).toBe('refused');
});

test('CircuitBreaker is closed by a probe that gets a response', () => {
  const breaker = failing(1, 1);
  failProbe(breaker, 1000);
  breaker.onDispatch(3000);
  breaker.recordSuccess();
  expect(breaker.nextAllowedAt(7)).toBe(0);
  expect(breaker.hasNoFailures).toBe(true);
});

test('CircuitBreaker ignores failures of requests that were sent before it opened', () => {
  const breaker = failing(5, 5);
  for (let i = 0; i < 20; i++) breaker.recordFailure('refused', 500);
  expect(breaker.nextAllowedAt(0)).toBe(1000);
});

test('CircuitBreaker allows a probe once nothing is in flight, and takes no request sent before its time for the probe', () => {
  const breaker = failing(1, 1);
  expect(breaker.isOpen).toBe(true);
  breaker.onDispatch(999);
  expect(breaker.nextAllowedAt(1)).toBe(1000);
  breaker.onDispatch(1000);
  expect([breaker.nextAllowedAt(0), breaker.nextAllowedAt(1)]).toEqual([0, Number.POSITIVE_INFINITY]);
});
