import { expect, test } from 'vitest';
import { retryName } from '../../src/cluster/jetstream-setup.ts';

test.each([
  ['may', 'may-retry-1'],
  ['may-retry-1', 'may-retry-2'],
  ['may-retry-99', 'may-retry-100'],
  ['may-retry-', 'may-retry--retry-1'],
  ['retry-1', 'retry-1-retry-1'],
])('retryName() of %s is %s', (run, name) => {
  expect(retryName(run)).toBe(name);
});
