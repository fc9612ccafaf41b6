import { expect, test } from 'vitest';
import { AccountingError } from '../../src/model/errors.ts';
import type { Result } from '../../src/model/result.ts';
import { checkBalance, type Summary, SummaryFold } from '../../src/model/summary.ts';
import { failedResult, okResult } from './a-result.ts';

function summaryOf(results: Iterable<Result>, wallMs = 1000): Summary {
  const fold = new SummaryFold();
  for (const result of results) fold.add(result);
  return fold.summary(wallMs);
}

test('the summary of nothing is zero, without a latency', () => {
  expect(summaryOf([], 0)).toEqual({
    read: 0,
    ok: 0,
    warned: 0,
    mended: 0,
    failed: 0,
    known: 0,
    new: 0,
    flaky: 0,
    resumed: 0,
    skipped: 0,
    notFetched: 0,
    wallMs: 0,
    urlsPerSecond: 0,
    bytes: 0,
    failuresByKind: {},
    failuresByStatus: {},
    worstHosts: [],
  });
});

test('it counts verdicts, bytes and speed', () => {
  const results = [okResult({ bytes: 10 }), okResult({ bytes: 5 }), failedResult('dns')];
  expect(summaryOf(results, 1500)).toMatchObject({ ok: 2, failed: 1, bytes: 15, urlsPerSecond: 2 });
});

test('it counts warnings and what is known of other runs as parts of OK and failed', () => {
  const warning = { kind: 'blocked', message: 'go away' } as const;
  const results = [
    okResult(),
    okResult({ warning }),
    okResult({ warning, baseline: 'mended' }),
    failedResult('dns'),
    failedResult('dns', { baseline: 'new' }),
    failedResult('dns', { baseline: 'new', badRuns: 1 }),
    failedResult('dns', { baseline: 'known' }),
    failedResult('dns', { baseline: 'known', badRuns: 1 }),
  ];
  expect(summaryOf(results)).toMatchObject({
    ...{ ok: 3, warned: 2, mended: 1 },
    ...{ failed: 5, known: 2, new: 2, flaky: 1 },
  });
});

test('it hands through the counts that only the reader of the input knows', () => {
  const fold = new SummaryFold();
  fold.read += 6;
  fold.skipped += 2;
  fold.notFetched += 3;
  fold.add(okResult());
  expect(fold.summary(1)).toMatchObject({ read: 6, ok: 1, skipped: 2, notFetched: 3 });
});

test('it counts failures by kind, and those of kind status by code', () => {
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

test('only a URL that was asked for has a latency', () => {
  const invalid = failedResult('invalid', { attempts: 0, durationMs: 9999 });
  expect(summaryOf([invalid]).latencyMs).toBeUndefined();
  expect(summaryOf([invalid, okResult({ durationMs: 20 })]).latencyMs?.p99).toBeCloseTo(20, 1);
});

test('it blames the host that answered, after redirects', () => {
  const moved = failedResult('status', { status: 404, finalUrl: 'https://other.example:8443/x' });
  expect(summaryOf([failedResult('dns'), moved, moved]).worstHosts).toEqual([
    { host: 'other.example:8443', failures: 2, overcount: 0 },
    { host: 'example.com', failures: 1, overcount: 0 },
  ]);
});

test('it blames no host for an invalid line', () => {
  expect(summaryOf([failedResult('invalid', { url: 'no url at all' })]).worstHosts).toEqual([]);
});

test('it names ten hosts of any number', () => {
  const results = Array.from({ length: 1000 }, (_, n) =>
    failedResult('dns', { url: `https://host${n}.invalid/` }),
  );
  expect(summaryOf(results).worstHosts).toHaveLength(10);
});

test('checkBalance() accepts counts that add up', () => {
  expect(() => checkBalance({ read: 10, ok: 4, failed: 3, skipped: 2, notFetched: 1 })).not.toThrow();
});

test.each([9, 11])('checkBalance() throws when %d were read and 10 are accounted for', (read) => {
  const check = () => checkBalance({ read, ok: 4, failed: 3, skipped: 2, notFetched: 1 });
  expect(check).toThrow(AccountingError);
  expect(check).toThrow(`read ${read}, but ok 4 + failed 3 + skipped 2 + not fetched 1 = 10`);
});
