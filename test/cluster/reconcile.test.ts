import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { statusOf, statusWhen } from './status-of.ts';
import { urlsInFile } from './urls-in.ts';

describe('feed --reconcile', { timeout: 90_000 }, () => {
  it('completes a run whose broker has lost everything', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = urls(origin, '/ok', 1000);
    const on = ['--broker', broker.url, '--run', 'lost'];
    const feed = ['cluster', 'feed', await aFile(list), ...on, '--chunk', '25', '--ack-wait', '1s'];
    expect((await runInProcess(feed)).code).toBe(0);
    const store = join(cwd, 'store.jsonl');
    const collect = startInProcess(['cluster', 'collect', ...on, '--store', store, '-q']);
    const work = startInProcess(['cluster', 'work', ...on, '-c', '2', '--host-rate', '500/s']);
    await origin.received(450);
    await broker.lose();
    await broker.start();
    await statusWhen(on, ({ state }) => state === 'short');
    const plain = await runInProcess(feed.slice(0, -4).concat('--chunk', '26'));
    expect([plain.code, plain.stderr]).toEqual([2, expect.stringContaining('cannot change chunk')]);
    expect((await runInProcess([...feed, '--reconcile'])).code).toBe(0);
    expect((await collect.done).code).toBe(0);
    expect((await work.done).code).toBe(0);
    expect(await urlsInFile(store)).toEqual(list.toSorted());
    expect((await statusOf(on))?.state).toBe('complete');
  });

  it('needs a collector, which knows the missing chunks', async () => {
    const broker = await aNatsServer();
    const file = await aFile(['http://127.0.0.1:1/']);
    const args = ['cluster', 'feed', file, '--broker', broker.url, '--run', 'r'];
    expect((await runInProcess(args)).code).toBe(0);
    const { code, stderr } = await runInProcess([...args, '--reconcile']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('there is no collector')]);
  });
});
