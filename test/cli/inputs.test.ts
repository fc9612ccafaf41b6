import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { BIN, startCli, startProcess } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

/** The records on standard output, in the order of the input. */
function records(stdout: string): Record<string, unknown>[] {
  const parsed: Record<string, unknown>[] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return parsed.sort((a, b) => Number(a.index) - Number(b.index));
}

test('files, standard input and URLs are read in their order, each line with its source and number', async () => {
  const origin = await anOrigin();
  const one = await aFile(['# comment', `${origin.url}/ok?1`]);
  const two = await aFile([`${origin.url}/ok?4`], 'two.txt');
  const args = ['fetch', '--json', one, '-', `${origin.url}/ok?3`, two];
  const { code, stdout } = await runInProcess(args, { stdin: `\n\n${origin.url}/ok?2` });
  expect(code).toBe(0);
  expect(records(stdout)).toMatchObject([
    { index: 0, source: one, line: 2, url: `${origin.url}/ok?1` },
    { index: 1, source: '-', line: 3, url: `${origin.url}/ok?2` },
    { index: 2, source: 'arguments', line: 1, url: `${origin.url}/ok?3` },
    { index: 3, source: two, line: 1, url: `${origin.url}/ok?4` },
  ]);
});

test.each([
  ['a file that ends in .gz', 'urls.txt.gz'],
  ['a file that only its first bytes show to be gzip', 'urls.txt'],
])('%s is unpacked', async (_, name) => {
  const origin = await anOrigin();
  const file = await aFile(gzipSync(urls(origin, '/ok', 500).join('\n')), name);
  expect((await runInProcess(['fetch', '-q', file])).code).toBe(0);
  expect([origin.hits('/ok'), new Set(origin.log.map((request) => request.path)).size]).toEqual([500, 500]);
});

test('gzip is unpacked on standard input too', async () => {
  const origin = await anOrigin();
  expect((await runInProcess(['fetch'], { stdin: gzipSync(`${origin.url}/ok`) })).code).toBe(0);
  expect(origin.hits('/ok')).toBe(1);
});

test('a broken .gz is exit code 2, after what could be read was fetched', async () => {
  const file = await aFile(Buffer.from('http://127.0.0.1:9/\n'), 'urls.gz');
  expect(await runInProcess(['fetch', file])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/^\w+: cannot unpack .*urls\.gz/m),
  });
});

test('a byte-order mark, CRLF and white space around a URL are dropped', async () => {
  const origin = await anOrigin();
  const { code } = await runInProcess(['fetch'], {
    stdin: `\ufeff${origin.url}/ok?a\r\n\t ${origin.url}/ok?b \r\n`,
  });
  expect([code, origin.log.map(({ path }) => path).sort()]).toEqual([0, ['/ok?a', '/ok?b']]);
});

test('a JSON job sets method, headers and body of its request', async () => {
  const origin = await anOrigin();
  const job = {
    url: `${origin.url}/echo`,
    method: 'PUT',
    headers: { 'x-mine': 'yes' },
    body: 'text',
    id: 'one',
  };
  const { code, stdout } = await runInProcess(['fetch', '--json'], { stdin: JSON.stringify(job) });
  expect(code).toBe(0);
  expect(records(stdout)).toMatchObject([{ id: 'one', method: 'PUT', url: job.url, ok: true }]);
  expect(origin.log[0]).toMatchObject({ method: 'PUT', headers: { 'x-mine': 'yes', 'content-length': '4' } });
});

test('the "json" of a job is sent as a JSON body with POST', async () => {
  const origin = await anOrigin();
  const job = { url: `${origin.url}/echo`, json: { name: 'ä' } };
  expect((await runInProcess(['fetch'], { stdin: JSON.stringify(job) })).code).toBe(0);
  expect(origin.log[0]).toMatchObject({
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': '13' },
  });
});

test('an invalid line is a result in its place and stops nothing', async () => {
  const origin = await anOrigin();
  const lines = [
    `${origin.url}/ok`,
    'ftp://x/',
    '{"url": 1}',
    '{"url": "http://x/", "nope": 1}',
    `${origin.url}/ok`,
  ];
  const { code, stdout, stderr } = await runInProcess(['fetch', '--ordered'], { stdin: lines.join('\n') });
  expect(stdout.split('\n').map((line) => line.split(/ +/).slice(0, 2).join(' '))).toEqual([
    'OK 200',
    'FAIL invalid',
    'FAIL invalid',
    'FAIL invalid',
    'OK 200',
    '',
  ]);
  expect([code, stderr]).toEqual([1, expect.stringContaining('Done: 2 succeeded, 3 failed\n')]);
});

test('a URL with a tab is invalid, and still is when --failed is read again', async () => {
  const failed = await aFile([], 'failed.txt');
  const args = ['fetch', '--failed', failed];
  const first = await runInProcess(args, { stdin: 'http://127.0.0.1:9/a\tb\n' });
  expect([first.code, first.stdout]).toEqual([
    1,
    expect.stringContaining('FAIL  invalid  http://127.0.0.1:9/a\\u{9}b'),
  ]);
  expect(await readFile(failed, 'utf8')).toBe('{"url":"http://127.0.0.1:9/a\\tb"}\n');
  const again = await runInProcess(['fetch', failed]);
  expect([again.code, again.stdout]).toEqual([first.code, first.stdout]);
});

test('--unique fetches each URL once and counts the others as skipped', async () => {
  const origin = await anOrigin();
  const stdin = [...urls(origin, '/ok', 3), ...urls(origin, '/ok', 3), `${origin.url}/ok?n=0`].join('\n');
  const { code, stdout, stderr } = await runInProcess(['fetch', '--unique'], { stdin });
  expect([code, origin.requests, stdout.match(/^OK/gm)?.length]).toEqual([0, 3, 3]);
  expect(stderr).toContain('Done: 3 succeeded, 0 failed, 4 skipped (4 duplicates)\n');
});

test('--default-scheme makes a bare host a URL', async () => {
  const origin = await anOrigin();
  const { code, stdout } = await runInProcess(['fetch', '--default-scheme', 'http'], {
    stdin: `${origin.url.replace('http://', '')}/ok`,
  });
  expect([code, stdout]).toEqual([0, expect.stringContaining(`  ${origin.url}/ok  `)]);
});

test('fetching starts with the first line, long before the input ends', async () => {
  const origin = await anOrigin();
  const run = startCli(['fetch'], { stdin: 'open' });
  run.child.stdin?.write(`${origin.url}/ok?first\n`);
  await run.stdout.sees('/ok?first');
  run.child.stdin?.end(`${origin.url}/ok?second\n`);
  expect(await run.done).toMatchObject({ code: 0, stderr: expect.stringContaining('Done: 2 succeeded') });
});

test('a line over 1 MiB is a failure, and the next one is read', async () => {
  const origin = await anOrigin();
  const stdin = `${origin.url}/${'x'.repeat(2 ** 20)}\n${origin.url}/ok\n`;
  const { code, stderr } = await runInProcess(['fetch'], { stdin });
  expect([code, origin.requests]).toEqual([1, 1]);
  expect(stderr).toContain('Done: 1 succeeded, 1 failed\n');
});

test('--null reads a list that is separated by NUL characters, without which they are refused', async () => {
  const origin = await anOrigin();
  const stdin = urls(origin, '/ok', 3)
    .map((url) => `${url}\0`)
    .join('');
  expect((await runInProcess(['fetch', '-0'], { stdin })).stderr).toContain('Done: 3 succeeded, 0 failed');
  const { code, stdout } = await runInProcess(['fetch'], { stdin });
  expect([code, stdout]).toEqual([1, expect.stringMatching(/^FAIL {2}invalid .*NUL \(--null reads/)]);
  expect(origin.requests).toBe(3);
});

test.each([
  ['url', 0],
  ['2', 0],
  ['3', 2],
])('--column %s reads a column of a CSV file', async (column, code) => {
  const origin = await anOrigin();
  const file = await aFile([`id,url`, `1,"${origin.url}/ok?a,b"`, `2,${origin.url}/ok?c`], 'list.csv');
  expect((await runInProcess(['fetch', '--column', column, file])).code).toBe(code);
  expect(origin.log.map(({ path }) => path).sort()).toEqual(code === 0 ? ['/ok?a,b', '/ok?c'] : []);
});

test.each([
  ['--column', 'link', /: no column "link" in standard input \(line 1\): the first row has id, url$/m],
  ['--column', '0', /invalid value "0" for --column: must be the name of a column, or its number from 1/],
])('%s %s is exit code 2', async (flag, value, message) => {
  const { code, stdout, stderr } = await runInProcess(['fetch', flag, value], { stdin: 'id,url\n' });
  expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(message)]);
});

test.each([
  ['--null', '--sitemap'],
  ['--null', '--column=1'],
  ['--column=1', '--sitemap'],
])('%s with %s is exit code 2', async (...flags) => {
  const { code, stderr } = await runInProcess(['fetch', ...flags], { stdin: 'id,url\n' });
  expect([code, stderr]).toEqual([2, expect.stringMatching(/--\w+ with --\w+|--\w+ and --\w+/)]);
});

test.each([
  ['HTML', '<!doctype html>\n<p>x', '--sitemap'],
  ['CSV', 'id,url\n1,http://127.0.0.1:9/', '--column url'],
  ['a result file', '{"v":1,"url":"http://127.0.0.1:9/","ok":true,"attempts":1}', 'fanout report'],
])('%s is not a list: exit code 2 and a hint', async (_, stdin, hint) => {
  const { code, stdout, stderr } = await runInProcess(['fetch'], { stdin });
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain('cannot read standard input as a list of URLs: it looks like ');
  expect(stderr).toContain(hint);
});

test('a file that is not a list is refused before an output is written', async () => {
  const output = await aFile(['earlier results'], 'results.txt');
  const page = await aFile(['<!doctype html>'], 'page.html');
  const { code, stderr } = await runInProcess(['fetch', '-o', output, page]);
  expect([code, stderr]).toEqual([
    2,
    expect.stringMatching(/^\w+: cannot read .*page\.html" as a list of URLs: /),
  ]);
  expect(await readFile(output, 'utf8')).toBe('earlier results\n');
});

test('links that name nothing to fetch are skipped and counted', async () => {
  const origin = await anOrigin();
  const stdin = ['mailto:a@b.example', 'tel:1', `<${origin.url}/ok> # a page`].join('\n');
  const { code, stderr } = await runInProcess(['fetch'], { stdin });
  expect([code, origin.log.map(({ path }) => path)]).toEqual([0, ['/ok']]);
  expect(stderr).toContain('Done: 1 succeeded, 0 failed, 2 skipped (2 other schemes)\n');
});

test('UTF-16 is read', async () => {
  const origin = await anOrigin();
  const stdin = Buffer.from(`\ufeff${urls(origin, '/ok', 3).join('\r\n')}`, 'utf16le');
  expect((await runInProcess(['fetch'], { stdin })).stderr).toContain('Done: 3 succeeded, 0 failed');
});

test('--default-scheme applies to arguments too, unless there is such a file', async () => {
  const origin = await anOrigin();
  const host = origin.url.replace('http://', '');
  const { code, stdout } = await runInProcess(['fetch', '--default-scheme', 'http', `${host}/ok`]);
  expect([code, stdout]).toEqual([0, expect.stringContaining(`  ${origin.url}/ok  `)]);
});

test('an argument that is a host gets a hint at --default-scheme', async () => {
  const { code, stdout, stderr } = await runInProcess(['fetch', 'nope.example']);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(
    'cannot read "nope.example": no such file (for a URL, type https://nope.example or use --default-scheme https)',
  );
});

test('a password in an argument that is not a URL is not shown', async () => {
  const { code, stderr } = await runInProcess(['fetch', 'me:s3cret@host']);
  expect([code, stderr]).toEqual([2, expect.stringContaining('"***@host"')]);
});

describe('a pipe on standard input', () => {
  const IGNORED = 'ignoring the pipe on standard input, since inputs are named (add - to read it)';

  test('that no input reads is ignored with a warning, without waiting for its end', async () => {
    const origin = await anOrigin();
    const fetch = `${process.execPath} ${BIN} fetch ${origin.url}/ok`;
    // The shell itself has the pipe open for writing, so that it does not end.
    const script = `mkfifo pipe && exec 3<>pipe && ${fetch} <&3 2>loud && ${fetch} --silent <&3 2>silent`;
    const cwd = await tempDir();
    const { code } = await startProcess('sh', ['-c', script], { cwd }).done;
    const [loud, silent] = await Promise.all(
      ['loud', 'silent'].map((name) => readFile(join(cwd, name), 'utf8')),
    );
    expect([code, loud, silent]).toEqual([0, expect.stringContaining(IGNORED), '']);
  });

  test('that a program gave to fanout, mostly unused, is no reason for a warning', async () => {
    const origin = await anOrigin();
    const { code, stderr } = await startCli(['fetch', `${origin.url}/ok`], { stdin: 'open' }).done;
    expect([code, stderr]).toEqual([0, expect.not.stringContaining(IGNORED)]);
  });

  test.each(['-', '/dev/stdin'])('that %s reads is no reason for a warning', async (argument) => {
    const origin = await anOrigin();
    const command = `echo ${origin.url}/ok | ${process.execPath} ${BIN} fetch ${origin.url}/ok ${argument}`;
    const { stderr } = await startProcess('sh', ['-c', command]).done;
    expect(stderr).toContain('Done: 2 succeeded');
    expect(stderr).not.toContain(IGNORED);
  });
});
