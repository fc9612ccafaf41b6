import { expect, test } from 'vitest';
import { encodeRecord, sharedRecord } from '../../src/model/record.ts';
import { okResult } from './a-result.ts';

test('sharedRecord() is the record of each result, also where they take turns', () => {
  const [a, b] = [okResult({ index: 1 }), okResult({ index: 2 })];
  expect([a, b, b, a].map(sharedRecord)).toEqual([a, b, b, a].map(encodeRecord));
});

test('sharedRecord() makes the record of one result once', () => {
  let asked = 0;
  const result = okResult();
  Object.defineProperty(result, 'url', {
    get: () => {
      asked += 1;
      return 'http://a.test/';
    },
  });
  expect(sharedRecord(result)).toBe(sharedRecord(result));
  expect(asked).toBe(1);
});
