import fc from 'fast-check';
import { expect, test } from 'vitest';
import { retryAfterMs } from '../../src/hosts/retry-policy.ts';
import { runs } from '../arbitrary/runs.ts';
import { nearly } from '../arbitrary/texts.ts';

test('retryAfterMs() of any text is a wait of at least 0, or undefined', () => {
  const dates = [
    'Wed, 21 Oct 2015 07:28:00 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
    '120',
    '0',
    '1.5',
    '-1',
  ];
  fc.assert(
    fc.property(
      fc.oneof(
        nearly(dates),
        fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      ),
      fc.maxSafeNat(),
      (text, now) => {
        const waitMs = retryAfterMs(text, now);
        if (waitMs !== undefined) expect(waitMs >= 0 && Number.isFinite(waitMs)).toBe(true);
      },
    ),
    runs(500),
  );
});

test('retryAfterMs() reads seconds, and an HTTP date relative to now', () => {
  fc.assert(
    fc.property(fc.nat(1e9), fc.integer({ min: 0, max: 4e9 }), (seconds, at) => {
      expect(retryAfterMs(` ${seconds} `, 0)).toBe(seconds * 1000);
      const now = 1e12;
      expect(retryAfterMs(new Date(at * 1000).toUTCString(), now)).toBe(Math.max(0, at * 1000 - now));
    }),
    runs(200),
  );
});
