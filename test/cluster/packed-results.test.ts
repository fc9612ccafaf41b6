import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { packResults, unpackResults } from '../../src/cluster/result-log.ts';
import { encodeRecord } from '../../src/model/record.ts';
import { okResult } from '../model/a-result.ts';

describe('packResults()', () => {
  it('gives back what was packed, and the lines of the file', () => {
    const results = [okResult({ url: 'http://a/' }), okResult({ url: 'http://b/' })];
    const found = unpackResults(packResults(results, 100_000));
    expect(found?.results.map(({ url }) => url)).toEqual(['http://a/', 'http://b/']);
    expect(found?.text).toBe(results.map((result) => `${encodeRecord(result)}\n`).join(''));
  });

  it('makes failures of the largest results when all of them do not fit, and keeps their number', () => {
    const results = [100, 50_000, 100, 60_000].map((length, index) =>
      okResult({
        url: `http://h/${index}`,
        worker: 'host-1',
        contentType: randomBytes(length / 2).toString('hex'),
      }),
    );
    const body = packResults(results, 40_000);
    expect(body.length).toBeLessThanOrEqual(40_000);
    const found = unpackResults(body)?.results;
    expect(found?.map(({ url, ok }) => [url, ok])).toEqual([
      ['http://h/0', true],
      ['http://h/1', true],
      ['http://h/2', true],
      ['http://h/3', false],
    ]);
    expect(found?.[3]?.failure).toMatchObject({ kind: 'write', code: 'ERR_RECORD_SIZE' });
    expect(found?.map(({ worker }) => worker)).toEqual(Array(4).fill('host-1'));
  });

  it.each([
    ['no gzip', Buffer.from('text')],
    ['no record', gzipSync('{"v":1}')],
    ['empty', gzipSync('')],
  ])('is not fooled by a message that is %s', (_, body) => {
    expect(unpackResults(body)).toBeUndefined();
  });
});
