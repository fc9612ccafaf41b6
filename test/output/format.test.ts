import { expect, test } from 'vitest';
import { formatBytes, formatDuration } from '../../src/output/format.ts';

test.each([
  [0, '0B'],
  [34, '34B'],
  [1023, '1023B'],
  [1024, '1kB'],
  [1234, '1.2kB'],
  [102_348, '99.9kB'],
  [102_349, '100kB'],
  [340_499, '333kB'],
  [1_048_063, '1023kB'],
  [1_048_064, '1MB'],
  [10 * 1024 ** 2, '10MB'],
  [1.5 * 1024 ** 3, '1.5GB'],
  [2 * 1024 ** 4, '2TB'],
  [Number.MAX_SAFE_INTEGER, '8PB'],
  [5e18, '4441PB'],
])('formatBytes(%d) is %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, '0ms'],
  [0.04, '0ms'],
  [0.44, '0.4ms'],
  [0.94, '0.9ms'],
  [0.95, '1ms'],
  [12.4, '12ms'],
  [999.4, '999ms'],
  [999.5, '1.00s'],
  [1240, '1.24s'],
  [9994, '9.99s'],
  [9995, '10.0s'],
  [59_949, '59.9s'],
  [59_950, '1m00s'],
  [125_000, '2m05s'],
  [3_599_499, '59m59s'],
  [3_599_500, '1h00m'],
  [3_720_000, '1h02m'],
  [360_000_000, '100h00m'],
])('formatDuration(%d) is %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
