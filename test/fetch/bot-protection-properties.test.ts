import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blockedBy } from '../../src/fetch/bot-protection.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText } from '../arbitrary/texts.ts';

test('blockedBy() of any response is a few words, or undefined', () => {
  const headers = fc.dictionary(
    fc.constantFrom('server', 'cf-mitigated', 'x-cache'),
    fc.oneof(hostileText, fc.array(hostileText)),
  );
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 999 }), headers, hostileText, (status, given, start) => {
      const says = blockedBy(status, given, start);
      expect(says === undefined || /^[\w ()-]{5,60}$/.test(says)).toBe(true);
    }),
    runs(300),
  );
});
