import { expect, test } from 'vitest';
import { CircuitBreaker } from '../../src/hosts/circuit-breaker.ts';

function failing(threshold: number, times: number): CircuitBreaker {
  const breaker = new CircuitBreaker(threshold);
  for (let i = 0; i < times; i++) breaker.fail('refused', 0);
  return breaker;
}

/** Lets a probe through at `now`, which fails. */
function failProbe(breaker: CircuitBreaker, now: number): void {
  breaker.taken(now);
  breaker.fail('refused', now);
}

test('Breaker stays closed below its threshold, and opens for a second at it', () => {
  expect(failing(5, 4).openAt(0)).toBe(0);
  expect(failing(5, 5).openAt(0)).toBe(1000);
});

test('Breaker starts counting again after any answer', () => {
  const breaker = failing(5, 4);
  breaker.answer();
  for (let i = 0; i < 4; i++) breaker.fail('refused', 0);
  expect(breaker.openAt(0)).toBe(0);
});

test('Breaker never opens with a threshold of 0', () => {
  expect(failing(0, 1000).openAt(0)).toBe(0);
});

test('Breaker lets one probe through after its time, and nothing beside it', () => {
  const breaker = failing(1, 1);
  breaker.taken(1000);
  expect(breaker.openAt(1)).toBe(Number.POSITIVE_INFINITY);
});

test('Breaker parks the host twice as long after a failed probe', () => {
  const breaker = failing(1, 1);
  failProbe(breaker, 1000);
  expect(breaker.openAt(0)).toBe(1000 + 2000);
  failProbe(breaker, 3000);
  expect(breaker.openAt(0)).toBe(3000 + 4000);
});

test('Breaker is down after three failed probes, and knows the last error', () => {
  const breaker = failing(1, 1);
  failProbe(breaker, 1000);
  failProbe(breaker, 3000);
  expect(breaker.isDown).toBe(false);
  failProbe(breaker, 7000);
  expect(breaker.isDown).toBe(true);
  expect(breaker.lastError).toBe('refused');
});

test('Breaker is closed by a probe that is answered', () => {
  const breaker = failing(1, 1);
  failProbe(breaker, 1000);
  breaker.taken(3000);
  breaker.answer();
  expect(breaker.openAt(7)).toBe(0);
  expect(breaker.isQuiet).toBe(true);
});

test('Breaker learns nothing from failures of what was sent before it opened', () => {
  const breaker = failing(5, 5);
  for (let i = 0; i < 20; i++) breaker.fail('refused', 500);
  expect(breaker.openAt(0)).toBe(1000);
});

test('Breaker lets a probe through as soon as none is under way, and is no probe for what was sent too early', () => {
  const breaker = failing(1, 1);
  expect(breaker.isOpen).toBe(true);
  breaker.taken(999);
  expect(breaker.openAt(1)).toBe(1000);
  breaker.taken(1000);
  expect([breaker.openAt(0), breaker.openAt(1)]).toEqual([0, Number.POSITIVE_INFINITY]);
});
