import { describe, expect, test } from 'vitest';
import {
  backoffMs,
  decideRetry,
  type FailedAttempt,
  isIdempotent,
  type RetryPolicy,
  requestedWaitMs,
  retryAfterMs,
} from '../../src/hosts/retry-policy.ts';

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

describe('decideRetry()', () => {
  const POLICY: RetryPolicy = {
    retries: 2,
    retryStatuses: new Set([429, 503]),
    retriesNetworkFailures: true,
    retriesAllMethods: false,
    maxRetryAfterMs: 60_000,
  };
  const FAILED: FailedAttempt = { attempts: 1, method: 'GET', status: 503, isTransient: false, waitMs: 0 };
  const network = { status: undefined, isTransient: true };

  test.each<[string, Partial<FailedAttempt>, Partial<RetryPolicy>, ReturnType<typeof decideRetry>]>([
    ['a status that is retried', {}, {}, { delayMs: 1000 }],
    ['the last attempt that is allowed', { attempts: 2 }, {}, { delayMs: 2000 }],
    ['one attempt more', { attempts: 3 }, {}, 'final'],
    ['no retries', {}, { retries: 0 }, 'final'],
    ['another status', { status: 404 }, {}, 'final'],
    ['a 403', { status: 403 }, {}, 'final'],
    ['a 403 that asks for a wait', { status: 403, waitMs: 5000 }, {}, { delayMs: 5000 }],
    [
      'a 403 that asks for a wait, without 429',
      { status: 403, waitMs: 5000 },
      { retryStatuses: new Set() },
      'final',
    ],
    ['a network failure', network, {}, { delayMs: 1000 }],
    ['a network failure that is permanent', { ...network, isTransient: false }, {}, 'final'],
    ['a network failure that is not retried', network, { retriesNetworkFailures: false }, 'final'],
    ['a method that is not idempotent', { method: 'POST' }, {}, 'final'],
    ['any method', { method: 'POST' }, { retriesAllMethods: true }, { delayMs: 1000 }],
    ['a wait that is longer than the backoff', { waitMs: 60_000 }, {}, { delayMs: 60_000 }],
    ['a wait that is too long', { waitMs: 60_001 }, {}, 'wait-too-long'],
    [
      'a wait that is too long, of a status that is not retried',
      { status: 404, waitMs: 60_001 },
      {},
      'wait-too-long',
    ],
  ])('decides for %s', (_, failed, policy, decision) => {
    expect(decideRetry({ ...POLICY, ...policy }, { ...FAILED, ...failed }, () => 1)).toEqual(decision);
  });
});

test.each([
  ['GET', true],
  ['PUT', true],
  ['DELETE', true],
  ['POST', false],
  ['PATCH', false],
  ['PROPFIND', false],
])('isIdempotent(%s) is %s', (method, expected) => {
  expect(isIdempotent(method)).toBe(expected);
});

test.each([
  [0, 1, 1000],
  [1, 1, 1000],
  [2, 1, 2000],
  [3, 0.5, 3000],
  [5, 1, 16_000],
  [6, 1, 30_000],
  [5000, 1, 30_000],
  [1, 0, 500],
  [9, 0, 15_000],
])('backoffMs() after %i failed attempts, with a random number of %d, is %i', (attempts, chance, waitMs) => {
  expect(backoffMs(attempts, () => chance)).toBe(waitMs);
});

test.each([
  [429, '7', 7000],
  [503, '7', 7000],
  [503, 'soon', 0],
  [503, undefined, 0],
  [503, ['7', '8'], 8000],
  [503, ['soon', '3'], 3000],
  [503, [], 0],
  [301, '7', 0],
])('requestedWaitMs() of status %i with Retry-After %j is %i', (status, header, waitMs) => {
  expect(requestedWaitMs(status, { 'retry-after': header }, NOW)).toBe(waitMs);
});

test.each([
  ['Thu, 01 Jan 2026 13:00:00 GMT', 4000],
  ['Thu, 01 Jan 2026 11:00:00 GMT', 7_204_000],
  ['soon', 3_604_000],
  [undefined, 3_604_000],
  [['Thu, 01 Jan 2026 13:00:00 GMT', 'Thu, 01 Jan 2026 13:00:00 GMT'], 3_604_000],
])('requestedWaitMs() counts a date from the Date %j of the response: %i', (date, waitMs) => {
  const headers = { 'retry-after': 'Thu, 01 Jan 2026 13:00:04 GMT', date };
  expect(requestedWaitMs(503, headers, NOW)).toBe(waitMs);
});

test('requestedWaitMs() takes seconds as they are, whatever the Date says', () => {
  const headers = { 'retry-after': '7', date: 'Thu, 01 Jan 2026 13:00:00 GMT' };
  expect(requestedWaitMs(503, headers, NOW)).toBe(7000);
});

describe('requestedWaitMs() of a rate limit', () => {
  const SENT = Date.UTC(2026, 0, 1, 13, 0, 0);
  const date = 'Thu, 01 Jan 2026 13:00:00 GMT';

  test.each<[string, number, Record<string, string>, number]>([
    ['seconds', 429, { remaining: '0', reset: '7' }, 7000],
    ['a part of a second', 503, { remaining: '0', reset: '0.25' }, 250],
    ['a time since the epoch', 403, { remaining: '0', reset: String(SENT / 1000 + 9) }, 9000],
    ['one with a fraction', 403, { remaining: '0', reset: `${SENT / 1000 + 9}.5` }, 9500],
    ['one in ms', 403, { remaining: ' 0 ', reset: String(SENT + 1500) }, 1500],
    ['a time that has passed', 429, { remaining: '0', reset: String(SENT / 1000 - 9) }, 0],
    ['a limit that is not used up', 429, { remaining: '1', reset: '7' }, 0],
    ['a limit that is missing', 403, { reset: '7' }, 0],
    ['a time that is missing', 403, { remaining: '0' }, 0],
    ['a time that is none', 403, { remaining: '0', reset: 'soon' }, 0],
    ['another status', 200, { remaining: '0', reset: '7' }, 0],
  ])('%s: status %i, %j is %i', (_, status, { remaining, reset }, waitMs) => {
    const headers = { date, 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset': reset };
    expect(requestedWaitMs(status, headers, NOW)).toBe(waitMs);
  });

  test('goes by Retry-After first, but not on a 403', () => {
    const headers = { 'retry-after': '3', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '7' };
    expect([429, 503, 403].map((status) => requestedWaitMs(status, headers, NOW))).toEqual([
      3000, 3000, 7000,
    ]);
  });
});

describe('retryAfterMs()', () => {
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
  ])('reads "%.40s" as %i', (header, waitMs) => {
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
  ])('is undefined for "%s"', (header) => {
    expect(retryAfterMs(header, NOW)).toBeUndefined();
  });
});
