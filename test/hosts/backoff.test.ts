import { expect, test } from 'vitest';
import { backoffMs } from '../../src/hosts/retry-policy.ts';

test.each([
  [1, 1, 500],
  [2, 1, 1000],
  [3, 0.5, 1000],
  [6, 1, 16_000],
  [7, 1, 30_000],
  [5000, 1, 30_000],
  [1, 0, 0],
  [9, 0, 0],
])('after %i failed attempts and at chance %d the wait is %i ms', (attempts, chance, waitMs) => {
  expect(backoffMs(attempts, () => chance)).toBe(waitMs);
});
