import { describe, expect, it } from 'vitest';
import { encodeRecord } from '../../src/model/record.ts';
import { decodeLine, decodeSegment, encodeSegment, MAX_SEGMENT_BYTES } from '../../src/model/result-line.ts';
import { okResult } from './a-result.ts';
import { aSegment } from './a-segment.ts';

function changed(key: string, value: unknown): string {
  return JSON.stringify({ ...JSON.parse(encodeSegment(aSegment())), [key]: value });
}

describe('decodeSegment()', () => {
  it('decodes what encodeSegment() wrote, without unknown keys', () => {
    expect(decodeSegment(encodeSegment(aSegment()))).toEqual(aSegment());
    expect(decodeSegment(changed('later', 1))).toEqual(aSegment());
  });

  it.each(['', '{', 'null', '[]', '7', '"shard"', '{"v":2,"shard":"a"}', encodeRecord(okResult())])(
    'is undefined for %s, which does not look like a segment',
    (line) => {
      expect(decodeSegment(line)).toBeUndefined();
    },
  );

  it.each([
    ['shard', '../secret.jsonl.gz'],
    ['shard', '/etc/passwd'],
    ['shard', 'a\\b.jsonl.gz'],
    ['shard', '.hidden.jsonl.gz'],
    ['shard', 'a\u0000.jsonl.gz'],
    ['shard', `${'a'.repeat(200)}.jsonl.gz`],
    ['shard', 'passwd'],
    ['shard', 7],
    ['chunk', -1],
    ['chunk', 1.5],
    ['offset', -1],
    ['offset', Number.MAX_SAFE_INTEGER],
    ['offset', '1'],
    ['bytes', 0],
    ['bytes', MAX_SEGMENT_BYTES + 1],
    ['sha256', 'AB'.repeat(32)],
    ['sha256', undefined],
    ['count', 0],
    ['first', -1],
    ['ok', null],
    ['failed', Number.NaN],
    ['worker', 'a\u001b[2J'],
    ['worker', ''],
  ])('refuses a segment whose "%s" is %j', (key, value) => {
    expect(decodeSegment(changed(key, value))).toEqual({ broken: `its "${key}" is missing or wrong` });
  });

  it('refuses counts that do not add up', () => {
    expect(decodeSegment(changed('ok', 3))).toEqual({ broken: expect.stringContaining('add up') });
  });
});

describe('decodeLine()', () => {
  it('distinguishes records, segments and other lines', () => {
    expect(decodeLine(encodeRecord(okResult()))).toMatchObject(okResult());
    expect(decodeLine(encodeSegment(aSegment()))).toEqual(aSegment());
    expect(decodeLine('{"v":1}')).toEqual({ broken: 'its "index" is missing or wrong' });
    expect(decodeLine(changed('bytes', 0))).toEqual({ broken: 'its "bytes" is missing or wrong' });
  });
});
