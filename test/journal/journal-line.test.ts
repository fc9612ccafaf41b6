import { expect, test } from 'vitest';
import { openLine, readEntry, recordOf, sealLines } from '../../src/journal/journal-format.ts';
import { encodeRecord } from '../../src/model/record.ts';
import { failedResult, okResult } from '../model/a-result.ts';

const KEY = { first: 0x0123_4567, second: 0x89ab_cdef };
const ENTRY = { first: 0, second: 0, n: 0, isOk: false };

/** Lines as they are written, all with the same key. */
function sealed(...lines: readonly string[]): Buffer {
  const batch = Buffer.from(lines.join(''));
  sealLines(
    batch,
    lines.flatMap(() => [KEY.first, KEY.second | 0]),
  );
  return batch;
}

test.each([0, 7, 10, 99, 123_456, 2 ** 31])(
  'a line tells the key, the %ith occurrence and the verdict of its record',
  (n) => {
    const results = [okResult(), failedResult('dns')];
    const batch = sealed(...results.map((result) => openLine(n, result)));
    let start = 0;
    for (const result of results) {
      const end = batch.indexOf('\n', start);
      const entry = { ...ENTRY };
      expect(readEntry(batch, start, end, entry)).toBe(true);
      expect(entry).toEqual({ ...KEY, n, isOk: result.ok });
      const line = batch.toString('utf8', start, end);
      expect(recordOf(line, { ...KEY, n })).toBe(encodeRecord(result));
      expect(recordOf(line, { ...KEY, n: n + 1 })).toBeUndefined();
      expect(recordOf(line, { ...KEY, second: 1, n })).toBeUndefined();
      start = end + 1;
    }
  },
);

test('a line in which any byte is another one is damaged', () => {
  const batch = sealed(openLine(12, okResult()));
  const end = batch.length - 1;
  for (let at = 0; at < end; at++) {
    const damaged = Buffer.from(batch);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    expect(readEntry(damaged, 0, end, { ...ENTRY }), `byte ${at}`).toBe(false);
  }
});

test('a line that lacks bytes at its end is damaged, however few there are', () => {
  const batch = sealed(openLine(0, okResult()));
  for (let end = 0; end < batch.length - 1; end++) {
    expect(readEntry(batch, 0, end, { ...ENTRY }), `${end} bytes`).toBe(false);
  }
});
