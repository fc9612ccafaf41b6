import { expect, test } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { type Paint, plain } from '../../src/output/format.ts';
import { textLine, textSink } from '../../src/output/text.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { CollectedLines } from './collected-lines.ts';
import { HOSTILE, hostileResults, UNPRINTABLE } from './hostile.ts';

const line = textLine(plain);

function failed(
  kind: 'status' | 'dns',
  url: string,
  durationMs: number,
  message: string,
  status?: number,
): Result {
  return failedResult(kind, { url, durationMs, failure: { kind, message }, ...(status && { status }) });
}

test('textLine() formats results as in the documentation', () => {
  const results = [
    okResult({ durationMs: 34.1 }),
    failed('status', 'https://example.com/7', 12, 'Not Found', 404),
    failed('dns', 'https://nope.invalid/', 3, 'no such name (ENOTFOUND)'),
  ];
  expect(results.map(line).join('')).toBe(
    'OK    200  https://example.com/1  34ms  1.2kB\n' +
      'FAIL  404  https://example.com/7  12ms  Not Found\n' +
      'FAIL  dns  https://nope.invalid/   3ms  no such name (ENOTFOUND)\n',
  );
});

test.each<[string, Parameters<typeof okResult>[0], string]>([
  ['a redirect', { finalUrl: 'https://example.com/2' }, '34ms  1.2kB -> https://example.com/2'],
  ['several attempts', { attempts: 3 }, '34ms  1.2kB (3 attempts)'],
  ['one after a refused HEAD', { attempts: 2, decidedBy: 'GET' }, '34ms  1.2kB'],
  ['several after a refused HEAD', { attempts: 4, decidedBy: 'GET' }, '34ms  1.2kB (3 attempts)'],
  ['a body that was cut', { truncated: true }, '34ms  1.2kB (truncated)'],
  ['a file that has not changed', { file: 'unchanged' }, '34ms  1.2kB (unchanged)'],
  ['a file that was there', { file: 'existing', body: { bytes: 3 } }, '34ms  3B (existing)'],
  [
    'all of them',
    { finalUrl: 'https://example.com/2', attempts: 2, truncated: true },
    '34ms  1.2kB (2 attempts, truncated) -> https://example.com/2',
  ],
])('an OK line shows %s', (_name, changes, end) => {
  expect(line(okResult(changes))).toBe(`OK    200  https://example.com/1  ${end}\n`);
});

test('a resumed body has the length of its file', () => {
  expect(line(okResult({ bytes: 2000, body: { path: 'a', bytes: 5000 } }))).toContain('  4.9kB\n');
});

test('a FAIL line shows attempts after the message', () => {
  const result = failedResult('timeout', { attempts: 3, failure: { kind: 'timeout', message: 'no answer' } });
  expect(line(result)).toBe('FAIL  timeout  https://example.com/1  34ms  no answer (3 attempts)\n');
});

test.each([
  ['the id', { id: 'a 1', attempts: 2 }, '(id a 1, 2 attempts)'],
  ['an id without control characters', { id: 'a\n1' }, '(id a\\u{a}1)'],
  ['the line of a POST without id', { method: 'POST', line: 7 }, '(line 7)'],
  ['the id of a POST with an id', { method: 'POST', line: 7, id: 'x' }, '(id x)'],
  ['neither for a POST of one URL', { method: 'POST', source: 'arguments' }, ''],
])('a line shows %s', (_, changes, note) => {
  expect(line(okResult(changes)).split('1.2kB')[1]).toBe(`${note === '' ? '' : ' '}${note}\n`);
});

test('a FAIL line shows where the redirects led', () => {
  const result = failedResult('dns', { finalUrl: 'https://nope.invalid/' });
  expect(line(result)).toMatch(/ {2}a dns failure -> https:\/\/nope\.invalid\/\n$/);
});

test('a WARN line shows the status, and then the kind and message of the warning', () => {
  const warning = { kind: 'blocked', message: 'the answer is a challenge' } as const;
  expect(line(okResult({ status: 403, warning }))).toBe(
    'WARN  403  https://example.com/1  34ms  blocked: the answer is a challenge\n',
  );
});

test.each([
  ['known', failedResult('dns', { baseline: 'known' }), 'KNOWN dns  URL  34ms  a dns failure'],
  ['new', failedResult('dns', { baseline: 'new' }), 'FAIL  dns  URL  34ms  a dns failure (new)'],
  ['flaky', failedResult('dns', { badRuns: 2 }), 'WARN  dns  URL  34ms  a dns failure (bad run 2)'],
  ['fixed', okResult({ baseline: 'fixed' }), 'OK    200  URL  34ms  1.2kB (fixed)'],
])('a %s result is marked', (_, result, text) => {
  expect(line(result)).toBe(`${text.replace('URL', result.url)}\n`);
});

test('a URL that was not fetched, or whose request was cut off, has no line', () => {
  const output = new CollectedLines();
  const sink = textSink(output, plain);
  sink.write(failedResult('aborted', { attempts: 0 }));
  sink.write(failedResult('aborted', { attempts: 1 }));
  expect(output.text).toBe('');
});

test('a line contains no command of the GitHub Actions runner', () => {
  const command = '##[add-mask]x';
  const results = [
    okResult({ url: `https://x/${command}` }),
    failed('dns', `https://x/${command}`, 1, command),
  ];
  expect(results.map(line).join('')).not.toContain('##[');
});

test('a FAIL line without a message ends with its time', () => {
  expect(line(failed('status', 'https://example.com/', 3, '', 404))).toBe(
    'FAIL  404  https://example.com/   3ms\n',
  );
});

test('a FAIL line shows the kind if the status is not the reason', () => {
  expect(line(failedResult('expectation', { status: 200 }))).toMatch(/^FAIL {2}expectation {2}https/);
});

test('an invalid URL stays in its column', () => {
  const columns = (url: string) => line(failedResult('invalid', { url })).split(/\s+/);
  expect(columns('no url\u00a0at all')[2]).toBe('no%20url%C2%A0at%20all');
  expect(columns('')[2]).toBe('-');
  expect(columns('bücher.example')[2]).toBe('bücher.example');
});

test('a long URL is not truncated', () => {
  const url = `https://example.com/${'x'.repeat(50_000)}`;
  expect(line(okResult({ url }))).toContain(`  ${url}  `);
});

test.each(hostileResults)('hostile text is one printable line with its columns in place: %#', (result) => {
  const text = line(result);
  expect(text.endsWith('\n')).toBe(true);
  expect(text.slice(0, -1)).not.toMatch(UNPRINTABLE);
  expect(text.split(/\s+/).slice(0, 3)).toEqual([
    result.ok ? 'OK' : 'FAIL',
    expect.stringMatching(/^(200|500|invalid)$/),
    expect.stringMatching(result.url === HOSTILE ? /^\\u\{1b\}\[2J.*fake/ : /^https:/),
  ]);
});

test('a message of a megabyte is truncated', () => {
  expect(line(failed('status', 'https://example.com/', 3, 'x'.repeat(1e6), 500)).length).toBeLessThan(2100);
});

test('colour does not move a column', () => {
  const colour = (text: string) => `\x1b[31m${text}\x1b[39m`;
  const paint: Paint = { ok: colour, fail: colour, warn: colour, dim: colour, strong: colour };
  const painted = textLine(paint);
  for (const result of [
    okResult({ attempts: 2, finalUrl: 'https://a/' }),
    failedResult('dns'),
    failedResult('tls', { durationMs: 3 }),
  ]) {
    expect(painted(result)).toContain('\x1b[31m');
    expect(painted(result).replaceAll(/\x1b\[\d+m/g, '')).toBe(line(result));
  }
});

test('textSink() writes a line for each result and ends its output', async () => {
  const output = new CollectedLines();
  const sink = textSink(output, plain);
  sink.write(okResult());
  sink.write(failedResult('dns'));
  expect(output.text).toBe(line(okResult()) + line(failedResult('dns')));
  await sink.end(new SummaryFold().summary(0));
  expect(output.isEnded).toBe(true);
});
