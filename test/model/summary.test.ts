import { describe, expect, test } from 'vitest';
import { AccountingError } from '../../src/model/errors.ts';
import type { Result } from '../../src/model/result.ts';
import { checkBalance, LatencyHistogram, type Summary, SummaryFold } from '../../src/model/summary.ts';
import { seededRandom } from '../seeded-random.ts';
import { failedResult, okResult } from './a-result.ts';

function summaryOf(results: Iterable<Result>, wallMs = 1000): Summary {
  const fold = new SummaryFold();
  for (const result of results) fold.add(result);
  return fold.summary(wallMs);
}

describe('SummaryFold', () => {
  test('gives zeros and no latency without results', () => {
    expect(summaryOf([], 0)).toEqual({
      read: 0,
      ok: 0,
      warned: 0,
      fixed: 0,
      failed: 0,
      known: 0,
      new: 0,
      flaky: 0,
      resumed: 0,
      skipped: 0,
      notFetched: 0,
      isListComplete: true,
      wallMs: 0,
      urlsPerSecond: 0,
      bytes: 0,
      savedFiles: 0,
      savedBytes: 0,
      failuresByKind: {},
      failuresByStatus: {},
      worstHosts: [],
      downHosts: [],
    });
  });

  test('counts the files that this run saved, not those of the journal and not inline bodies', () => {
    const results = [
      okResult({ body: { path: 'a', bytes: 3 } }),
      okResult({ body: { path: 'b', bytes: 4 } }),
      okResult({ body: { path: 'c', bytes: 5 }, isResumed: true }),
      okResult({ body: { text: 'abc', bytes: 3 } }),
      failedResult('status', { body: { path: 'd', bytes: 1 } }),
    ];
    expect(summaryOf(results, 0)).toMatchObject({ savedFiles: 3, savedBytes: 8 });
  });

  test('counts a URL that was not fetched neither as OK nor as failed', () => {
    const results = [failedResult('aborted', { attempts: 0 }), failedResult('aborted', { attempts: 1 })];
    expect(summaryOf(results, 0)).toMatchObject({ notFetched: 2, failed: 0, failuresByKind: {} });
  });

  test('counts the URLs of each host that is down, and keeps the first message', () => {
    const down = (url: string, message: string) =>
      failedResult('down', { url, failure: { kind: 'down', message } });
    const results = [down('http://a/1', 'first'), down('http://a/2', 'second'), down('http://b/', 'other')];
    expect(summaryOf(results, 0).downHosts).toEqual([
      { host: 'a', urls: 2, message: 'first' },
      { host: 'b', urls: 1, message: 'other' },
    ]);
  });

  test('names at most 100 hosts that are down', () => {
    const results = Array.from({ length: 150 }, (_, n) => failedResult('down', { url: `http://h${n}/` }));
    expect(summaryOf(results, 0).downHosts).toHaveLength(100);
  });

  test('counts verdicts, bytes and URLs per second', () => {
    const results = [okResult({ bytes: 10 }), okResult({ bytes: 5 }), failedResult('dns')];
    expect(summaryOf(results, 1500)).toMatchObject({ ok: 2, failed: 1, bytes: 15, urlsPerSecond: 2 });
  });

  test('counts warnings and the comparison with earlier runs as parts of ok and failed', () => {
    const warning = { kind: 'blocked', message: 'go away' } as const;
    const results = [
      okResult(),
      okResult({ warning }),
      okResult({ warning, baseline: 'fixed' }),
      failedResult('dns'),
      failedResult('dns', { baseline: 'new' }),
      failedResult('dns', { baseline: 'new', badRuns: 1 }),
      failedResult('dns', { baseline: 'known' }),
      failedResult('dns', { baseline: 'known', badRuns: 1 }),
    ];
    expect(summaryOf(results)).toMatchObject({
      ...{ ok: 3, warned: 2, fixed: 1 },
      ...{ failed: 5, known: 2, new: 2, flaky: 1 },
    });
  });

  test('includes the counts that the caller sets', () => {
    const fold = new SummaryFold();
    fold.read += 6;
    fold.skipped += 2;
    fold.notFetched += 3;
    fold.add(okResult());
    expect(fold.summary(1)).toMatchObject({ read: 6, ok: 1, skipped: 2, notFetched: 3 });
  });

  test('counts failures by kind, and those of kind status by code', () => {
    const results = [
      failedResult('status', { status: 404 }),
      failedResult('status', { status: 404 }),
      failedResult('status', { status: 500 }),
      failedResult('expectation', { status: 200 }),
      failedResult('dns'),
    ];
    expect(summaryOf(results)).toMatchObject({
      failuresByKind: { status: 3, expectation: 1, dns: 1 },
      failuresByStatus: { 404: 2, 500: 1 },
    });
  });

  test('records a latency only for URLs that were sent', () => {
    const invalid = failedResult('invalid', { attempts: 0, durationMs: 9999 });
    expect(summaryOf([invalid]).latencyMs).toBeUndefined();
    expect(summaryOf([invalid, okResult({ durationMs: 20 })]).latencyMs?.p99).toBeCloseTo(20, 1);
  });

  test('counts a failure for the host of the last response, after redirects', () => {
    const moved = failedResult('status', { status: 404, finalUrl: 'https://other.example:8443/x' });
    expect(summaryOf([failedResult('dns'), moved, moved]).worstHosts).toEqual([
      { host: 'other.example:8443', failures: 2, overcount: 0 },
      { host: 'example.com', failures: 1, overcount: 0 },
    ]);
  });

  test('counts no host for an invalid line', () => {
    expect(summaryOf([failedResult('invalid', { url: 'no url at all' })]).worstHosts).toEqual([]);
  });

  test('lists at most ten hosts', () => {
    const results = Array.from({ length: 1000 }, (_, n) =>
      failedResult('dns', { url: `https://host${n}.invalid/` }),
    );
    expect(summaryOf(results).worstHosts).toHaveLength(10);
  });
});

test('checkBalance() accepts counts that add up', () => {
  expect(() => checkBalance({ read: 10, ok: 4, failed: 3, skipped: 2, notFetched: 1 })).not.toThrow();
});

test.each([9, 11])('checkBalance() throws if %d were read and 10 are accounted for', (read) => {
  const check = () => checkBalance({ read, ok: 4, failed: 3, skipped: 2, notFetched: 1 });
  expect(check).toThrow(AccountingError);
  expect(check).toThrow(`read ${read}, but ok 4 + failed 3 + skipped 2 + not fetched 1 = 10`);
});

describe('LatencyHistogram', () => {
  function percentilesOf(durations: Iterable<number>) {
    const histogram = new LatencyHistogram();
    for (const duration of durations) histogram.record(duration);
    return histogram.percentiles();
  }

  function exact(durations: number[], percent: number): number {
    const sorted = durations.toSorted((a, b) => a - b);
    return sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? Number.NaN;
  }

  test('percentiles() are undefined without durations', () => {
    expect(percentilesOf([])).toBeUndefined();
  });

  test('percentiles() of one duration is that duration', () => {
    expect(percentilesOf([12])).toEqual({
      p50: expect.closeTo(12, 1),
      p90: expect.closeTo(12, 1),
      p99: expect.closeTo(12, 1),
    });
  });

  test.each([
    ['even', (random: number) => random * 1000],
    ['long-tailed', (random: number) => 5 / (1.0001 - random)],
    ['tiny', (random: number) => random * 0.5],
  ])(
    'percentiles() of 50,000 %s durations are within 0.1 percent or 1 µs of the exact ones',
    (_name, shape) => {
      const random = seededRandom(7);
      const durations = Array.from({ length: 50_000 }, () => shape(random()));
      const found = percentilesOf(durations);
      for (const [percent, value] of [
        [50, found?.p50],
        [90, found?.p90],
        [99, found?.p99],
      ] as const) {
        const truth = exact(durations, percent);
        expect(Math.abs((value ?? Number.NaN) - truth)).toBeLessThanOrEqual(truth * 0.001 + 0.001);
      }
    },
  );

  test.each([0, -5, Number.NaN])(
    'record() takes a duration of %d for the shortest possible one',
    (duration) => {
      expect(percentilesOf([duration])?.p99).toBeLessThanOrEqual(0.001);
    },
  );

  test('record() counts a duration above a day as a day', () => {
    const day = 24 * 3600 * 1000;
    expect(percentilesOf([day * 1000, Number.POSITIVE_INFINITY])?.p50).toBeCloseTo(day, -6);
  });
});
