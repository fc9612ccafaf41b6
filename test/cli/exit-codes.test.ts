import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { BIN, runCli, startCli, startProcess } from '../origin/run-cli.ts';
import { hasPty, startPty } from '../origin/run-pty.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

test('every URL is OK: 0', async () => {
  const origin = await anOrigin();
  const { code, stdout } = await runCli(['fetch'], { stdin: urls(origin, '/ok', 100).join('\n') });
  expect([code, stdout.match(/^OK /gm)?.length]).toEqual([0, 100]);
});

describe('one failure among many: 1', () => {
  it.each([
    ['first', 0],
    ['in the middle', 1000],
    ['last', 1999],
  ])('%s of 2,000', async (_, place) => {
    const origin = await anOrigin();
    const list = urls(origin, '/ok', 2000).with(place, `${origin.url}/status/404`);
    const { code, stdout, stderr } = await runInProcess(['fetch', '-c', '8'], { stdin: list.join('\n') });
    expect(stdout.match(/^FAIL .*$/gm)).toEqual([expect.stringContaining(' 404 ')]);
    expect(stderr).toContain('\nDone: 1999 succeeded, 1 failed\n');
    expect([code, origin.requests]).toEqual([1, 2000]);
  });

  it.each([
    ['first', ['/status/404', '/ok']],
    ['last', ['/ok', '/status/404']],
    ['the only one', ['/status/404']],
  ])('%s in a short list', async (_, paths) => {
    const origin = await anOrigin();
    const { code } = await runCli(['fetch', ...paths.map((path) => origin.url + path)]);
    expect(code).toBe(1);
  });

  it('after retries that all fail', async () => {
    const origin = await anOrigin();
    const { code, stdout } = await runInProcess(['fetch', '--retries', '1', `${origin.url}/status/503`]);
    expect([code, origin.hits('/status/503')]).toEqual([1, 2]);
    expect(stdout).toContain('(2 attempts)');
  });

  it('that a retry fixes does not count: 0', async () => {
    const origin = await anOrigin();
    const { code, stdout } = await runInProcess(['fetch', `${origin.url}/flaky/a/1`]);
    expect([code, origin.requests]).toEqual([0, 2]);
    expect(stdout).toMatch(/^OK {4}200 .*\(2 attempts\)\n$/);
  });

  it('that is an invalid line', async () => {
    expect(await runInProcess(['fetch'], { stdin: 'nonsense\n' })).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^FAIL {2}invalid {2}nonsense /),
    });
  });
});

describe('wrong usage: 2, with nothing on standard output', () => {
  it('an unknown flag', async () => {
    const { code, stdout, stderr } = await runCli(['fetch', '--concurency', '3']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^error: unknown option --concurency; .*--concurrency/);
    expect(stderr).not.toMatch(/^\s+at |^Done:/m);
  });

  it.each<[string, readonly string[], RegExp]>([
    ['a missing file', ['fetch', 'not-there.txt'], /: cannot read "not-there\.txt": no such file/],
    ['an empty list', ['fetch'], /^\w+: no URLs in the input \(use --allow-empty to permit this\)$/m],
    [
      'a bad value',
      ['fetch', '-c', '0', 'http://127.0.0.1/'],
      /: invalid value "0" for --concurrency: must be a positive integer$/m,
    ],
    ['a directory', ['fetch', '.'], /: cannot read "\.": it is a directory/],
    ['no command', [], /^Usage: fanout fetch /],
    [
      'a missing body file',
      ['fetch', '-d', '@not-there', 'http://127.0.0.1/'],
      /: cannot read not-there for --data: /,
    ],
    ['a missing variable', ['fetch', '-H', 'a: $NOT_THERE', 'http://127.0.0.1/'], /^error: .*NOT_THERE/],
  ])('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await runInProcess(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at |^Done:/m);
  });

  it('a missing file beside a URL: nothing is fetched', async () => {
    const origin = await anOrigin();
    const { code } = await runInProcess(['fetch', `${origin.url}/ok`, join(await tempDir(), 'gone.txt')]);
    expect([code, origin.requests]).toEqual([2, 0]);
  });

  it('a list of blank lines and comments', async () => {
    expect((await runInProcess(['fetch'], { stdin: '\n# none\n\r\n' })).code).toBe(2);
  });

  it('an empty list is not an error with --allow-empty', async () => {
    const { code, stderr } = await runInProcess(['fetch', '--allow-empty']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('Done: 0 succeeded, 0 failed')]);
  });

  it('no input at a terminal', async () => {
    expect(hasPty, '`script` of util-linux provides the terminal').toBe(true);
    const { code, stdout } = await startPty(['fetch']).done;
    expect(code).toBe(2);
    expect(stdout).toContain('no input: name a file or a URL');
  });
});

describe('an output that cannot be written: 3', () => {
  it.each(['--output', '--failed'])(
    '%s in a directory that is missing, before anything is fetched',
    async (flag) => {
      const origin = await anOrigin();
      const path = join(await tempDir(), 'none', 'out.txt');
      const { code, stderr } = await runInProcess(['fetch', flag, path, `${origin.url}/ok`]);
      expect([code, origin.requests]).toEqual([3, 0]);
      expect(stderr).toMatch(/^error: cannot write .*out\.txt/m);
    },
  );

  it('--output that is a directory', async () => {
    const path = join(await tempDir(), 'directory');
    await mkdir(path);
    expect((await runInProcess(['fetch', '-o', path, 'http://127.0.0.1:9/'])).code).toBe(3);
  });

  it.each(['--output', '--failed'])('%s on a full disk', async (flag) => {
    const origin = await anOrigin();
    const { code, stderr } = await runInProcess(['fetch', flag, '/dev/full', `${origin.url}/status/404`]);
    expect([code, stderr]).toEqual([3, expect.stringMatching(/^error: cannot write .*\/dev\/full.*space/m)]);
  });

  it('standard output on a full disk, without fetching the whole list', async () => {
    const origin = await anOrigin();
    const list = await aFile(urls(origin, '/ok', 20_000));
    const command = `exec "${process.execPath}" "${BIN}" fetch --json "${list}" > /dev/full`;
    const { code, stderr } = await startProcess('/bin/sh', ['-c', command]).done;
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(/^error: cannot write .*standard output.*space/m),
    ]);
    expect(origin.requests).toBeLessThan(20_000);
  });
});

describe('--deadline', () => {
  it('ends a run against a server that hangs: 1', async () => {
    const origin = await anOrigin();
    const list = await aFile(urls(origin, '/hang', 50));
    const { code, stdout, stderr } = await runInProcess([
      'fetch',
      '-c',
      '4',
      '--deadline',
      '500ms',
      '--json',
      list,
    ]);
    const failures = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
      .map(({ attempts, failure }) => [attempts, failure?.message]);
    expect(failures).toHaveLength(50);
    expect(failures.filter(([attempts]) => attempts === 1)).toEqual(
      Array(4).fill([1, 'cut off by the deadline of the run, 500ms']),
    );
    expect(stderr).toContain('Done: 0 succeeded, 0 failed, 50 not fetched\n');
    expect([code, origin.requests]).toEqual([1, 4]);
  });

  it('also ends a run whose standard input never gives a line', async () => {
    const run = startCli(['fetch', '--deadline', '300ms'], { stdin: 'open' });
    expect((await run.done).code).toBe(2);
  });
});

test('a checkout that is not built: 2, with what to do', async () => {
  const cwd = await tempDir();
  await mkdir(join(cwd, 'bin'));
  await copyFile(BIN, join(cwd, 'bin', 'fanout.mjs'));
  const { code, stderr } = await startProcess(process.execPath, [join(cwd, 'bin', 'fanout.mjs')]).done;
  expect([code, stderr]).toEqual([2, 'error: this checkout is not built: run "npm ci" in it\n']);
});
