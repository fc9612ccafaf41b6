import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { COMPLETE_KEY, END_KEY } from '../../src/cluster/run-state.ts';
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
    const collect = startInProcess(['cluster', 'collect', ...on, '--manifest', store, '-q']);
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

  it('sends the chunks that have no commit when no collector runs', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = urls(origin, '/ok', 50);
    const on = ['--broker', broker.url, '--run', 'r'];
    const feed = ['cluster', 'feed', await aFile(list), ...on, '--chunk', '5'];
    expect((await runInProcess(feed)).code).toBe(0);
    const first = startInProcess(['cluster', 'work', ...on]);
    await statusWhen(on, ({ state }) => state === 'fetched');
    first.kill('SIGTERM');
    await first.done;
    const engine = await openRun({ address: broker.address, run: 'r', warn: () => {}, note: () => {} });
    onTestFinished(() => engine.close());
    for await (const { chunk, sequence } of engine.log.committed())
      if (chunk === 3 || chunk === 9) await engine.log.remove(sequence);
    expect(await statusOf(on)).toMatchObject({ state: 'short', done: 8, oldest: 3 });
    expect((await runInProcess([...feed, '--reconcile'])).code).toBe(0);
    const work = startInProcess(['cluster', 'work', ...on]);
    const out = join(cwd, 'out.jsonl');
    expect((await runInProcess(['cluster', 'collect', ...on, '--json', '-o', out])).code).toBe(0);
    expect((await work.done).code).toBe(0);
    expect([await urlsInFile(out), origin.requests]).toEqual([list.toSorted(), 60]);
  });

  it('lets a feeder end that waits for room in the queue of a run that is complete', async () => {
    const broker = await aNatsServer();
    const file = await aFile(Array.from({ length: 50 }, (_, index) => `http://127.0.0.1:1/${index}`));
    const on = ['--broker', broker.url, '--run', 'crowded'];
    const waiting = startInProcess(['cluster', 'feed', file, ...on, '--chunk', '10', '--max-queued', '2']);
    await statusWhen(on, ({ queued }) => queued === 2);
    expect(await statusWhen(on, ({ expectedUrls }) => expectedUrls === 50)).toMatchObject({
      state: 'feeding',
    });
    const status = await runInProcess(['cluster', 'status', ...on]);
    expect(status.stdout).toContain('chunks so far of a list of 50 URLs\n');
    const address = { servers: [`127.0.0.1:${broker.port}`], isSecure: false };
    const engine = await openRun({ address, run: 'crowded', warn: () => {}, note: () => {} });
    onTestFinished(() => engine.close());
    // As a collector and a second feeder would.
    await engine.setState(END_KEY, { chunks: 5, read: 50, skipped: 0, jobs: 50, sha256: '' });
    await engine.setState(COMPLETE_KEY, true);
    expect((await waiting.done).code).toBe(0);
  });
});

it.each(['1', '64'])(
  'a worker ends with its run (--partitions %s), although the queue has a chunk',
  {
    timeout: 60_000,
  },
  async (partitions) => {
    const broker = await aNatsServer();
    const on = ['--broker', broker.url, '--run', 'held'];
    const feed = ['cluster', 'feed', await aFile(['http://127.0.0.1:1/']), ...on, '--ack-wait', '10m'];
    expect((await runInProcess([...feed, '--partitions', partitions])).code).toBe(0);
    const engine = await openRun({ address: broker.address, run: 'held', warn: () => {}, note: () => {} });
    onTestFinished(() => engine.close());
    const { signal } = new AbortController();
    const [partition = 0] = [...(await engine.queue.chunks(signal)).keys()];
    // Another worker has the chunk, and does not send it back.
    expect(await engine.queue.next(partition, signal)).toMatchObject({ id: 0 });
    await engine.setState(COMPLETE_KEY, true);
    expect((await runInProcess(['cluster', 'work', ...on])).code).toBe(0);
  },
);
