import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { watch } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s', (signal, exitCode) => {
  it(`finishes the requests in flight, counts the rest as not fetched, and ends with ${exitCode}`, async () => {
    const origin = await anOrigin();
    const list = await aFile(urls(origin, '/gate/a', 5000));
    const run = startCli(['fetch', '-c', '3', list]);
    await origin.waiting('a', 3);
    run.child.kill(signal);
    await run.stderr.sees(': finishing 3 requests (10s at most); ');
    origin.open('a');
    const { code, stdout, stderr } = await run.done;
    expect([code, origin.requests, stdout.match(/^OK {4}200 /gm)?.length]).toEqual([exitCode, 3, 3]);
    expect(stderr).toContain('Done: 3 succeeded, 0 failed, 4997 not fetched\n');
  });

  it('ends a run that waits for an endless standard input', async () => {
    const origin = await anOrigin();
    const run = startCli(['fetch'], { stdin: 'open' });
    run.child.stdin?.write(`${origin.url}/ok\n`);
    await run.stdout.sees('/ok');
    run.child.kill(signal);
    expect(await run.done).toMatchObject({
      code: exitCode,
      stderr: expect.stringContaining('Done: 1 succeeded'),
    });
  });

  it('a second time aborts the requests in flight at once, and writes results and a summary', async () => {
    const origin = await anOrigin();
    const run = startCli(['fetch', '-c', '2', ...urls(origin, '/hang', 3)]);
    await origin.waiting('hang', 2);
    run.child.kill(signal);
    await run.stderr.sees('to quit now');
    run.child.kill(signal);
    const { code, stdout, stderr } = await run.done;
    expect([code, stdout]).toEqual([exitCode, '']);
    expect(stderr).toMatch(/\nDone: 0 succeeded, 0 failed, 3 not fetched\n/);
    await origin.abandoned('hang', 2);
  });
});

test('SIGINT does not wait for a URL that waits for its retry', async () => {
  const origin = await anOrigin();
  const run = startCli([
    'fetch',
    '-c',
    '2',
    `${origin.url}/flaky/a/9?retry-after=50`,
    `${origin.url}/gate/a`,
  ]);
  await origin.received(2);
  await origin.waiting('a');
  run.child.kill('SIGINT');
  await run.stderr.sees('finishing');
  origin.open('a');
  const { code, stderr } = await run.done;
  expect([code, stderr]).toEqual([
    130,
    expect.stringMatching(/Done: 1 succeeded, (1 failed|0 failed, 1 not fetched)\n/),
  ]);
});

test('a second signal ends a program whose results nobody reads', async () => {
  const origin = await anOrigin();
  const id = 'long'.repeat(1000);
  const list = await aFile(urls(origin, '/ok', 3000).map((url) => JSON.stringify({ url, id })));
  const run = startCli(['fetch', '--json', '--queue-size', '16', '-c', '4', list]);
  run.child.stdout?.pause();
  await origin.received(20);
  // A second run gives the first one time to continue, if it wrongly could.
  const other = await anOrigin();
  await runInProcess(['fetch', '-q', '-c', '4', await aFile(urls(other, '/ok', 3000))]);
  expect(origin.requests).toBeLessThan(1000);
  run.child.kill('SIGINT');
  await run.stderr.sees('interrupted');
  run.child.kill('SIGINT');
  await run.stderr.sees('\nDone: ');
  const code = await new Promise((resolve) => run.child.once('exit', resolve));
  run.child.stdout?.resume();
  expect(code).toBe(130);
});

// Opening a pipe that nobody reads never ends.
test.skipIf(process.platform === 'win32').each(['SIGINT', 'SIGTERM'] as const)(
  '%s while outputs are opened leaves no new file behind, and ends the process',
  async (signal) => {
    const directory = await tempDir();
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    const args = [
      '--baseline',
      'known.jsonl',
      '--update-baseline',
      '-o',
      'results.jsonl',
      '--failed',
      'pipe',
    ];
    const seen = new AbortController();
    const created = (async () => {
      for await (const { filename } of watch(directory, { signal: seen.signal })) {
        if (filename === 'results.jsonl') return;
      }
    })();
    const run = startCli(['fetch', ...args, 'http://127.0.0.1:9/'], { cwd: directory });
    await created;
    run.child.kill(signal);
    expect((await run.done).signal).toBe(signal);
    expect(readdirSync(directory)).toEqual(['pipe']);
  },
);
