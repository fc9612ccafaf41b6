import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeResumeRecord, encodeResumeRecord, parseContentRange } from '../../src/bodies/resume.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText, nearly } from '../arbitrary/texts.ts';

test('any Content-Range is parsed to a range within its total, or to undefined', () => {
  fc.assert(
    fc.property(
      nearly(['bytes 0-1/2', 'bytes 10-20/*', 'bytes */5', 'bytes 5-4/9', 'BYTES 0-0/1']),
      (text) => {
        const range = parseContentRange(text);
        if (range !== undefined) expect(range.first <= range.last && range.last < range.total).toBe(true);
      },
    ),
    runs(300),
  );
});

test('a resume record is decoded as it was encoded, and any other text to two texts or undefined', () => {
  fc.assert(
    fc.property(
      fc.record(
        { url: hostileText, validator: hostileText, contentType: hostileText },
        { requiredKeys: ['url', 'validator'] },
      ),
      fc.oneof(hostileText, fc.json()),
      (record, text) => {
        expect(decodeResumeRecord(encodeResumeRecord(record))).toEqual(record);
        const found = decodeResumeRecord(text);
        if (found !== undefined)
          expect([typeof found.url, typeof found.validator]).toEqual(['string', 'string']);
      },
    ),
    runs(200),
  );
});
