import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

async function folderWith(config: unknown): Promise<string> {
  const cwd = await tempDir();
  await writeFile(join(cwd, 'fanout.config.json'), JSON.stringify(config));
  return cwd;
}

describe('--print-config', () => {
  it('shows the options in effect: flags win over the environment, which wins over the file', async () => {
    const cwd = await folderWith({ concurrency: 3, retries: 7, timeout: '7s' });
    const env = { FANOUT_RETRIES: '5', FANOUT_CONCURRENCY: '4' };
    const { code, stdout, stderr } = await runCli(['fetch', '--print-config', '-c', '5'], { cwd, env });
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({ concurrency: 5, retries: 5, timeout: '7s' });
  });

  it('needs no input and fetches nothing', async () => {
    const origin = await anOrigin();
    expect((await runInProcess(['fetch', '--print-config', `${origin.url}/ok`])).code).toBe(0);
    expect(origin.requests).toBe(0);
  });

  it('masks secrets', async () => {
    const args = ['fetch', '--print-config', '-H', 'Authorization: Bearer $TOKEN', '-d', 'pin=hunter2'];
    const { stdout } = await runInProcess(args, { env: { TOKEN: 's3cret' } });
    expect(stdout).toContain('uthorization');
    expect(stdout).not.toMatch(/s3cret|hunter2/);
  });
});

describe('--dry-run', () => {
  it('writes each job as JSONL with secrets masked, and fetches nothing', async () => {
    const origin = await anOrigin();
    const job = {
      url: `${origin.url}/b`,
      method: 'POST',
      body: 'four',
      headers: { cookie: 's3cret-b' },
      id: 'b',
    };
    const list = await aFile([`${origin.url.replace('//', '//me:s3cret-a@')}/a`, JSON.stringify(job)]);
    const { code, stdout, stderr } = await runInProcess([
      'fetch',
      '--dry-run',
      '-H',
      'Authorization: s3cret-c',
      list,
    ]);
    expect([code, stderr, origin.connections]).toEqual([0, '', 0]);
    expect(stdout).not.toMatch(/s3cret/);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { index: 0, source: list, line: 1, url: `${origin.url}/a`, method: 'GET' },
      { index: 1, source: list, line: 2, url: job.url, method: 'POST', id: 'b', bodyBytes: 4 },
    ]);
  });

  it('shows invalid lines and ends with 1', async () => {
    const { code, stdout } = await runCli(['fetch', '--dry-run'], {
      stdin: 'nonsense\nhttp://127.0.0.1:9/\n',
    });
    expect([code, JSON.parse(stdout.split('\n')[0] ?? '')]).toMatchObject([
      1,
      { url: 'nonsense', invalid: expect.stringMatching(/invalid URL/) },
    ]);
  });

  it('ends with 2 when the list is empty', async () => {
    expect(await runCli(['fetch', '--dry-run'])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('the configuration', () => {
  it('applies to the requests', async () => {
    const origin = await anOrigin();
    const cwd = await folderWith({ header: ['x-from: file'], userAgent: 'file', accept: '404' });
    const env = { FANOUT_USER_AGENT: 'environment' };
    const { code } = await runCli(['fetch', `${origin.url}/status/404`], { cwd, env });
    expect([code, origin.log[0]?.headers]).toMatchObject([
      0,
      { 'x-from': 'file', 'user-agent': 'environment' },
    ]);
    await runCli(['fetch', '-A', 'flag', `${origin.url}/status/404`], { cwd, env });
    expect(origin.log[1]?.headers['user-agent']).toBe('flag');
  });

  it('is read from the file that --config names', async () => {
    const file = await aFile([JSON.stringify({ concurrency: 9 })], 'mine.json');
    const { stdout } = await runInProcess(['fetch', '--print-config', '--config', file]);
    expect(JSON.parse(stdout)).toMatchObject({ concurrency: 9 });
  });

  it.each<[string, unknown, Record<string, string>, RegExp]>([
    ['an unknown key of the file', { concurency: 3 }, {}, /"?concurency"?.*did you mean "?concurrency"?\?/],
    ['a bad value of the file', { concurrency: 0 }, {}, /concurrency.*positive integer/],
    [
      'an unknown variable',
      {},
      { FANOUT_CONCURENCY: '3' },
      /FANOUT_CONCURENCY.*did you mean FANOUT_CONCURRENCY\?/,
    ],
    ['a bad value of a variable', {}, { FANOUT_TIMEOUT: 'soon' }, /"soon".*FANOUT_TIMEOUT/],
  ])('refuses %s', async (_, config, env, message) => {
    const file = await aFile([JSON.stringify(config)], 'fanout.config.json');
    const args = ['fetch', '--config', file, 'http://127.0.0.1:9/'];
    const { code, stdout, stderr } = await runInProcess(args, { env });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });

  it('refuses a file that is missing or not JSON', async () => {
    const cwd = await tempDir();
    await writeFile(join(cwd, 'bad.json'), '{"concurrency": 3,,}');
    for (const file of ['bad.json', 'gone.json']) {
      const args = ['fetch', '--config', join(cwd, file), 'http://127.0.0.1:9/'];
      const { code, stderr } = await runInProcess(args);
      expect([code, stderr]).toEqual([2, expect.stringContaining(file)]);
    }
  });
});
