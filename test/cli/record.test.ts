import { expect, test } from 'vitest';
import { aFile, anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

async function record(...args: string[]) {
  const { stdout } = await runInProcess(['fetch', '--json', ...args]);
  return JSON.parse(stdout);
}

test('--record headers adds the headers of the last response to the record', async () => {
  const origin = await anOrigin();
  const url = `${origin.url}/redirect/1`;
  expect(await record(url)).not.toHaveProperty('headers');
  expect(await record('--record', 'headers', url)).toMatchObject({
    finalUrl: `${origin.url}/ok`,
    headers: { 'content-length': '3' },
  });
});

test('the record has the URL as it was read, where it is not the URL that is fetched', async () => {
  const origin = await anOrigin();
  const upper = origin.url.replace('http:', 'HTTP:');
  const list = await aFile([
    `${upper}/ok`,
    `${origin.url}/ok`,
    JSON.stringify({ url: `${upper}/ok` }),
    `${upper.replace('//', '//me:secret@')}/ok`,
  ]);
  const { stdout } = await runInProcess(['fetch', '--json', '--ordered', list]);
  const records = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const inputs = [`${upper}/ok`, undefined, `${upper}/ok`, `${upper.replace('//', '//***@')}/ok`];
  expect(records.map(({ input }) => input)).toEqual(inputs);
  expect(stdout).not.toContain('secret');
});

test('--record with a key that does not exist is wrong usage', async () => {
  const { code, stderr } = await runInProcess([
    'fetch',
    '--record',
    'headers,cookies',
    'http://127.0.0.1:9/',
  ]);
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining('for --record: must be a list of headers, address, tls, title, input, with'),
  ]);
});

test('totalMs spans all attempts, and durationMs the last one', async () => {
  const origin = await anOrigin();
  const { attempts, durationMs, totalMs } = await record(`${origin.url}/flaky/a/1`);
  expect(attempts).toBe(2);
  expect(totalMs).toBeGreaterThan(durationMs + 1); // the first attempt, and the backoff
  const once = await record(`${origin.url}/ok`);
  expect(once.totalMs).toBe(once.durationMs);
});

test('--template writes a line of its own, and not with --json', async () => {
  const origin = await anOrigin();
  const args = ['fetch', '--template', '{status} {url} {attempts}', `${origin.url}/ok`];
  const { code, stdout } = await runInProcess(args);
  expect([code, stdout]).toEqual([0, `200 ${origin.url}/ok 1\n`]);
  expect((await runInProcess([...args, '-q'])).stdout).toBe('');
  for (const other of [['--json'], ['--format', 'csv']]) {
    const refused = await runInProcess([...args, ...other]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--template')]);
  }
});

test('--only-failures filters records and lines, -q only lines', async () => {
  const origin = await anOrigin();
  const urls = [`${origin.url}/ok`, `${origin.url}/status/404`];
  const count = async (...flags: string[]) =>
    (await runInProcess(['fetch', ...flags, ...urls])).stdout.match(/\/(ok|status)/g);
  for (const format of [['--json'], ['--format', 'csv']]) {
    expect(await count(...format, '-q')).toHaveLength(2);
    expect(await count(...format, '--only-failures')).toEqual(['/status']);
  }
  expect(await count('-q')).toEqual(['/status']);
  expect(await count('--only-failures')).toEqual(['/status']);
});
