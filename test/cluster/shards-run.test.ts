import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { runCli, startCli } from '../origin/run-cli.ts';
import { runOnSmallDisk } from '../origin/small-disk.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { statusOf, statusWhen } from './status-of.ts';
import { urlsIn, urlsInFile, workersIn } from './urls-in.ts';

const SLOW = { killAfterMs: 60_000 };

/** A run that was fed with this list, and a directory for everything. */
async function aRun(list: readonly string[], chunk = 50, ...settings: string[]) {
  const [broker, cwd] = [await aNatsServer(), await tempDir()];
  const on = ['--broker', broker.url, '--run', 'r'];
  const feed = ['cluster', 'feed', await aFile(list), ...on, '--chunk', String(chunk), ...settings];
  const store = join(cwd, 'store.jsonl');
  const command = (name: string, ...args: string[]) => [
    ...['cluster', name, ...args, ...on],
    ...(name === 'collect' && !args.includes('--manifest') ? ['--manifest', store] : []),
  ];
  const fanout = (name: string, ...args: string[]) => runInProcess(command(name, ...args));
  const start = (name: string, ...args: string[]) => startInProcess(command(name, ...args));
  expect((await runInProcess(feed)).code).toBe(0);
  return { cwd, sh: ['--store', join(cwd, 'sh')], on, command, fanout, start, store, feed };
}

/** The files and sockets that this process has open. */
async function openFiles(): Promise<readonly string[]> {
  const directory = '/proc/self/fd';
  const links = (await readdir(directory)).map((name) => readlink(join(directory, name)).catch(() => ''));
  return Promise.all(links);
}

/** The kinds of lines in a store. */
async function kindsIn(path: string): Promise<ReadonlySet<string>> {
  const lines = (await readFile(path, 'utf8')).trim().split('\n');
  return new Set(lines.map((line) => (JSON.parse(line).shard === undefined ? 'record' : 'segment')));
}

describe('work --store', { timeout: 90_000 }, () => {
  it('writes results into files that the collector reads, next to workers that use the log', async () => {
    const origin = await anOrigin();
    const list = [...urls(origin, '/ok', 1500), `${origin.url}/status/404`];
    const { cwd, sh, fanout, start, store } = await aRun(list);
    const collect = start('collect', ...sh, '--json', '--ordered', '--summary', 'json');
    const first = start('work', ...sh, '--host-rate', '1000/s', '-c', '4');
    await origin.received(400);
    first.kill('SIGTERM');
    expect((await first.done).code).toBe(143);
    expect((await fanout('work', '--host-rate', '1000/s')).code).toBe(0);
    const { code, stdout, stderr } = await collect.done;
    expect([code, JSON.parse(stderr)]).toMatchObject([1, { read: 1501, ok: 1500, failed: 1 }]);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).url),
    ).toEqual(list);
    expect(new Set(workersIn(stdout)).size).toBe(2);
    expect(await kindsIn(store)).toEqual(new Set(['record', 'segment']));
    const report = await runInProcess(['report', store, ...sh, '--format', 'jsonl']);
    expect(report.code).toBe(0);
    expect(report.stdout.split('\n').toSorted()).toEqual(stdout.split('\n').toSorted());
    const output = join(cwd, 'again.jsonl');
    const again = await fanout('collect', ...sh, '--json', '--silent', '-o', output);
    expect([again.code, await urlsInFile(output)]).toEqual([1, list.toSorted()]);
  });

  it('is only counted by a collector without --store, which warns once', async () => {
    const origin = await anOrigin();
    const list = [...urls(origin, '/ok', 200), ...urls(origin, '/status/404', 3)];
    const { cwd, sh, on, fanout, start, store } = await aRun(list);
    const address = { servers: [new URL(on[1] ?? '').host], isSecure: false };
    const engine = await openRun({ address, run: 'r', warn: () => {}, note: () => {} });
    const place = { index: 1, source: 's', line: 2 };
    await engine.addDeadLetter({
      index: 1,
      job: { ...place, request: { url: list[1] } },
      reason: 'three died',
    });
    await engine.close();
    const work = start('work', ...sh);
    const { code, stdout, stderr } = await fanout('collect', '--json');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr.split('use --store DIR to write them')).toHaveLength(2);
    expect(stderr).toContain('Done: 200 succeeded, 3 failed');
    expect((await work.done).code).toBe(0);
    // One of the failures, which this collector has not read, may be that of this URL.
    expect((await fanout('dead', 'list')).stdout).toContain('three died');
    expect(await kindsIn(store)).toEqual(new Set(['segment']));
    const again = await fanout('collect', '--summary', 'json');
    expect(JSON.parse(/^\{.*/m.exec(again.stderr)?.[0] ?? '')).toMatchObject({ ok: 200, failed: 3 });
    expect(await statusOf(on)).toMatchObject({ state: 'complete', ok: 200, failed: 3 });
    const read = await fanout('collect', '--json', ...sh);
    expect([read.code, urlsIn(read.stdout)]).toEqual([1, list.toSorted()]);
    await rm(join(cwd, 'sh'), { recursive: true });
    const lost = await fanout('collect', '--json', ...sh);
    expect([lost.code, lost.stderr]).toEqual([
      3,
      expect.stringContaining('cannot read the results of chunk'),
    ]);
    expect(await openFiles()).not.toContain(await realpath(cwd));
  });

  it('makes the run short if a file is lost, and feed --reconcile sends its chunks again', async () => {
    const origin = await anOrigin();
    const list = urls(origin, '/ok', 400);
    const { cwd, sh, on, command, fanout, start, feed } = await aRun(list, 50, '--ack-wait', '5s');
    const first = startCli(command('work', ...sh), SLOW);
    await statusWhen(on, ({ done, underWay }) => done >= 8 && underWay === 0);
    first.child.kill('SIGKILL');
    await first.done;
    for (const name of await readdir(join(cwd, 'sh'))) await rm(join(cwd, 'sh', name));
    const nothing = await fanout('collect', ...sh);
    expect([nothing.code, nothing.stderr]).toEqual([
      3,
      expect.stringMatching(/there are no shards in "\S+sh"/),
    ]);
    expect(await statusOf(on)).toMatchObject({ done: 8, state: 'fetched' });
    const second = start('work', ...sh);
    const output = join(cwd, 'out.jsonl');
    const collect = start('collect', ...sh, '--json', '--silent', '-o', output);
    await statusWhen(on, ({ state }) => state === 'short');
    expect((await runInProcess([...feed, '--reconcile'])).code).toBe(0);
    expect((await collect.done).code).toBe(0);
    expect((await second.done).code).toBe(0);
    expect(await urlsInFile(output)).toEqual(list.toSorted());
  });

  it('ends with 3 if the disk is full, and others get its chunks', async () => {
    const origin = await anOrigin();
    const list = urls(origin, '/ok', 2000);
    // Chunks that are not given back would be delivered too late for this test.
    const { cwd, sh, on, start } = await aRun(list, 500, '--ack-wait', '10m');
    const output = join(cwd, 'out.jsonl');
    const collect = start('collect', '--json', '--silent', '-o', output, ...sh);
    const work = ['cluster', 'work', '-c', '8', ...on];
    const disk = await tempDir();
    const full = await runOnSmallDisk(disk, [...work, '--store', disk], { ...SLOW, kilobytes: 4 });
    expect([full.code, full.stderr]).toEqual([3, expect.stringContaining('no space left on device')]);
    const second = start('work', ...sh);
    expect([(await collect.done).code, (await second.done).code]).toEqual([0, 0]);
    expect(await urlsInFile(output)).toEqual(list.toSorted());
  });

  it('allows bodies in records, which do not go through the broker', async () => {
    const origin = await anOrigin();
    const { sh, fanout, start } = await aRun([`${origin.url}/bytes/300000`]);
    const refused = await fanout('work', '--inline-body', '1mb');
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('--inline-body needs --store DIR'),
    ]);
    const work = start('work', '--inline-body', '1mb', ...sh);
    const { code, stdout } = await fanout('collect', '--json', ...sh);
    const { text, base64 } = JSON.parse(stdout).body;
    expect([code, (text ?? base64).length >= 300_000]).toEqual([0, true]);
    expect((await work.done).code).toBe(0);
  });

  it('is also a flag of cluster fetch, which writes a manifest too', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = urls(origin, '/ok', 300);
    const fetch = ['cluster', 'fetch', await aFile(list), '--broker', broker.url, '--chunk', '100', '--json'];
    const fetched = await runCli([...fetch, '--store', '.', '--inline-body', '--manifest', 'm.jsonl'], {
      ...SLOW,
      cwd,
    });
    expect([fetched.code, urlsIn(fetched.stdout)]).toEqual([0, list.toSorted()]);
    const { code, stdout } = await runInProcess(['report', join(cwd, 'm.jsonl'), '--format', 'jsonl']);
    expect([code, urlsIn(stdout)]).toEqual([0, list.toSorted()]);
    const refused = await runInProcess([...fetch, '--inline-body']);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('--inline-body needs --store DIR'),
    ]);
  });
});
