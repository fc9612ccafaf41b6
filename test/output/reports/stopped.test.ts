import { describe, expect, test } from 'vitest';
import { REPORT_KINDS, type Result } from '../../../src/model/result.ts';
import { type Summary, SummaryFold } from '../../../src/model/summary.ts';
import { plain } from '../../../src/output/format.ts';
import { githubAnnotations } from '../../../src/output/github.ts';
import { textReport } from '../../../src/output/reports/report-sink.ts';
import { failedResult, okResult } from '../../model/a-result.ts';
import { CollectedLines } from '../collected-lines.ts';
import { reportOf } from './report-of.ts';

const aborted = (line: number) =>
  failedResult('aborted', {
    ...{ line, index: line - 1, attempts: 0, durationMs: 0, url: `https://example.com/${line}` },
    failure: { kind: 'aborted', message: 'not fetched: the run was stopped' },
  });

/** One URL is OK, two were not fetched. */
const STOPPED: readonly Result[] = [okResult(), aborted(2), aborted(3)];

describe('the report of a run that was stopped', () => {
  test.each([
    ['has the URLs that were not fetched in its headline', STOPPED, {}, '2 not fetched of 3 URLs'],
    [
      'has the failures there, too',
      [...STOPPED, failedResult('dns', { index: 3 })],
      {},
      '1 failed, 2 not fetched of 4 URLs',
    ],
    [
      'counts URLs that only the summary knows of',
      [okResult()],
      { notFetched: 29 },
      '29 not fetched of 30 URLs',
    ],
    [
      'says that the list is longer if its length is not known',
      STOPPED,
      { isListComplete: false },
      '2 not fetched of 3 URLs; the rest of the list was not read',
    ],
    [
      'is not green if the number of URLs that were not fetched is not known',
      [okResult()],
      { isListComplete: false },
      '1 URL fetched; the rest of the list was not read',
    ],
  ])('%s', async (_, results: readonly Result[], run: Partial<Summary>, headline) => {
    expect(await reportOf('markdown', results, run)).toMatch(
      new RegExp(`^## ❌ Run stopped: ${headline}\\n`),
    );
    const page = await reportOf('html', results, run);
    expect(page).toContain(`<header class="bad">\n<h1>Run stopped: ${headline}</h1>`);
  });

  test('lists the URLs in Markdown and HTML, but not in the charts', async () => {
    expect(await reportOf('markdown', STOPPED)).toContain('<summary><b>aborted</b>: 2 URLs</summary>');
    const page = await reportOf('html', STOPPED);
    expect(page).toContain('<dt>Not fetched</dt><dd>2</dd>');
    expect(page).toContain('https://example.com/3</a>');
    expect(page).toContain('1 OK, 0 failed</title>');
    expect(page).not.toContain('<h2>Failures by kind');
  });

  test('has an error for each URL in JUnit', async () => {
    const report = await reportOf('junit', STOPPED);
    expect(report).toContain('<testsuites name="fanout" tests="3" failures="0" errors="2" ');
    expect(report.match(/<error type="aborted" message="not fetched: the run was stopped">/g)).toHaveLength(
      2,
    );
  });

  test('has one more error in JUnit for URLs without a record', async () => {
    const report = await reportOf('junit', STOPPED, { notFetched: 30, isListComplete: false });
    expect(report).toContain(' tests="4" failures="0" errors="3" ');
    expect(report).toContain('28 more URLs not fetched; the rest of the list was not read');
  });

  test('has the counts and the records in JSON', async () => {
    const { findings, summary } = JSON.parse(await reportOf('json', STOPPED, { isListComplete: false }));
    expect(summary).toMatchObject({ results: 1, ok: 1, failed: 0, notFetched: 2, isListComplete: false });
    expect(findings.map(({ line }: { line: number }) => line)).toEqual([2, 3]);
  });

  test('counts them as text', async () => {
    const output = new CollectedLines();
    const sink = textReport(output, { paint: plain, quiet: false });
    for (const result of STOPPED) await sink.write(result);
    await sink.end(new SummaryFold().summary(0));
    expect(output.text).toContain('\nDone: 1 succeeded, 0 failed, 2 not fetched\n');
    expect(output.text).not.toContain('FAIL');
  });

  test('is one annotation on GitHub', async () => {
    const annotationsOf = async (run: Partial<Summary>) => {
      const output = new CollectedLines();
      const sink = githubAnnotations(output, () => undefined);
      for (const result of STOPPED) await sink.write(result);
      await sink.end({ ...new SummaryFold().summary(0), ...run });
      return output.text;
    };
    expect(await annotationsOf({ notFetched: 2 })).toBe('::error::run stopped, 2 URLs not fetched\n');
    expect(await annotationsOf({ isListComplete: false })).toBe(
      '::error::run stopped, the rest of the list was not read\n',
    );
  });
});

test.each(REPORT_KINDS)('the %s report of a run that came to its end says nothing of that', async (kind) => {
  expect(await reportOf(kind, [okResult()])).not.toMatch(/stopped|not fetched|errors="[1-9]/);
});

describe('the report of a file that lacks results, as of --only-failures,', () => {
  const SOME = [failedResult('dns', { index: 3 }), failedResult('dns', { index: 200 })];

  test('says so in its headline', async () => {
    const headline = '2 URLs failed; at least 199 other results are not in the file';
    expect(await reportOf('markdown', SOME)).toContain(`## ❌ ${headline}\n`);
    expect(await reportOf('html', SOME)).toContain(`<h1>${headline}</h1>`);
    const { summary } = JSON.parse(await reportOf('json', SOME));
    expect(summary).toMatchObject({ results: 2, missing: 199 });
  });

  test('is never green', async () => {
    expect(await reportOf('markdown', [okResult({ index: 1 })])).toMatch(/^## ⚠️ 0 URLs failed; at least 1 /);
  });

  test('does not count URLs that the summary says were not fetched', async () => {
    const report = await reportOf('markdown', [okResult({ index: 9 })], { notFetched: 9 });
    expect(report).toMatch(/^## ❌ Run stopped: 9 not fetched of 10 URLs\n/);
  });
});
