import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeLine,
  decodeSegment,
  encodeSegment,
  MAX_SEGMENT_BYTES,
  type ShardSegment,
} from '../../src/model/result-line.ts';
import { edited, edits } from '../arbitrary/bytes.ts';
import { anyResult } from '../arbitrary/results.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText } from '../arbitrary/texts.ts';

const segment: fc.Arbitrary<ShardSegment> = fc
  .record({
    chunk: fc.nat(),
    shard: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}\.jsonl\.gz$/),
    offset: fc.nat(),
    bytes: fc.integer({ min: 1, max: MAX_SEGMENT_BYTES }),
    sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
    ok: fc.nat(10_000),
    failed: fc.integer({ min: 1, max: 10_000 }),
    first: fc.nat(),
    worker: fc.stringMatching(/^[\w.-]{1,20}$/),
  })
  .map((fields) => ({ ...fields, count: fields.ok + fields.failed }));

test('any segment is decoded to what was encoded', () => {
  fc.assert(
    fc.property(segment, (one) => {
      expect(decodeSegment(encodeSegment(one))).toEqual(one);
      expect(decodeLine(encodeSegment(one))).toEqual(one);
    }),
    runs(100),
  );
});

test('a segment with any other value, or a damaged line, names no file elsewhere, and its counts add up', () => {
  const changed = fc
    .tuple(
      segment,
      fc.constantFrom('shard', 'offset', 'bytes', 'count', 'ok', 'worker', 'v', 'index'),
      fc.oneof(fc.jsonValue(), hostileText),
    )
    .map(([one, key, value]) => JSON.stringify({ ...JSON.parse(encodeSegment(one)), [key]: value }));
  const damaged = fc
    .tuple(segment, edits)
    .map(([one, all]) => edited(Buffer.from(encodeSegment(one)), all).toString());
  fc.assert(
    fc.property(fc.oneof(changed, damaged, fc.json(), hostileText), (line) => {
      const found = decodeLine(line);
      if ('broken' in found) expect(found.broken).toMatch(/^(it|its) ./);
      else if ('shard' in found) {
        expect(found.shard).toMatch(/^\w[\w.-]*\.jsonl\.gz$/);
        expect(found.ok + found.failed).toBe(found.count);
      }
    }),
    runs(300),
  );
});

test('a result is never decoded as a segment', () => {
  fc.assert(
    fc.property(anyResult, (result) => {
      expect(decodeSegment(JSON.stringify({ v: 1, ...result }))).toBeUndefined();
    }),
    runs(100),
  );
});
