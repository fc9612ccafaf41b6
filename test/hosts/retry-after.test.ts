import { expect, test } from 'vitest';
import { retryAfterMs } from '../../src/hosts/retry-policy.ts';

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

test.each([
  ['0', 0],
  ['120', 120_000],
  ['  7  ', 7000],
  ['007', 7000],
  ['9'.repeat(400), Number.MAX_SAFE_INTEGER],
  ['Thu, 01 Jan 2026 12:00:30 GMT', 30_000],
  ['Thursday, 01-Jan-26 12:00:30 GMT', 30_000],
  ['Thu Jan  1 12:00:30 2026', 30_000],
  ['Thu, 01 Jan 2026 12:00:00 GMT', 0],
  ['Wed, 21 Oct 2015 07:28:00 GMT', 0],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
])('"%.40s" asks for a wait of %i ms', (header, waitMs) => {
  expect(retryAfterMs(header, NOW)).toBe(waitMs);
});

test.each([
  '',
  ' ',
  '-1',
  '1.5',
  '1e3',
  '0x10',
  '10s',
  '1, 2',
  'soon',
  'Infinity',
  '2026-01-01T12:00:30Z',
  'Thu, 99 Foo 2026 12:00:30 GMT',
  '\u0661',
  'on Thu, 01 Jan 2026 12:00:30 GMT',
  'Thu, 01 Jan 2026 12:00:30 2026 and more',
])('"%s" says nothing', (header) => {
  expect(retryAfterMs(header, NOW)).toBeUndefined();
});
