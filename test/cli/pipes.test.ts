import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { runCli, startCli } from '../origin/run-cli.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

describe('a reader that closes the pipe after the first line', () => {
  it.each([
    ['a file', []],
    ['--ordered', ['--ordered']],
    ['--json', ['--json']],
  ])('ends the run quietly with 0: %s', async (_, flags) => {
    const origin = await anOrigin();
    const list = await aFile(urls(origin, '/ok', 20_000));
    const run = startCli(['fetch', '-c', '4', ...flags, list]);
    run.child.stdout?.once('data', () => run.child.stdout?.destroy());
    const { code, stderr } = await run.done;
    expect(stderr).not.toMatch(/EPIPE|Error|^\s+at /m);
    expect(code).toBe(0);
    expect(origin.requests).toBeLessThan(20_000);
  });

  it('ends a run whose standard input never ends', async () => {
    const origin = await anOrigin();
    const run = startCli(['fetch'], { stdin: 'open' });
    run.child.stdin?.write(`${origin.url}/ok?1\n`);
    await run.stdout.sees('/ok?1');
    run.child.stdout?.destroy();
    run.child.stdin?.write(`${origin.url}/ok?2\n${origin.url}/ok?3\n`);
    expect((await run.done).code).toBe(0);
  });

  it('ends the run with 1 if a URL has failed by then', async () => {
    const origin = await anOrigin();
    const list = await aFile([`${origin.url}/status/404`, ...urls(origin, '/ok', 20_000)]);
    const run = startCli(['fetch', '-c', '1', list]);
    run.child.stdout?.once('data', () => run.child.stdout?.destroy());
    const { code, stderr } = await run.done;
    expect([code, /Done|Error|EPIPE/.test(stderr)]).toEqual([1, false]);
    expect(origin.requests).toBeLessThan(20_000);
  });

  it('is 0 under --dry-run too', async () => {
    const list = await aFile(Array.from({ length: 50_000 }, (_, index) => `http://127.0.0.1:9/${index}`));
    const run = startCli(['fetch', '--dry-run', list]);
    run.child.stdout?.once('data', () => run.child.stdout?.destroy());
    const { code, stderr } = await run.done;
    expect([code, /Done|Error|EPIPE/.test(stderr)]).toEqual([0, false]);
  });
});

test('a reader that does not read holds the workers back, and gets every line once it reads', async () => {
  const origin = await anOrigin();
  const id = 'long'.repeat(1000);
  const list = await aFile(urls(origin, '/ok', 3000).map((url) => JSON.stringify({ url, id })));
  const run = startCli(['fetch', '--json', '--queue-size', '16', '-c', '4', list], { killAfterMs: 60_000 });
  run.child.stdout?.pause();
  await origin.received(20);
  // A second run gives the first one time to continue, if it wrongly could.
  const other = await anOrigin();
  await runInProcess(['fetch', '-q', '-c', '4', await aFile(urls(other, '/ok', 3000))]);
  expect(origin.requests).toBeLessThan(1000);
  run.child.stdout?.resume();
  const { code, stdout } = await run.done;
  const indexes = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).index);
  expect([code, new Set(indexes).size, indexes.length]).toEqual([0, 3000, 3000]);
}, 90_000);

describe('the process ends by itself', () => {
  it('while the origin keeps its connections open', async () => {
    const origin = await anOrigin();
    expect((await runCli(['fetch', '-c', '8', ...urls(origin, '/ok', 50)])).code).toBe(0);
    await origin.disconnected(origin.connections);
  });

  it('when standard input ends after its last line was fetched', async () => {
    const origin = await anOrigin();
    const run = startCli(['fetch', '-'], { stdin: 'open' });
    run.child.stdin?.write(`${origin.url}/ok\n`);
    await run.stdout.sees('OK');
    run.child.stdin?.end();
    expect((await run.done).code).toBe(0);
  });

  it('with --fail-fast while standard input stays open', async () => {
    const origin = await anOrigin();
    const run = startCli(['fetch', '--fail-fast'], { stdin: 'open' });
    run.child.stdin?.write(`${origin.url}/status/404\n`);
    expect(await run.done).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('0 succeeded, 1 failed'),
    });
  });

  it('while standard input stays open, if the only input is a URL', async () => {
    const origin = await anOrigin();
    const run = startCli(['fetch', `${origin.url}/ok`], { stdin: 'open' });
    const [code] = await once(run.child, 'exit');
    expect(code).toBe(0);
  });
});

test.each([['--help'], ['fetch', '--help'], ['fetch', '--print-config']])(
  '%s %s into a pipe that nobody reads ends quietly',
  async (...args) => {
    const { code, stderr } = await runShell(`node "$BIN" ${args.join(' ')} | true; exit "\${PIPESTATUS[0]}"`);
    expect([code, stderr]).toEqual([0, '']);
  },
);

function runShell(script: string): Promise<{ code: number | null; stderr: string }> {
  const BIN = fileURLToPath(new URL('../../bin/fanout.js', import.meta.url));
  const child = spawn('bash', ['-c', script], { env: { ...process.env, BIN }, timeout: 50_000 });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stderr })));
}
