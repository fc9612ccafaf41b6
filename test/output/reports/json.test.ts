import { expect, test } from 'vitest';
import { encodeRecord } from '../../../src/model/record.ts';
import { failedResult, okResult } from '../../model/a-result.ts';
import { hostileResults, UNPRINTABLE } from '../hostile.ts';
import { attackedResults, EVERY_WAY, reportOf } from './report-of.ts';

test('the report lists every finding, and counts all results', async () => {
  const report = JSON.parse(await reportOf('json', EVERY_WAY));
  expect(report.v).toBe(1);
  expect(report.findings.map(({ line }: { line: number }) => line)).toEqual([3, 4, 5, 6, 7, 8]);
  expect(report.summary).toMatchObject({
    ...{ results: 8, ok: 4, warned: 1, fixed: 1, failed: 4, known: 1, new: 1, flaky: 1 },
    failuresByKind: { dns: 2, timeout: 1, invalid: 1 },
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: '2026-01-01T00:00:00.034Z',
  });
});

test('the summary has only counts that follow from the records', async () => {
  const { summary } = JSON.parse(await reportOf('json', [okResult()]));
  for (const key of ['read', 'skipped', 'wallMs', 'urlsPerSecond']) expect(summary).not.toHaveProperty(key);
});

test.each([[[]], [[okResult()]]])('the report is valid JSON without findings: %#', async (results) => {
  const report = JSON.parse(await reportOf('json', results));
  expect(report).toMatchObject({ findings: [], summary: { results: results.length, failed: 0 } });
});

test('a finding is the unchanged record in printable characters', async () => {
  const results = [...hostileResults, ...attackedResults(), failedResult('dns')];
  const text = await reportOf('json', results);
  expect(text.replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
  const findings = results.filter(({ ok, warning, baseline }) => !ok || warning || baseline);
  expect(JSON.parse(text).findings).toEqual(findings.map((result) => JSON.parse(encodeRecord(result))));
});

test('an endless duration counts as a day', async () => {
  const { summary } = JSON.parse(await reportOf('json', [okResult({ durationMs: 1e308 })]));
  expect(summary.endedAt).toBe('2026-01-02T00:00:00.000Z');
});
