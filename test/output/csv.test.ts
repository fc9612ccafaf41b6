import { expect, test } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { csvSink } from '../../src/output/csv.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { CollectedLines } from './collected-lines.ts';
import { hostileResults, UNPRINTABLE } from './hostile.ts';

const HEADER =
  'index,source,line,id,url,finalUrl,method,ok,status,attempts,redirects,bytes,truncated,contentType,' +
  'startedAt,durationMs,ttfbMs,kind,code,message,verdict,baseline,badRuns';

function csvOf(...results: Result[]): string {
  const output = new CollectedLines();
  const sink = csvSink(output);
  for (const result of results) sink.write(result);
  return output.text;
}

/** The cells of one line, as RFC 4180 reads it. */
function cells(line: string): string[] {
  return Array.from(line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g), ([, quoted, bare]) =>
    quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"'),
  );
}

function cell(column: string, result: Result): string | undefined {
  const [header = '', line = ''] = csvOf(result).split('\n');
  return cells(line)[cells(header).indexOf(column)];
}

test('csvSink() writes a header and a line for each result', () => {
  expect(csvOf(okResult({ ttfbMs: 30.25 }), failedResult('dns', { index: 1, line: 2 }))).toBe(
    `${HEADER}\n` +
      '0,urls.txt,1,,https://example.com/1,,GET,true,200,1,0,1234,false,,2026-01-01T00:00:00.000Z,34,30.3,,,,OK,,\n' +
      '1,urls.txt,2,,https://example.com/1,,GET,false,,1,0,0,false,,2026-01-01T00:00:00.000Z,34,,dns,,a dns failure,FAIL,,\n',
  );
});

test('a warning and what is known of other runs have cells of their own', () => {
  const warned = okResult({ warning: { kind: 'blocked', message: 'go away' }, baseline: 'mended' });
  const known = failedResult('dns', { baseline: 'known', badRuns: 2 });
  const columns = ['ok', 'verdict', 'kind', 'message', 'baseline', 'badRuns'];
  expect(columns.map((column) => cell(column, warned))).toEqual([
    ...['true', 'WARN', 'blocked', 'go away', 'mended', ''],
  ]);
  expect(columns.map((column) => cell(column, known))).toEqual([
    ...['false', 'FAIL', 'dns', 'a dns failure', 'known', '2'],
  ]);
});

test('the header of a run without results is written all the same', async () => {
  const output = new CollectedLines();
  await csvSink(output).end(new SummaryFold().summary(0));
  expect(output).toMatchObject({ text: `${HEADER}\n`, isEnded: true });
});

test('the end writes no second header', async () => {
  const output = new CollectedLines();
  const sink = csvSink(output);
  sink.write(okResult());
  await sink.end(new SummaryFold().summary(0));
  expect(output.text.split(HEADER)).toHaveLength(2);
});

test.each(['a,b', 'say "hi"', '"', ',', '","'])('the cell %s is quoted and read back', (id) => {
  const result = okResult({ id });
  expect(cell('id', result)).toBe(id);
  expect(cell('message', failedResult('dns', { id }))).toBe('a dns failure');
});

test.each([
  ['=cmd()', "'=cmd()"],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@SUM(1,2)', "'@SUM(1,2)"],
  ['\t=1', "'\\u{9}=1"],
  ['\r=1', "'\\u{d}=1"],
  ['＝1', "'＝1"],
  ['=HYPERLINK("https://x/","a")', '\'=HYPERLINK("https://x/","a")'],
])('the cell %j is no formula', (text, shown) => {
  const result = failedResult('invalid', {
    url: text,
    id: text,
    contentType: text,
    failure: { kind: 'invalid', code: text, message: text },
  });
  for (const column of ['url', 'id', 'contentType', 'code', 'message'])
    expect(cell(column, result)).toBe(shown);
});

test.each(hostileResults)('a hostile result is one printable line with all its cells: %#', (result) => {
  const [, line = '', ...rest] = csvOf(result).split('\n');
  expect(rest).toEqual(['']);
  expect(line).not.toMatch(UNPRINTABLE);
  expect(cells(line)).toHaveLength(23);
});

test('a long URL is whole', () => {
  const url = `https://example.com/é${'x'.repeat(50_000)}`;
  expect(cell('url', okResult({ url }))).toBe(url);
});
