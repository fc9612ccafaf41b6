import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess } from '../cli/run-in-process.ts';
import { runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { urlsInFile } from './urls-in.ts';

const COMMANDS = ['feed', 'work', 'collect', 'status', 'dead', 'purge'];

/** Flags for a configuration file with this content. */
async function configFlags(config: unknown): Promise<readonly string[]> {
  return ['--config', await aFile([JSON.stringify(config)], 'config.json')];
}

async function printed(command: string, flags: readonly string[], env = {}) {
  const { code, stdout, stderr } = await runInProcess(['cluster', command, '--print-config', ...flags], {
    env,
  });
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

describe('the configuration of several machines', { timeout: 60_000 }, () => {
  it('is one file, of which each command takes what it knows', async () => {
    const on = { broker: 'nats://me:s3cret@queue', run: 'may' };
    const file = await configFlags({ ...on, chunk: 7, perHost: 3, summary: 'json', deadline: '5s' });
    const shown = { broker: 'nats://***@queue:4222', run: 'may' };
    const feed = await printed('feed', file);
    expect(feed).toMatchObject({ ...shown, chunk: 7, unique: false, allowEmpty: false });
    const work = await printed('work', file);
    expect(work).toMatchObject({ ...shown, perHost: 3, concurrency: 32 });
    const collect = await printed('collect', file);
    expect(collect).toMatchObject({ ...shown, summary: 'json', format: 'text' });
    for (const other of ['perHost', 'summary']) expect(feed).not.toHaveProperty(other);
    for (const other of ['chunk', 'summary']) expect(work).not.toHaveProperty(other);
    for (const other of ['chunk', 'perHost']) expect(collect).not.toHaveProperty(other);
    for (const command of ['status', 'dead', 'purge'])
      expect(await printed(command, file)).toEqual({ ...shown, wait: '30s', log: 'text' });
  });

  it('holds flags above the environment above the file', async () => {
    const cwd = await tempDir();
    const config = { run: 'file', concurrency: 3, retries: 7, broker: 'nats://file' };
    await writeFile(join(cwd, 'fanout.config.json'), JSON.stringify(config));
    await writeFile(join(cwd, 'other.json'), '{"run": "other", "broker": "nats://h"}');
    const env = { FANOUT_RUN: 'variable', FANOUT_CONCURRENCY: '4' };
    const work = await runCli(['cluster', 'work', '--print-config', '--run', 'flag'], { cwd, env });
    expect(JSON.parse(work.stdout)).toMatchObject({ run: 'flag', concurrency: 4, retries: 7 });
    const status = await runCli(['cluster', 'status', '--print-config', '--config', 'other.json'], { cwd });
    expect(JSON.parse(status.stdout)).toMatchObject({ run: 'other' });
    for (const { code, stderr } of [work, status]) expect([code, stderr]).toEqual([0, '']);
  });

  it.each(COMMANDS)('has no keys or variables for %s that no command knows', async (command) => {
    const file = await runInProcess(['cluster', command, ...(await configFlags({ concurency: 3 }))]);
    expect([file.code, file.stderr]).toEqual([2, expect.stringContaining('did you mean "concurrency"?')]);
    const variable = await runInProcess(['cluster', command], { env: { FANOUT_CONCURENCY: '3' } });
    expect([variable.code, variable.stderr]).toEqual([
      2,
      expect.stringContaining('did you mean FANOUT_CONCURRENCY?'),
    ]);
    const action = await runInProcess(['cluster', command, ...(await configFlags({ printConfig: true }))]);
    expect([action.code, action.stderr]).toEqual([2, expect.stringContaining('command line only')]);
  });

  it('asks no machine for the secrets of another one, and checks what it takes', async () => {
    const on = { run: 'r', broker: 'nats://$USER_AND_PASSWORD@h' };
    const file = await configFlags({ ...on, header: ['Authorization: $TOKEN'], lanes: 0 });
    const env = { USER_AND_PASSWORD: 'me:s3cret' };
    expect(await printed('collect', file, env)).toMatchObject({ broker: 'nats://***@h:4222' });
    const work = await runInProcess(['cluster', 'work', '--print-config', ...file], {
      env: { ...env, TOKEN: 't' },
    });
    expect([work.code, work.stderr]).toEqual([2, expect.stringContaining('invalid value 0 for "lanes"')]);
    const incomplete = await runInProcess(['cluster', 'work', ...(await configFlags({ run: 'r' }))]);
    expect([incomplete.code, incomplete.stderr]).toEqual([2, expect.stringContaining('--broker is missing')]);
  });

  it('is enough for a whole run, and its output is only that of collect', async () => {
    const [broker, origin] = [await aNatsServer(), await anOrigin()];
    const list = urls(origin, '/ok', 40);
    const on = { broker: broker.url, run: 'r', chunk: 10, output: 'all.jsonl', json: true, userAgent: 'me' };
    const cwd = await tempDir();
    await writeFile(join(cwd, 'fanout.config.json'), JSON.stringify(on));
    expect((await runCli(['cluster', 'feed', await aFile(list)], { cwd })).stderr).toContain(
      '40 URLs in 4 chunks',
    );
    const work = startCli(['cluster', 'work'], { cwd });
    expect((await runCli(['cluster', 'collect'], { cwd })).code).toBe(0);
    expect((await work.done).code).toBe(0);
    const file = ['--config', join(cwd, 'fanout.config.json')];
    expect(await runInProcess(['cluster', 'dead', 'list', ...file])).toMatchObject({ code: 0, stdout: '' });
    expect((await runInProcess(['cluster', 'status', ...file])).stdout).toContain(': complete');
    expect(await urlsInFile(join(cwd, 'all.jsonl'))).toEqual(list.toSorted());
    expect(origin.log[0]?.headers['user-agent']).toBe('me');
    expect((await runInProcess(['cluster', 'purge', ...file])).code).toBe(0);
    expect(await readFile(join(cwd, 'all.jsonl'), 'utf8')).not.toBe('');
  });
});
