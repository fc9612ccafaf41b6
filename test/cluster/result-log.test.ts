import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { packResults, unpackResults } from '../../src/cluster/result-log.ts';
import { encodeRecord } from '../../src/model/record.ts';
import { okResult } from '../model/a-result.ts';

describe('packResults()', () => {
  it('keeps the results', () => {
    const results = [okResult({ index: 1, url: 'http://a/' }), okResult({ index: 2, url: 'http://b/' })];
    const found = unpackResults(packResults(results, 100_000));
    expect(found?.map(encodeRecord)).toEqual(results.map(encodeRecord));
  });

  it('replaces the largest results by failures when all of them do not fit', () => {
    const results = [100, 50_000, 100, 60_000].map((length, index) =>
      okResult({
        index,
        url: `http://h/${index}`,
        worker: 'host-1',
        contentType: randomBytes(length / 2).toString('hex'),
      }),
    );
    const body = packResults(results, 40_000);
    expect(body.length).toBeLessThanOrEqual(40_000);
    const found = unpackResults(body);
    expect(found?.map(({ url, ok }) => [url, ok])).toEqual([
      ['http://h/0', true],
      ['http://h/1', true],
      ['http://h/2', true],
      ['http://h/3', false],
    ]);
    expect(found?.[3]?.failure).toMatchObject({ kind: 'write', code: 'ERR_RECORD_SIZE' });
    expect(found?.map(({ worker }) => worker)).toEqual(Array(4).fill('host-1'));
  });
});

describe('unpackResults()', () => {
  it.each([
    ['not gzip', Buffer.from('text')],
    ['not a record', gzipSync('{"v":1}')],
    ['empty', gzipSync('')],
    ['out of order', gzipSync([2, 1].map((index) => `${encodeRecord(okResult({ index }))}\n`).join(''))],
  ])('refuses a message that is %s', (_, body) => {
    expect(unpackResults(body)).toBeUndefined();
  });
});
