import { describe, expect, it } from 'vitest';
import {
  LatencyBuckets,
  partOf,
  Slowest,
  sumOf,
  TimeBuckets,
} from '../../../src/output/reports/aggregate.ts';
import { failedResult, okResult } from '../../model/a-result.ts';
import { seededRandom } from '../../seeded-random.ts';

describe('TimeBuckets', () => {
  const total = (buckets: TimeBuckets) => buckets.list().reduce((sum, bucket) => sum + sumOf(bucket), 0);

  it('counts the results of each span, without gaps', () => {
    const buckets = new TimeBuckets(10);
    buckets.add(1000, 'ok');
    buckets.add(1004, 'failed');
    buckets.add(1029, 'ok');
    expect(buckets.list()).toEqual([
      { startMs: 1000, ok: 1, excused: 0, failed: 1 },
      { startMs: 1010, ok: 0, excused: 0, failed: 0 },
      { startMs: 1020, ok: 1, excused: 0, failed: 0 },
    ]);
  });

  it('keeps its limit and loses nothing, for times in any order and at any distance', () => {
    const random = seededRandom(5);
    for (const spanMs of [100, 1e4, 1e9, 8e15]) {
      const buckets = new TimeBuckets(12);
      const times = Array.from({ length: 500 }, () => Math.floor((random() - 0.5) * spanMs));
      for (const time of times) buckets.add(time, 'ok');
      const list = buckets.list();
      expect(list.length).toBeLessThanOrEqual(12);
      expect(total(buckets)).toBe(500);
      const { startMs } = list[0] ?? { startMs: Number.NaN };
      expect(startMs).toBeLessThanOrEqual(Math.min(...times));
      expect(startMs + list.length * buckets.widthMs).toBeGreaterThan(Math.max(...times));
    }
  });

  it('is empty without results', () => {
    expect(new TimeBuckets(10).list()).toEqual([]);
  });
});

describe('LatencyBuckets', () => {
  it('counts by bounds of 1, 2 and 5, and leaves out empty buckets at both ends', () => {
    const buckets = new LatencyBuckets();
    for (const ms of [10, 19.9, 99]) buckets.add(ms, 'ok');
    buckets.add(20, 'failed');
    expect(buckets.list()).toEqual([
      { fromMs: 10, toMs: 20, ok: 2, excused: 0, failed: 0 },
      { fromMs: 20, toMs: 50, ok: 0, excused: 0, failed: 1 },
      { fromMs: 50, toMs: 100, ok: 1, excused: 0, failed: 0 },
    ]);
  });

  it('has a bucket for 0 ms and for a day', () => {
    const buckets = new LatencyBuckets();
    buckets.add(0, 'ok');
    buckets.add(86_400_000, 'ok');
    const list = buckets.list();
    expect([list[0]?.ok, list.at(-1)?.ok, list.at(-1)?.toMs]).toEqual([1, 1, Number.POSITIVE_INFINITY]);
  });
});

describe('partOf()', () => {
  it.each([
    [okResult(), 'ok'],
    [okResult({ warning: { kind: 'blocked', message: '' } }), 'ok'],
    [okResult({ baseline: 'fixed' }), 'ok'],
    [failedResult('dns'), 'failed'],
    [failedResult('dns', { baseline: 'new' }), 'failed'],
    [failedResult('dns', { baseline: 'known' }), 'excused'],
    [failedResult('dns', { baseline: 'new', badRuns: 1 }), 'excused'],
  ])('counts known and flaky failures apart: %#', (result, part) => {
    expect(partOf(result)).toBe(part);
  });
});

describe('Slowest', () => {
  it('keeps the slowest results, the slowest first', () => {
    const slowest = new Slowest(3);
    const durations = [5, 1, 9, 9, 2, 7];
    for (const [line, durationMs] of durations.entries()) slowest.add(okResult({ line, durationMs }));
    expect(slowest.list().map(({ durationMs, line }) => [durationMs, line])).toEqual([
      [9, 2],
      [9, 3],
      [7, 5],
    ]);
  });
});
