import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { refusedPort } from '../origin/hostile.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

/** Replaces durations and rates. */
function golden(text: string): string {
  return text.replace(/\d+(\.\d+)?(ms|s)\b( *)/g, 'T$3').replace(/ +$/gm, '');
}

test('text has one line for each result, with the documented columns', async () => {
  const origin = await anOrigin();
  const refused = await refusedPort();
  const args = ['/bytes/1234', '/status/404', '/redirect/1'].map((path) => origin.url + path);
  const { stdout } = await runInProcess(['fetch', '--ordered', '--retries', '0', ...args, refused.url]);
  expect(golden(stdout).replace(/ +T +/g, ' T ')).toBe(
    `OK    200  ${origin.url}/bytes/1234 T 1.2kB\n` +
      `FAIL  404  ${origin.url}/status/404 T Not Found\n` +
      `OK    200  ${origin.url}/redirect/1 T 3B -> ${origin.url}/ok\n` +
      `FAIL  connect  ${refused.url}/ T connect ECONNREFUSED 127.0.0.1:${refused.port}\n`,
  );
});

test('results go to standard output and the summary to standard error', async () => {
  const origin = await anOrigin();
  const { stdout, stderr } = await runInProcess(['fetch', `${origin.url}/ok`, `${origin.url}/status/404`]);
  expect(stdout).not.toContain('Done');
  expect(stderr).not.toMatch(/^(OK|FAIL)/m);
  expect(stderr).toMatch(/^\nDone: 1 succeeded, 1 failed\n/);
  expect(stderr).toMatch(/^ {2}latency {3}p50 \S+, p90 \S+, p99 \S+$/m);
  expect(stderr).toMatch(/^ {2}time {6}\S+, \S+ URLs\/s$/m);
  expect(stderr).toMatch(/^ {2}failures {2}404 \(1\)$/m);
  expect(stderr).toContain(`\n  hosts     ${origin.host}:${origin.port} (1)\n`);
});

describe('--format', () => {
  it.each([[['--json']], [['--format', 'jsonl']]])(
    '%j writes one record per line with the documented keys',
    async (flags) => {
      const origin = await anOrigin();
      const job = JSON.stringify({ url: `${origin.url}/redirect/1`, id: 'mine' });
      const list = await aFile([job, `${origin.url}/status/404`]);
      const { stdout } = await runInProcess(['fetch', '--ordered', ...flags, list]);
      const [ok, failed] = stdout
        .split('\n')
        .slice(0, 2)
        .map((line) => JSON.parse(line));
      expect(ok).toEqual({
        v: 1,
        index: 0,
        source: list,
        line: 1,
        id: 'mine',
        url: `${origin.url}/redirect/1`,
        finalUrl: `${origin.url}/ok`,
        method: 'GET',
        ok: true,
        status: 200,
        attempts: 1,
        redirects: [{ status: 302, url: `${origin.url}/redirect/1` }],
        bytes: 3,
        truncated: false,
        contentType: expect.any(String),
        startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        durationMs: expect.any(Number),
        ttfbMs: expect.any(Number),
        totalMs: expect.any(Number),
      });
      expect(failed).toMatchObject({
        ok: false,
        status: 404,
        failure: { kind: 'status', message: 'Not Found' },
      });
      expect(failed).not.toHaveProperty('id');
      expect(failed).not.toHaveProperty('finalUrl');
    },
  );

  it('csv has a header and one row for each result', async () => {
    const origin = await anOrigin();
    const args = [
      'fetch',
      '--format',
      'csv',
      '--ordered',
      `${origin.url}/ok?a,b`,
      `${origin.url}/status/404`,
    ];
    const lines = (await runInProcess(args)).stdout.split('\n');
    expect(lines[0]).toMatch(/^index,source,line,input,id,url,finalUrl,method,ok,status,attempts,/);
    expect(lines[1]).toContain(`0,arguments,1,,,"${origin.url}/ok?a,b",,GET,true,200,1,`);
    expect(lines[2]).toMatch(/^1,arguments,2,.*,status,,Not Found,FAIL,,$/);
    expect(lines).toHaveLength(4);
  });
});

test('-q writes failures and the summary only', async () => {
  const origin = await anOrigin();
  const { stdout, stderr } = await runInProcess([
    'fetch',
    '-q',
    `${origin.url}/ok`,
    `${origin.url}/status/404`,
  ]);
  expect(stdout).toMatch(/^FAIL {2}404 [^\n]+\n$/);
  expect(stderr).toContain('Done: 1 succeeded, 1 failed');
});

test('--silent writes nothing but files', async () => {
  const origin = await anOrigin();
  const output = join(await tempDir(), 'out.txt');
  const args = ['fetch', '--silent', `${origin.url}/ok`, `${origin.url}/status/404`];
  expect(await runInProcess(args)).toMatchObject({ code: 1, stdout: '', stderr: '' });
  expect(await runInProcess([...args, '-o', output])).toMatchObject({ code: 1, stdout: '', stderr: '' });
  expect((await readFile(output, 'utf8')).split('\n')).toHaveLength(3);
});

test('-o writes the results to a file and replaces its content', async () => {
  const origin = await anOrigin();
  const output = await aFile(['old\n'.repeat(500)], 'out.jsonl');
  const { stdout } = await runInProcess(['fetch', '--json', '-o', output, `${origin.url}/ok`]);
  expect(stdout).toBe('');
  expect(JSON.parse(await readFile(output, 'utf8'))).toMatchObject({ ok: true });
});

describe('-o with one URL', () => {
  const HINT = 'warning: -o writes result lines; to save the page use --save-dir or --body\n';

  it('says that the file gets a result line, not the page', async () => {
    const origin = await anOrigin();
    const args = ['fetch', `${origin.url}/ok`, '-o', join(await tempDir(), 'a.txt')];
    expect((await runInProcess(args)).stderr).toContain(HINT);
  });

  it.each([
    ['several URLs', ['URL']],
    ['--json', ['--json']],
    ['--save-dir', ['--save-dir', 'DIR']],
    ['--silent', ['--silent']],
    ['-o -', ['-o', '-']],
  ])('says nothing with %s', async (_, more) => {
    const origin = await anOrigin();
    const directory = await tempDir();
    const words = more.map((word) => word.replace('URL', `${origin.url}/ok?2`).replace('DIR', directory));
    const args = ['fetch', `${origin.url}/ok`, '-o', join(directory, 'a.txt'), ...words];
    expect((await runInProcess(args)).stderr).not.toContain('result lines');
  });
});

test('-o - is standard output', async () => {
  const origin = await anOrigin();
  expect((await runInProcess(['fetch', '-o', '-', `${origin.url}/ok`])).stdout).toMatch(/^OK/);
});

test('--failed writes a list that fanout fetch reads', async () => {
  const origin = await anOrigin();
  const failed = join(await tempDir(), 'again.txt');
  const put = JSON.stringify({ url: `${origin.url}/flaky/c/1?status=500`, method: 'PUT', id: 'c' });
  const list = await aFile([
    `${origin.url}/flaky/a/1?status=500`,
    `${origin.url}/ok`,
    `${origin.url}/flaky/b/1?status=500`,
    put,
  ]);
  expect((await runInProcess(['fetch', '--retries', '0', '--failed', failed, list])).code).toBe(1);
  const again = await runInProcess(['fetch', '--retries', '0', '--json', failed]);
  const jobs = again.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(again.code).toBe(0);
  expect(jobs.map(({ url, method, id }) => [url.slice(origin.url.length), method, id]).sort()).toEqual([
    ['/flaky/a/1?status=500', 'GET', undefined],
    ['/flaky/b/1?status=500', 'GET', undefined],
    ['/flaky/c/1?status=500', 'PUT', 'c'],
  ]);
});

describe('an output whose name ends in .gz is compressed', () => {
  const unpacked = async (path: string) => gunzipSync(await readFile(path)).toString();

  it('-o and --failed, which fanout reads back', async () => {
    const origin = await anOrigin();
    const directory = await tempDir();
    const [output, failed] = ['results.jsonl.gz', 'failed.gz'].map((name) => join(directory, name));
    const list = await aFile([`${origin.url}/ok`, `${origin.url}/flaky/a/1?status=500`]);
    const outputs = ['-o', output ?? '', '--failed', failed ?? ''];
    expect((await runInProcess(['fetch', '--json', '--retries', '0', ...outputs, list])).code).toBe(1);
    expect((await unpacked(output ?? '')).match(/^\{"v":1,/gm)).toHaveLength(2);
    expect(await unpacked(failed ?? '')).toBe(`${origin.url}/flaky/a/1?status=500\n`);
    expect((await runInProcess(['report', '--format', 'json', output ?? ''])).code).toBe(0);
    expect((await runInProcess(['fetch', failed ?? ''])).stdout).toMatch(/^OK {4}200 /);
  });

  it('a report, a baseline and the file of --flaky-state', async () => {
    const origin = await anOrigin();
    const directory = await tempDir();
    const [report, baseline, state] = ['report.xml.gz', 'known.gz', 'state.gz'].map((name) =>
      join(directory, name),
    );
    const files = ['--report', `junit=${report}`, '--baseline', baseline ?? '', '--flaky-state', state ?? ''];
    const args = ['fetch', '--retries', '0', '--flaky-after', '9', ...files, `${origin.url}/status/500`];
    await runInProcess([...args, '--update-baseline']);
    expect(await unpacked(report ?? '')).toContain('<testsuites');
    expect(await unpacked(baseline ?? '')).toContain('/status/500');
    const again = await runInProcess(args);
    expect(again.code).toBe(0);
    expect(await unpacked(state ?? '')).toContain('"badRuns":2');
  });
});

test('--summary json is one object on standard error whose counts add up', async () => {
  const origin = await anOrigin();
  const paths = ['/ok', '/ok', '/status/404', '/status/410', '/ok?2', '/ok?3', '/ok?4'];
  const args = ['fetch', '--unique', '-c', '1', '--max-failures', '2', '--summary', 'json'];
  const list = await aFile(paths.map((path) => origin.url + path));
  const { stderr } = await runInProcess([...args, list]);
  const summary = JSON.parse(stderr);
  const { read, ok, failed, skipped, notFetched } = summary;
  expect({ read, failed, skipped }).toEqual({ read: 7, failed: 2, skipped: 1 });
  expect(ok + failed + skipped + notFetched).toBe(read);
  expect(notFetched).toBeGreaterThan(0);
  expect(summary).toMatchObject({
    latencyMs: { p50: expect.any(Number), p90: expect.any(Number), p99: expect.any(Number) },
    failuresByKind: { status: 2 },
    failuresByStatus: { 404: 1, 410: 1 },
    wallMs: expect.any(Number),
    bytes: expect.any(Number),
  });
});

describe('colours', () => {
  const ESC = '\u001b[';
  it.each<[boolean, string, readonly string[], Record<string, string>]>([
    [false, 'with --color never and FORCE_COLOR', ['--color', 'never'], { FORCE_COLOR: '1' }],
    [true, 'with --color always and NO_COLOR', ['--color', 'always'], { NO_COLOR: '1' }],
  ])('%s %s, on both streams', async (expected, _, flags, env) => {
    const origin = await anOrigin();
    const { stdout, stderr } = await runInProcess(['fetch', ...flags, `${origin.url}/ok`], { env });
    expect([stdout.includes(ESC), stderr.includes(ESC)]).toEqual([expected, expected]);
  });
});
