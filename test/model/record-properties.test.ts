import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRecord, encodeRecord } from '../../src/model/record.ts';
import type { Result } from '../../src/model/result.ts';
import { escapeJson } from '../../src/output/jsonl.ts';
import { edited, edits } from '../arbitrary/bytes.ts';
import { anyResult } from '../arbitrary/results.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText } from '../arbitrary/texts.ts';

/** A result as a record has it: times in tenths of a ms. */
function recorded(result: Result): unknown {
  const tenths = (value: number) => Math.round(value * 10) / 10;
  const { durationMs, ttfbMs, totalMs } = result;
  return {
    ...result,
    v: 1,
    durationMs: tenths(durationMs),
    totalMs: tenths(totalMs),
    ...(ttfbMs === undefined ? {} : { ttfbMs: tenths(ttfbMs) }),
  };
}

test('any result is encoded as one line, and decoded to the same result, escaped or not', () => {
  fc.assert(
    fc.property(anyResult, (result) => {
      const line = encodeRecord(result);
      expect(line).not.toContain('\n');
      expect(decodeRecord(line)).toEqual(recorded(result));
      expect(decodeRecord(escapeJson(line))).toEqual(recorded(result));
    }),
    runs(500),
  );
});

test('any text is decoded to a result that can be encoded again, or to a reason why it is not one', () => {
  const json = fc.jsonValue().map((value) => JSON.stringify(value));
  const other = fc.tuple(
    anyResult,
    fc.constantFrom('redirects', 'failure', 'startedAt', 'status', 'body', 'v'),
    fc.jsonValue(),
  );
  const changed = other.map(([result, key, value]) =>
    JSON.stringify({ ...JSON.parse(encodeRecord(result)), [key]: value }),
  );
  const damaged = fc
    .tuple(anyResult, edits)
    .map(([result, changes]) => edited(Buffer.from(encodeRecord(result)), changes).toString());
  fc.assert(
    fc.property(fc.oneof(json, hostileText, changed, damaged), (line) => {
      const found = decodeRecord(line);
      if ('broken' in found) expect(found.broken).toMatch(/^(it|its) ./);
      else expect(decodeRecord(encodeRecord(found))).not.toHaveProperty('broken');
    }),
    runs(500),
  );
});
