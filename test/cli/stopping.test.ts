import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess, startInProcess } from './run-in-process.ts';

describe('--fail-fast', () => {
  it.each([
    ['', []],
    [' with --ordered', ['--ordered']],
    [' with --unique', ['--unique']],
  ])('finishes the requests in flight and counts the rest, also unread lines%s', async (_, flags) => {
    const origin = await anOrigin();
    const list = await aFile([
      `${origin.url}/gate/bad?status=404`,
      ...urls(origin, '/gate/a', 2),
      ...urls(origin, '/ok', 100_000),
    ]);
    const run = startInProcess(['fetch', '-c', '3', '--fail-fast', ...flags, list]);
    await origin.waiting('a', 2);
    await origin.waiting('bad');
    origin.open('bad');
    await run.stdout.sees('FAIL');
    origin.open('a');
    const { code, stdout, stderr } = await run.done;
    expect([code, origin.requests, stdout.match(/^(OK|FAIL)/gm)?.sort()]).toEqual([
      1,
      3,
      ['FAIL', 'OK', 'OK'],
    ]);
    expect(stderr).toContain('Done: 2 succeeded, 1 failed, 100000 not fetched\n');
  });

  it('counts the lines of several files', async () => {
    const origin = await anOrigin();
    const first = await aFile([`${origin.url}/status/404`]);
    const second = await aFile(urls(origin, '/ok', 70), 'second.txt');
    const run = startInProcess(['fetch', '-c', '1', '--fail-fast', first, second, `${origin.url}/ok`]);
    const { code, stderr } = await run.done;
    expect([code, origin.requests, stderr.includes('0 succeeded, 1 failed, 71 not fetched')]).toEqual([
      1,
      1,
      true,
    ]);
  });
});

describe('--max-failures N', () => {
  it('stops at the Nth failure', async () => {
    const origin = await anOrigin();
    const list = await aFile(urls(origin, '/status/404', 500));
    const { code, stdout, stderr } = await runInProcess(['fetch', '-c', '1', '--max-failures', '3', list]);
    expect([code, stdout.match(/^FAIL/gm)?.length, origin.requests]).toEqual([1, 3, 3]);
    expect(stderr).toContain('Done: 0 succeeded, 3 failed, 497 not fetched\n');
  });

  it('does not stop below it', async () => {
    const origin = await anOrigin();
    const list = [...urls(origin, '/status/404', 2), ...urls(origin, '/ok', 50)];
    const { code, stderr } = await runInProcess(['fetch', '--max-failures', '3', await aFile(list)]);
    expect([code, stderr.includes('Done: 50 succeeded, 2 failed\n')]).toEqual([1, true]);
  });
});

describe('--ordered', () => {
  it('writes results in the order of the input, whatever finishes first', async () => {
    const origin = await anOrigin();
    const list = ['/gate/a?0', '/ok?1', '/gate/b?status=404&n=2', '/ok?3'].map((path) => origin.url + path);
    const run = startInProcess(['fetch', '--ordered', ...list]);
    await origin.waiting('a');
    await origin.waiting('b');
    await origin.received(4);
    expect(run.stdout.text).toBe('');
    origin.open('b');
    origin.open('a');
    const { code, stdout } = await run.done;
    expect([
      code,
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/ +/)[2]),
    ]).toEqual([1, list]);
  });

  it('holds the workers back when the first URL is slow', async () => {
    const origin = await anOrigin();
    const list = await aFile([`${origin.url}/gate/a`, ...urls(origin, '/ok', 2000)]);
    const run = startInProcess(['fetch', '--ordered', '-c', '4', '--queue-size', '16', list]);
    await origin.waiting('a');
    await origin.received(17); // the window is the queue and the workers: 20
    const other = await anOrigin();
    await runInProcess(['fetch', '-q', await aFile(urls(other, '/ok', 2000))]);
    expect(origin.requests).toBeLessThanOrEqual(20);
    origin.open('a');
    const { code, stdout } = await run.done;
    expect([code, stdout.match(/^OK/gm)?.length]).toEqual([0, 2001]);
  });

  it('stops at a first line that fails', async () => {
    const origin = await anOrigin();
    const list = await aFile([`${origin.url}/status/404`, ...urls(origin, '/ok', 5000)]);
    const { code, stdout } = await runInProcess(['fetch', '--ordered', '--fail-fast', '-c', '2', list]);
    expect([code, stdout.slice(0, 9)]).toEqual([1, 'FAIL  404']);
  });
});
