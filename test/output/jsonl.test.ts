import { expect, test } from 'vitest';
import { printable } from '../../src/model/printable.ts';
import { encodeRecord } from '../../src/model/record.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { escapeJson, jsonlSink } from '../../src/output/jsonl.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { CollectedLines } from './collected-lines.ts';
import { hostileResults, UNPRINTABLE } from './hostile.ts';

test('jsonlSink() writes one record per line and ends its output', async () => {
  const output = new CollectedLines();
  const sink = jsonlSink(output);
  sink.write(okResult());
  sink.write(failedResult('dns'));
  expect(output.text).toBe(`${encodeRecord(okResult())}\n${encodeRecord(failedResult('dns'))}\n`);
  await sink.end(new SummaryFold().summary(0));
  expect(output.isEnded).toBe(true);
});

test.each(hostileResults)(
  'a hostile result is one printable line, and is parsed to the same values: %#',
  (result) => {
    const output = new CollectedLines();
    jsonlSink(output).write(result);
    expect(output.text.slice(0, -1)).not.toMatch(UNPRINTABLE);
    expect(JSON.parse(output.text)).toEqual(JSON.parse(encodeRecord(result)));
  },
);

test('escapeJson() escapes all characters that printable() escapes', () => {
  for (let code = 0; code < 0x10000; code += 1) {
    const mark = String.fromCharCode(code);
    const json = escapeJson(JSON.stringify(mark));
    if (printable(mark) !== mark) expect(json).toMatch(/^"\\[\w]+"$/);
    expect(JSON.parse(json)).toBe(mark);
  }
});

test('escapeJson() leaves other languages readable', () => {
  expect(escapeJson('"見つかりません é"')).toBe('"見つかりません é"');
});

test('escapeJson() escapes commands of the GitHub Actions runner without changing the value', () => {
  const json = escapeJson(JSON.stringify('###[error]x'));
  expect(json).not.toContain('##[');
  expect(JSON.parse(json)).toBe('###[error]x');
});
