import { parse } from 'csv-parse/sync';
import { expect, test } from 'vitest';
import { hostileResults, UNPRINTABLE } from '../hostile.ts';
import { attackedResults, EVERY_WAY, failures, reportOf } from './report-of.ts';

type Rows = Readonly<Record<string, string>>[];

async function rowsOf(results: Parameters<typeof reportOf>[1]): Promise<Rows> {
  // Strict: a line with more or fewer cells than the header, or with a stray quote, is an error.
  return parse(await reportOf('csv', results), { columns: true }) as Rows;
}

test('a CSV parser reads a row for each result', async () => {
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
      ['6', 'FAIL'],
      ['7', 'FAIL'],
      ['8', 'FAIL'],
    ],
  ]);
  expect(rows[2]).toMatchObject({ ok: 'true', kind: 'blocked', message: 'a challenge' });
  expect(rows.map(({ baseline }) => baseline)).toEqual(['', '', '', 'mended', 'new', 'known', '', '']);
  expect(rows[6]).toMatchObject({ badRuns: '2' });
});

test('no cell that a list or a server filled is a formula or a control sequence', async () => {
  const results = [...hostileResults, ...attackedResults(), ...failures(3)];
  const rows = await rowsOf(results);
  expect(rows).toHaveLength(results.length);
  for (const text of rows.flatMap((row) => Object.values(row))) {
    expect(text).not.toMatch(/^[=+\-@\t\r＝＋－＠]/);
    expect(text).not.toMatch(UNPRINTABLE);
    expect(text).not.toContain('##[');
  }
});
