import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Result } from '../../../src/model/result.ts';
import { failedResult, okResult } from '../../model/a-result.ts';
import { runCli } from '../../origin/run-cli.ts';
import { tempDir } from '../../origin/temp-dir.ts';
import { hostileResults, UNPRINTABLE } from '../../output/hostile.ts';
import { failures } from '../../output/reports/report-of.ts';
import { aFile } from '../an-origin.ts';
import { lines, recordFile } from '../records.ts';
import { runInProcess } from '../run-in-process.ts';

const at = (path: string, result: Result): Result => ({ ...result, url: `https://example.com/${path}` });

const OLD = [
  at('same', okResult()),
  at('breaks', okResult()),
  at('mends', failedResult('dns')),
  at('moves', okResult({ finalUrl: 'https://example.com/a' })),
  at('slow', okResult({ durationMs: 100 })),
  at('changes', okResult({ body: { bytes: 1234, sha256: `${'a'.repeat(64)}` } })),
  at('fails', failedResult('tls')),
  at('gone', okResult()),
];

const NEW = [
  at('same', okResult()),
  at('breaks', failedResult('status', { status: 404, failure: { kind: 'status', message: 'Not Found' } })),
  at('mends', okResult()),
  at('moves', okResult({ finalUrl: 'https://example.com/b' })),
  at('slow', okResult({ durationMs: 1240 })),
  at('changes', okResult({ body: { bytes: 1234, sha256: `${'b'.repeat(64)}` } })),
  at('fails', failedResult('tls')),
  at('added', failedResult('dns')),
];

async function diff(old: Iterable<Result>, now: Iterable<Result>, ...flags: string[]) {
  return runInProcess([
    'diff',
    await recordFile(old, 'old.jsonl'),
    await recordFile(now, 'new.jsonl'),
    ...flags,
  ]);
}

describe('fanout diff', () => {
  it('names what differs, counts the rest, and ends with 1 if something newly fails', async () => {
    const { code, stdout, stderr } = await diff(OLD, NEW);
    expect([code, stderr]).toEqual([1, '']);
    expect(stdout).toBe(
      'FAILING  404  https://example.com/breaks  Not Found (was 200)\n' +
        'FIXED    200  https://example.com/mends  (was dns)\n' +
        'MOVED    200  https://example.com/moves  -> https://example.com/b (was https://example.com/a)\n' +
        'SLOWER   200  https://example.com/slow  1.24s (was 100ms)\n' +
        'CHANGED  200  https://example.com/changes  200 1.2kB bbbbbbbbbbbb (was 200 1.2kB aaaaaaaaaaaa)\n' +
        'FAILING  dns  https://example.com/added  a dns failure (added)\n' +
        'REMOVED  200  https://example.com/gone\n' +
        '\nDiff: 2 newly failing, 1 fixed, 1 moved, 1 slower, 1 changed, 1 removed\n' +
        '  also  1 unchanged, 1 still failing, 1 added\n',
    );
  });

  it('names the id of a job, or the line of a POST', async () => {
    const url = 'https://example.com/api';
    const old = [okResult({ url, id: 'a' }), okResult({ url, id: 'gone\u0007' })];
    const now = [
      failedResult('dns', { url, id: 'a' }),
      failedResult('dns', { url, method: 'POST', index: 1, line: 2 }),
    ];
    const { stdout } = await diff(old, now);
    expect(stdout).toContain(
      `FAILING  dns  ${url} [a]  a dns failure (was 200)\n` +
        `FAILING  dns  ${url} [line 2]  a dns failure (added)\n` +
        `REMOVED  200  ${url} [gone\\u{7}]\n`,
    );
    const { differences } = JSON.parse((await diff(old, now, '--format', 'json')).stdout);
    expect(differences.map(({ id }: { id?: string }) => id)).toEqual(['a', undefined, 'gone\u0007']);
  });

  it('ends with 0 if nothing newly fails, whatever else there is', async () => {
    const changed = NEW.filter(({ ok, url }) => ok || url.endsWith('fails'));
    expect((await diff(OLD, changed)).code).toBe(0);
  });

  it('writes JSON that holds the same', async () => {
    const { code, stdout } = await diff(OLD, NEW, '--format', 'json');
    const { v, differences, summary } = JSON.parse(stdout);
    expect([code, v]).toEqual([1, 1]);
    expect(differences.map(({ change }: { change: string }) => change)).toEqual([
      ...['newlyFailing', 'fixed', 'moved', 'slower', 'changed', 'newlyFailing', 'removed'],
    ]);
    expect(differences[0]).toEqual({
      change: 'newlyFailing',
      url: 'https://example.com/breaks',
      method: 'GET',
      source: 'urls.txt',
      line: 1,
      failure: { kind: 'status', message: 'Not Found' },
      old: { ok: true, outcome: '200', bytes: 1234, durationMs: 34 },
      new: { ok: false, outcome: '404', bytes: 0, durationMs: 34 },
    });
    expect(differences[5].old).toBeNull();
    expect(differences[6]).toMatchObject({
      url: 'https://example.com/gone',
      old: { outcome: '200' },
      new: null,
    });
    expect(summary).toEqual({
      ...{ old: 8, new: 8, newlyFailing: 2, fixed: 1, moved: 1, slower: 1, changed: 1 },
      ...{ added: 1, removed: 1, stillFailing: 1, same: 1, notFetched: 0 },
    });
  });

  it('warns that URLs may be OK if a file lacks results of its run', async () => {
    const all = [0, 1, 2, 3].map((index) => okResult({ index, url: `https://example.com/${index}` }));
    const failed = failedResult('dns', { index: 3, url: 'https://example.com/3' });
    const { code, stdout, stderr } = await diff(all, [failed]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /new\.jsonl lacks at least 3 results of its run \(--only-failures\?\), so "removed" URLs may be OK\n$/,
      ),
    ]);
    expect(stdout).toContain('\nDiff: 1 newly failing, ');
  });

  it('does not take URLs that were not fetched for failing, fixed or removed', async () => {
    const url = (index: number) => ({ index, url: `https://example.com/${index}` });
    const old = [okResult(url(0)), failedResult('aborted', { ...url(1), attempts: 0 })];
    const now = [failedResult('aborted', { ...url(0), attempts: 0 }), okResult(url(1))];
    const { code, stdout } = await diff(old, now);
    expect(code).toBe(0);
    expect(stdout).toBe(
      '\nDiff: 0 newly failing, 0 fixed, 0 moved, 0 slower, 0 changed, 0 removed, 1 not fetched\n' +
        '  also  0 unchanged, 0 still failing, 1 added\n',
    );
  });

  it('is JSON when nothing differs, too', async () => {
    const { code, stdout } = await diff(OLD, OLD, '--format', 'json');
    expect([code, JSON.parse(stdout).differences]).toEqual([0, []]);
  });

  it('names with -q only what newly fails', async () => {
    const { stdout } = await diff(OLD, NEW, '-q');
    expect(
      stdout
        .split('\n\n')[0]
        ?.split('\n')
        .map((line) => line.split(' ')[0]),
    ).toEqual(['FAILING', 'FAILING']);
  });

  it('takes another rule for slower', async () => {
    expect((await diff(OLD, NEW, '--slower', '13')).stdout).toContain(' 0 slower');
    expect((await diff(OLD, NEW, '--slower-by', '2s')).stdout).toContain(' 0 slower');
    expect((await diff(OLD, NEW, '--slower', '12.4', '--slower-by', '1140ms')).stdout).toContain(' 1 slower');
  });

  it('reads one of the two from standard input, and writes to a file', async () => {
    const output = join(await tempDir(), 'diff.txt');
    const args = ['diff', await recordFile(OLD), '-', '-o', output];
    const { code, stdout } = await runInProcess(args, { stdin: lines(NEW).join('\n') });
    expect([code, stdout]).toEqual([1, '']);
    expect(await readFile(output, 'utf8')).toContain('\nDiff: 2 newly failing');
  });

  it('writes JSON to a file with such a name', async () => {
    const output = join(await tempDir(), 'diff.json');
    await runInProcess(['diff', await recordFile(OLD), await recordFile(NEW), '-o', output]);
    expect(JSON.parse(await readFile(output, 'utf8'))).toMatchObject({ v: 1 });
  });

  it.each(['text', 'json'])('writes hostile text of lists and servers harmlessly as %s', async (format) => {
    const broken = hostileResults.map((result) => ({ ...result, line: 1 }));
    const { stdout } = await diff([], broken, '--format', format);
    expect(stdout.replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
    expect(stdout).not.toMatch(/^OK/m);
  });

  it('ends with 2 when a line is no record, and compares the others', async () => {
    const broken = await aFile([...lines(OLD), 'nothing']);
    const { code, stdout, stderr } = await runInProcess(['diff', broken, await recordFile(NEW)]);
    expect([code, stderr]).toEqual([2, `error: ${broken}:9 is not a result record: it is not JSON\n`]);
    expect(stdout).toContain('2 newly failing');
  });

  it.each([
    ['the first', true],
    ['the second', false],
  ])('writes nothing if %s file is a list of URLs', async (_, isFirst) => {
    const [list, results] = [await aFile(Array(20).fill('https://example.com/')), await recordFile(NEW)];
    const { code, stdout, stderr } = await runInProcess([
      'diff',
      ...(isFirst ? [list, results] : [results, list]),
    ]);
    const says = `error: cannot read "${list}" as results: it is a list of URLs; name the JSONL file of `;
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(says)]);
  });

  it.each<[readonly string[], string]>([
    [['diff'], 'missing argument <old>'],
    [['diff', 'a.jsonl'], 'missing argument <new>'],
    [['diff', 'a', 'b', 'c'], 'too many arguments'],
    [['diff', 'a.jsonl', 'b.jsonl'], 'cannot read "a.jsonl": no such file'],
    [['diff', '-', '-'], 'standard input can be read only once'],
    [['diff', '-', 'b', '--slower', '0.5'], 'invalid value "0.5" for --slower: '],
    [['diff', '-', 'b', '--slower', 'x'], 'invalid value "x" for --slower: '],
    [
      ['diff', '-', 'b', '--slower-by', '5'],
      'invalid value "5" for --slower-by: must have a unit: "5s" for seconds',
    ],
  ])('ends with 2 at %j', async (args, message) => {
    const { code, stdout, stderr } = await runInProcess(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });

  it('holds of the earlier run a few hundred bytes for each URL', async () => {
    const many = await recordFile(failures(100_000));
    const { code, stdout } = await runCli(['diff', many, many], {
      nodeFlags: ['--max-old-space-size=64'],
      killAfterMs: 60_000,
    });
    expect([code, stdout]).toEqual([0, expect.stringContaining('100000 still failing')]);
  }, 60_000);
});
