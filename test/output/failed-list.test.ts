import { expect, test } from 'vitest';
import type { FailedResult } from '../../src/model/result.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { failedListSink } from '../../src/output/failed-list.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { CollectedLines } from './collected-lines.ts';
import { HOSTILE, UNPRINTABLE } from './hostile.ts';

function listOf(changes: Partial<FailedResult>, runMethod?: string): string {
  const output = new CollectedLines();
  failedListSink(output, runMethod).write(failedResult('dns', changes));
  return output.text;
}

test('a failed URL is a plain line', () => {
  expect(listOf({ url: 'https://example.com/a?b#c' })).toBe('https://example.com/a?b#c\n');
});

test('an OK result is left out', async () => {
  const output = new CollectedLines();
  const sink = failedListSink(output);
  sink.write(okResult());
  await sink.end(new SummaryFold().summary(0));
  expect(output).toMatchObject({ text: '', isEnded: true });
});

test('an invalid line is written as it was read, since its printable form may be another URL', () => {
  const invalid = { failure: { kind: 'invalid', message: '' } } as const;
  expect(listOf({ ...invalid, url: 'http://a/\\u{9}b', input: 'http://a/\tb' })).toBe(
    '{"url":"http://a/\\tb"}\n',
  );
  expect(listOf({ ...invalid, url: 'nope' })).toBe('nope\n');
  expect(listOf({ url: 'http://a/', input: 'HTTP://a' })).toBe('http://a/\n');
});

test('an id or a method of its own makes a JSON job', () => {
  expect(listOf({ id: 'mine' })).toBe('{"url":"https://example.com/1","id":"mine"}\n');
  expect(listOf({ method: 'POST' })).toBe('{"url":"https://example.com/1","method":"POST"}\n');
});

test('the method of the run is left out', () => {
  expect(listOf({ method: 'HEAD' }, 'HEAD')).toBe('https://example.com/1\n');
  expect(listOf({ method: 'GET' }, 'HEAD')).toBe('{"url":"https://example.com/1","method":"GET"}\n');
});

test.each([
  '',
  '# no comment',
  '{"url":1}',
  ' spaces ',
  'a b',
  HOSTILE,
  'bücher.example',
  'http://a/##[error]b',
  '<https://example.com/>',
  '"https://example.com/"',
  "'https://example.com/'",
])('a URL that is not a plain line becomes a JSON job: %j', (url) => {
  const line = listOf({ url });
  expect(JSON.parse(line)).toEqual({ url });
  expect(line.slice(0, -1)).not.toMatch(UNPRINTABLE);
  expect(line).not.toContain('##[');
});
