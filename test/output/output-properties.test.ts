import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import sax from 'sax';
import { expect, test } from 'vitest';
import { parseLine } from '../../src/input/parse-job.ts';
import { decodeRecord } from '../../src/model/record.ts';
import { isNotFetched, REPORT_KINDS, type Result } from '../../src/model/result.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { csvSink } from '../../src/output/csv.ts';
import { failedListSink } from '../../src/output/failed-list.ts';
import { githubAnnotations } from '../../src/output/github.ts';
import { jsonlSink } from '../../src/output/jsonl.ts';
import { textSink } from '../../src/output/text.ts';
import type { Sink } from '../../src/results/sink.ts';
import { anyResult } from '../arbitrary/results.ts';
import { runs } from '../arbitrary/runs.ts';
import { CollectedLines } from './collected-lines.ts';
import { UNPRINTABLE } from './hostile.ts';
import { reportOf } from './reports/report-of.ts';

const results = fc.array(anyResult, { maxLength: 4 });
const plain = (text: string) => text;
const PAINT = { ok: plain, warn: plain, fail: plain, dim: plain, strong: plain };

async function written(results: readonly Result[], open: (output: CollectedLines) => Sink): Promise<string> {
  const output = new CollectedLines();
  const sink = open(output);
  for (const result of results) await sink.write(result);
  await sink.end(new SummaryFold().summary(0));
  return output.text;
}

/** Fails if the text can move a cursor or start a command of the GitHub Actions runner. */
function expectHarmless(text: string): void {
  expect(text.replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
  expect(text).not.toContain('##[');
}

test('the text of any result is one line whose first three columns contain no white space', async () => {
  await fc.assert(
    fc.asyncProperty(results, async (all) => {
      const text = await written(all, (output) => textSink(output, PAINT));
      expectHarmless(text);
      const lines = text.split('\n').slice(0, -1);
      expect(lines).toHaveLength(all.filter((result) => !isNotFetched(result)).length);
      for (const line of lines)
        expect(line).toMatch(/^(OK {4}|WARN {2}|FAIL {2}|KNOWN )[\w-]+ {2}\S+ {2,}\S/);
    }),
    runs(300),
  );
});

test('the JSONL of any result is one line with a valid record', async () => {
  await fc.assert(
    fc.asyncProperty(results, async (all) => {
      const text = await written(all, jsonlSink);
      expectHarmless(text);
      const records = text.split('\n').slice(0, -1).map(decodeRecord);
      expect(records.map((record) => ('broken' in record ? record : record.url))).toEqual(
        all.map(({ url }) => url),
      );
    }),
    runs(200),
  );
});

test('a CSV parser reads any result as one record without formulas', async () => {
  await fc.assert(
    fc.asyncProperty(results, async (all) => {
      const text = await written(all, csvSink);
      expectHarmless(text);
      const [header, ...rows] = parse(text, { relax_quotes: false }) as string[][]; // no columns are named, so it gives lists
      expect(rows).toHaveLength(all.length);
      for (const row of rows) {
        expect(row).toHaveLength(header?.length ?? 0);
        for (const cell of row) expect(cell).not.toMatch(/^(?!-\d+$)[=+\-@\t\r]/); // a number is no formula
      }
    }),
    runs(200),
  );
});

test('the annotations of any result are one command per line, and no others', async () => {
  await fc.assert(
    fc.asyncProperty(results, async (all) => {
      const text = await written(all, (output) => githubAnnotations(output, (source) => source));
      expectHarmless(text);
      for (const line of text.split('\n').slice(0, -1)) {
        expect(line).toMatch(/^::(error|warning) file=[^:,]*,line=\d+::[^\n]*$/);
      }
    }),
    runs(200),
  );
});

test('the list of failed URLs is parsed as the URLs that failed', async () => {
  await fc.assert(
    fc.asyncProperty(results, fc.constantFrom('GET', 'PURGE'), async (anyway, method) => {
      const all = anyway.map((result) => ({ ...result, method }));
      const text = await written(all, (output) => failedListSink(output));
      expectHarmless(text);
      const failed = all.filter(({ ok }) => !ok);
      const lines = text.split('\n').slice(0, -1);
      expect(lines).toHaveLength(failed.length);
      for (const [index, line] of lines.entries()) {
        const { url: used = '', input = used, failure = undefined } = failed[index] ?? {};
        const url = failure?.kind === 'invalid' ? input : used;
        const { invalid, url: read } = parseLine(line);
        const asLine = parseLine(JSON.stringify({ url }));
        if (asLine.invalid === undefined) expect([read, invalid]).toEqual([asLine.url, undefined]);
      }
    }),
    runs(200),
  );
});

test.each(['csv', ...REPORT_KINDS] as const)(
  'the %s report of any results is well-formed and harmless',
  async (kind) => {
    await fc.assert(
      fc.asyncProperty(results, async (all) => {
        const report = await reportOf(kind, all);
        expectHarmless(kind === 'html' ? report.replace(/<(style|script)>.*?<\/\1>/gs, '') : report);
        if (kind === 'json') {
          const { results, notFetched } = JSON.parse(report).summary;
          expect(results + notFetched).toBe(all.length);
        }
        if (kind === 'csv') expect(parse(report)).toHaveLength(all.length + 1);
        if (kind === 'junit')
          expect(elementsOf(report).filter((name) => name === 'testcase')).toHaveLength(all.length);
        if (kind === 'html') expect(report.match(/<script/g)).toHaveLength(1);
      }),
      runs(100),
    );
  },
);

/** The elements of a document, by a strict XML parser. */
function elementsOf(xml: string): string[] {
  const names: string[] = [];
  const parser = sax.parser(true);
  parser.onopentag = ({ name }) => names.push(name);
  parser.onerror = (error) => {
    throw error;
  };
  parser.write(xml).close();
  return names;
}
