import { parse } from 'csv-parse/sync';
import { expect, test } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { csvSink } from '../../src/output/csv.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { CollectedLines } from './collected-lines.ts';
import { hostileResults, UNPRINTABLE } from './hostile.ts';
import { attackedResults, EVERY_WAY, failures, reportOf } from './reports/report-of.ts';

const HEADER =
  'index,source,line,input,id,url,finalUrl,method,ok,status,attempts,redirects,bytes,truncated,contentType,' +
  'startedAt,durationMs,ttfbMs,totalMs,kind,code,message,verdict,baseline,badRuns';

function csvOf(...results: Result[]): string {
  const output = new CollectedLines();
  const sink = csvSink(output);
  for (const result of results) sink.write(result);
  return output.text;
}

/** The cells of one line by RFC 4180. */
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
      '0,urls.txt,1,,,https://example.com/1,,GET,true,200,1,0,1234,false,,2026-01-01T00:00:00.000Z,34,30.3,34,,,,OK,,\n' +
      '1,urls.txt,2,,,https://example.com/1,,GET,false,,1,0,0,false,,2026-01-01T00:00:00.000Z,34,,34,dns,,a dns failure,FAIL,,\n',
  );
});

test('csvSink() writes the warning and the verdict of earlier runs to cells of their own', () => {
  const warned = okResult({ warning: { kind: 'blocked', message: 'go away' }, baseline: 'fixed' });
  const known = failedResult('dns', { baseline: 'known', badRuns: 2 });
  const columns = ['ok', 'verdict', 'kind', 'message', 'baseline', 'badRuns'];
  expect(columns.map((column) => cell(column, warned))).toEqual([
    ...['true', 'WARN', 'blocked', 'go away', 'fixed', ''],
  ]);
  expect(columns.map((column) => cell(column, known))).toEqual([
    ...['false', 'KNOWN', 'dns', 'a dns failure', 'known', '2'],
  ]);
});

test('csvSink() writes the header for a run without results', async () => {
  const output = new CollectedLines();
  await csvSink(output).end(new SummaryFold().summary(0));
  expect(output).toMatchObject({ text: `${HEADER}\n`, isEnded: true });
});

test('csvSink() writes no second header at the end', async () => {
  const output = new CollectedLines();
  const sink = csvSink(output);
  sink.write(okResult());
  await sink.end(new SummaryFold().summary(0));
  expect(output.text.split(HEADER)).toHaveLength(2);
});

test.each(['a,b', 'say "hi"', '"', ',', '","'])('csvSink() quotes the cell %s', (id) => {
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
  [' =1', "' =1"],
  ['a;=1', "a;'=1"],
  ['a; =1;+1;-1;@a', "a;' =1;'+1;'-1;'@a"],
  ['a;＝1', "a;'＝1"],
  ['a"=1', 'a"\'=1'],
  [';"=1', ';"\'=1'],
  ['a\t=1', 'a\\u{9}=1'],
  ['http://a.test/?a=1-1', 'http://a.test/?a=1-1'],
  ['=HYPERLINK("https://x/","a")', '\'=HYPERLINK("https://x/","a")'],
])('the cell %j is not a formula', (text, shown) => {
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
  expect(cells(line)).toHaveLength(25);
});

test('a long URL is not truncated', () => {
  const url = `https://example.com/é${'x'.repeat(50_000)}`;
  expect(cell('url', okResult({ url }))).toBe(url);
});

type Rows = Readonly<Record<string, string>>[];

async function rowsOf(results: Parameters<typeof reportOf>[1]): Promise<Rows> {
  // Strict: a line with more or fewer cells than the header, or with a stray quote, is an error.
  return parse(await reportOf('csv', results), { columns: true }) as Rows;
}

test('a CSV parser reads one row per result', async () => {
  const rows = await rowsOf(EVERY_WAY);
  expect(rows.map(({ line, verdict }) => [line, verdict])).toEqual([
    ...[
      ['1', 'OK'],
      ['2', 'OK'],
      ['3', 'WARN'],
      ['4', 'OK'],
    ],
    ...[
      ['5', 'FAIL'],
      ['6', 'KNOWN'],
      ['7', 'WARN'],
      ['8', 'FAIL'],
    ],
  ]);
  expect(rows[2]).toMatchObject({ ok: 'true', kind: 'blocked', message: 'a challenge' });
  expect(rows.map(({ baseline }) => baseline)).toEqual(['', '', '', 'fixed', 'new', 'known', '', '']);
  expect(rows[6]).toMatchObject({ badRuns: '2' });
});

test('no cell with text of a list or a server is a formula or a control sequence', async () => {
  const results = [...hostileResults, ...attackedResults(), ...failures(3)];
  const rows = await rowsOf(results);
  expect(rows).toHaveLength(results.length);
  for (const text of rows.flatMap((row) => Object.values(row))) {
    for (const part of text.split(/[;"]/)) expect(part).not.toMatch(/^[=+\-@\t\r＝＋－＠]/);
    expect(text).not.toMatch(UNPRINTABLE);
    expect(text).not.toContain('##[');
  }
});

test.each([
  [['address'], ',address', ',192.0.2.1:443'],
  [['title', 'headers', 'input'], ',title', ',"\'=1+1, A"'],
  [
    ['tls', 'address'],
    ',address,tlsProtocol,tlsCipher,tlsAlpn,tlsSubject,tlsIssuer,tlsValidFrom,tlsValidTo,tlsDaysLeft',
    ',192.0.2.1:443,TLSv1.3,X,,,CN=ca,,,-2',
  ],
  [undefined, ',address,title', ',192.0.2.1:443,"\'=1+1, A"'],
] as const)('csvSink() has columns for %j', (keeps, columns, cellsOfResult) => {
  const output = new CollectedLines();
  const sink = csvSink(output, keeps);
  const tls = { protocol: 'TLSv1.3', cipher: 'X', issuer: 'CN=ca', daysLeft: -2 };
  const found = { address: '192.0.2.1:443', title: '=1+1, A' };
  sink.write(okResult({ ...found, ...(keeps === undefined ? {} : { tls }) }));
  sink.write(failedResult('dns'));
  const [header, first, second] = output.text.split('\n');
  expect(header).toBe(`${HEADER}${columns}`);
  expect(first?.endsWith(`,OK,,${cellsOfResult}`)).toBe(true);
  const empty = columns.replaceAll(/[a-zA-Z]/g, '');
  expect(second?.endsWith(`,FAIL,,${empty}`)).toBe(true);
});
