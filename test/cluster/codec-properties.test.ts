import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bitmap, decodeCollectorState, encodeCollectorState, MAX_CHUNKS } from '../../src/cluster/bitmap.ts';
import { chunkJobs, encodeJob } from '../../src/cluster/chunk.ts';
import { settingsFrom } from '../../src/cluster/jetstream-setup.ts';
import { packFitting, packResults, unpackResults } from '../../src/cluster/result-log.ts';
import { parseExpectation } from '../../src/config/expectations.ts';
import { parseLine } from '../../src/input/parse-job.ts';
import { encodeRecord } from '../../src/model/record.ts';
import type { Result } from '../../src/model/result.ts';
import { edited, edits } from '../arbitrary/bytes.ts';
import { jobObject } from '../arbitrary/jobs.ts';
import { anyResult } from '../arbitrary/results.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText } from '../arbitrary/texts.ts';

/** What somebody may have put into a message: any bytes, gzip of any text or JSON, and true messages that were damaged. */
function message(good: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const text = fc.oneof(
    hostileText,
    fc.jsonValue().map((value) => JSON.stringify(value)),
  );
  return fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(text, { maxLength: 3 }).map((lines) => gzipSync(lines.join('\n'))),
    fc.tuple(good, edits).map(([bytes, changes]) => edited(Buffer.from(bytes), changes)),
  );
}

const jobs = fc.array(jobObject, { minLength: 1, maxLength: 5 }).map((all) =>
  all.map((value, index) => ({
    index,
    source: '-',
    line: index + 1,
    ...parseLine(JSON.stringify(value), { parseExpectation }),
  })),
);
const chunk = jobs.map((all) => gzipSync(all.map((job) => encodeJob(job)).join('\n')));
const results = fc.uniqueArray(anyResult, { minLength: 1, maxLength: 5, selector: ({ index }) => index });
const STATE = { refused: [], ok: 0, failed: 0 };
const inOrder = (all: readonly Result[]) => all.toSorted((a, b) => a.index - b.index);

test('the jobs of a chunk are those that were put into it, each once', () => {
  fc.assert(
    fc.property(jobs, (all) => {
      const packed = gzipSync(all.map((job) => encodeJob(job)).join('\n'));
      expect(chunkJobs(packed)).toEqual(all);
    }),
    runs(50),
  );
});

test('any bytes are the jobs of a chunk with numbers of their own, or no chunk', () => {
  fc.assert(
    fc.property(message(chunk), (bytes) => {
      const found = chunkJobs(bytes);
      if (found === undefined) return;
      expect(new Set(found.map(({ index }) => index)).size).toBe(found.length);
      for (const { url, invalid } of found) expect(invalid !== undefined || URL.canParse(url)).toBe(true);
    }),
    runs(120),
  );
});

test('results are the same when they are unpacked, in the order of the list', () => {
  fc.assert(
    fc.property(results, (all) => {
      const found = unpackResults(packResults(all, 10_000_000));
      expect(found?.map(encodeRecord)).toEqual(inOrder(all).map(encodeRecord));
    }),
    runs(50),
  );
});

test('results that are too large for a message are as many, and for the same URLs', () => {
  fc.assert(
    fc.property(results, fc.integer({ min: 0, max: 3000 }), (all, maxBytes) => {
      const found = unpackResults(packResults(all, maxBytes));
      expect(found?.map(({ index, url }) => [index, url.slice(0, 2000)])).toEqual(
        inOrder(all).map(({ index, url }) => [index, url.slice(0, 2000)]),
      );
    }),
    runs(50),
  );
});

test('of results that are too large for a message, those that fit are packed', () => {
  fc.assert(
    fc.property(results, fc.integer({ min: 30, max: 3000 }), (all, maxBytes) => {
      const { count, body } = packFitting(all, maxBytes);
      const found = count === 0 ? [] : unpackResults(body)?.map(encodeRecord);
      expect(body.length).toBeLessThanOrEqual(maxBytes);
      expect(found).toHaveLength(count);
      for (const record of found ?? []) expect(all.map(encodeRecord)).toContain(record);
    }),
    runs(50),
  );
});

test('any bytes are results that can be written, or none', () => {
  fc.assert(
    fc.property(message(results.map((all) => packResults(all, 1_000_000))), (bytes) => {
      const found = unpackResults(bytes);
      for (const result of found ?? []) expect(encodeRecord(result)).not.toContain('\n');
    }),
    runs(120),
  );
});

test('a small message of nothing but newlines is no chunk and no results, and costs no memory beyond its text', () => {
  const newlines = gzipSync(Buffer.alloc(63 * 1024 ** 2, '\n'));
  const before = process.memoryUsage().heapUsed;
  expect(chunkJobs(newlines)).toBeUndefined();
  expect(unpackResults(newlines)).toBeUndefined();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(300 * 1024 ** 2);
});

test('a bitmap holds what was set in it, and is the same when it is unpacked', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(70), fc.nat(20_000)), { maxLength: 50 }), (set) => {
      const bitmap = new Bitmap();
      for (const index of set) bitmap.set(index);
      const again = decodeCollectorState(encodeCollectorState({ ...STATE, done: bitmap }))?.done;
      for (const one of [bitmap, again ?? new Bitmap()]) {
        expect(one.count).toBe(new Set(set).size);
        for (const index of [...set, 0, 1, 7, 8, 20_001]) expect(one.has(index)).toBe(set.includes(index));
        const clear = Array.from({ length: set.length + 1 }, (_, index) => index).find(
          (index) => !set.includes(index),
        );
        expect(one.firstClear).toBe(clear);
      }
    }),
    runs(50),
  );
});

test('a collector whose bitmap unpacks to more than any list has is refused', () => {
  const done = gzipSync(Buffer.alloc(MAX_CHUNKS / 8 + 1)).toString('base64');
  expect(decodeCollectorState(Buffer.from(JSON.stringify({ ...STATE, done })))).toBeUndefined();
});

test('any bytes are the state of a collector, or none', () => {
  const good = fc.constant(encodeCollectorState({ ...STATE, done: new Bitmap(Buffer.from([5])) }));
  fc.assert(
    fc.property(message(good), (bytes) => {
      const found = decodeCollectorState(bytes);
      if (found !== undefined) expect(found.done.count).toBeGreaterThanOrEqual(0);
    }),
    runs(120),
  );
});

test('any value is the settings of a run, or none', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      const found = settingsFrom(value);
      if (found !== undefined) expect(found.chunk).toBeGreaterThan(0);
    }),
    runs(100),
  );
});
