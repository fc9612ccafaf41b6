import { expect, test } from 'vitest';
import { maxConcurrentLookups } from '../../src/http/dns/resolver.ts';

test.each([
  [1, 64],
  [128, 64],
  [129, 65],
  [256, 128],
  [512, 256],
  [65_535, 256],
])('%d workers make %d look-ups at once', (concurrency, expected) => {
  expect(maxConcurrentLookups(concurrency)).toBe(expected);
});
