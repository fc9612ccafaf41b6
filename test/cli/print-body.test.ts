import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { running } from '../http/client.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { BIN } from '../origin/run-cli.ts';
import { aFile, anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

describe('fanout fetch --body', () => {
  it('writes the body of the URL to standard output, and its result line to standard error', async () => {
    const origin = await anOrigin();
    const { code, stdout, stderr } = await runInProcess(['fetch', '--body', `${origin.url}/gzip/5000`]);
    expect([code, stdout.length]).toEqual([0, 5000]);
    expect(stderr).toMatch(/^OK {4}200 {2}http:\S+\/gzip\/5000 .*\n$/);
  });

  it('reads the URL from a list, and writes no result line with -q', async () => {
    const origin = await anOrigin();
    const list = await aFile(['# a comment', `${origin.url}/ok`]);
    const result = await runInProcess(['fetch', '--body', '-q', list]);
    expect(result).toMatchObject({ code: 0, stdout: 'ok\n', stderr: '' });
  });

  it('has no size limit unless --max-size is given', async () => {
    const origin = await anOrigin();
    const fetch = ['fetch', '--body', `${origin.url}/bytes/11000000`];
    expect((await runInProcess(fetch)).stdout.length).toBe(11_000_000);
    const { code, stdout, stderr } = await runInProcess([...fetch, '--max-size', '1kb']);
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining('larger than --max-size')]);
  });

  it('writes nothing of a failed response, and ends with 1', async () => {
    const origin = await anOrigin();
    const { code, stdout, stderr } = await runInProcess(['fetch', '--body', `${origin.url}/status/404`]);
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(/^FAIL {2}404 /)]);
  });

  it('writes nothing of an attempt that broke off', async () => {
    const origin = await anOrigin();
    const url = `${origin.url}/range/100000?cut=30000`;
    const { code, stdout, stderr } = await runInProcess(['fetch', '--body', '--retries', '0', url]);
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(/^FAIL {2}reset /)]);
  });

  it('passes on any bytes, and ends quietly when the reader closes the pipe', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`;
    const response = Buffer.concat([Buffer.from(head), bytes]);
    const server = await running(startRawServer({ onRequest: ({ socket }) => void socket.write(response) }));
    const run = promisify(execFile);
    const command = [BIN, 'fetch', '--body', '-q'];
    const whole = await run(process.execPath, [...command, server.url], { encoding: 'buffer' });
    expect(whole.stdout).toEqual(bytes);

    const origin = await anOrigin();
    const script = '{ "$@" < /dev/null; echo "code $?" >&2; } | head -c 3';
    const url = `${origin.url}/bytes/5000000`;
    const cut = await run('sh', ['-c', script, 'sh', process.execPath, ...command, url]);
    expect([cut.stdout.length, cut.stderr]).toEqual([3, 'code 0\n']);
  });

  it.each([
    [
      ['http://127.0.0.1:1/a', 'http://127.0.0.1:1/b'],
      '--body needs exactly one URL, and the input has more',
    ],
    [['http://127.0.0.1:1/', '--json'], 'cannot use --body with --json'],
    [['http://127.0.0.1:1/', '--format', 'csv'], 'cannot use --body with --format csv'],
    [
      ['http://127.0.0.1:1/', '-o', 'x'],
      'cannot use --body with --output (redirect standard output instead)',
    ],
    [['http://127.0.0.1:1/', '--save-dir', 'x'], 'cannot use --body with --save-dir'],
    [['http://127.0.0.1:1/', '-I'], 'cannot use --body with HEAD: its response has no body'],
    [['http://127.0.0.1:1/', '--max-size', '0'], 'cannot use --body with --max-size 0: no body is read'],
    [[], 'no URLs in the input'],
  ])('is wrong usage for %j', async (args, message) => {
    const { code, stdout, stderr } = await runInProcess(['fetch', '--body', ...args]);
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)]);
  });
});

it('--inline-body without --json is wrong usage', async () => {
  const { code, stderr } = await runInProcess(['fetch', 'http://127.0.0.1:1/', '--inline-body']);
  expect([code, stderr]).toEqual([2, 'error: --inline-body needs --json\n']);
});

describe('fanout fetch --dry-run', () => {
  it('shows the name of each file, with {ext} where it comes from the content type', async () => {
    const list = await aFile([
      'https://example.com/a.txt',
      'https://example.com/docs?page=2',
      '{"url":"https://example.com/b","save":"mine/b.txt"}',
      '{"url":"https://example.com/c","save":"MINE/b.txt"}',
      '{"url":"https://example.com/d","method":"HEAD"}',
    ]);
    const { code, stdout } = await runInProcess(['fetch', '--dry-run', '--save-dir', 'out', list]);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(code).toBe(1);
    expect(lines.map(({ file, invalid }) => file ?? (invalid === undefined ? undefined : 'invalid'))).toEqual(
      ['example.com/a.txt', 'example.com/docs@page=2~.{ext}', 'mine/b.txt', 'invalid', undefined],
    );
  });

  it('shows no names without --save-dir', async () => {
    const { stdout } = await runInProcess(['fetch', '--dry-run', 'https://example.com/a.txt']);
    expect(JSON.parse(stdout)).not.toHaveProperty('file');
  });
});
