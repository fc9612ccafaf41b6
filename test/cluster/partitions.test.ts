import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { partitionOf } from '../../src/cluster/chunk.ts';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { statusWhen } from './status-of.ts';
import { urlsInFile } from './urls-in.ts';

describe('--partitions', { timeout: 90_000 }, () => {
  it('makes --per-host hold over all workers', async () => {
    const [broker, cwd] = [await aNatsServer(), await tempDir()];
    const origins = [await anOrigin(), await anOrigin()];
    const list = origins.flatMap((origin) => urls(origin, '/ok', 300));
    const on = ['--broker', broker.url, '--run', 'polite'];
    const feed = ['cluster', 'feed', await aFile(list), ...on, '--chunk', '10', '--partitions', '4'];
    expect((await runInProcess(feed)).code).toBe(0);
    const workers = [1, 2, 3].map(() => startInProcess(['cluster', 'work', ...on, '--per-host', '2']));
    const store = join(cwd, 'store.jsonl');
    expect((await runInProcess(['cluster', 'collect', ...on, '--manifest', store, '-q'])).code).toBe(0);
    for (const worker of workers) expect((await worker.done).code).toBe(0);
    expect(await urlsInFile(store)).toEqual(list.toSorted());
    for (const origin of origins) expect(origin.maxInFlight).toBeLessThanOrEqual(2);
  });

  it('makes --per-host and --host-rate hold for one host at which 4 workers are', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const [chunks, size, perSecond] = [6, 20, 100];
    const list = urls(origin, '/slow/5', chunks * size);
    const on = ['--broker', broker.url, '--run', 'one-host'];
    const feed = ['cluster', 'feed', await aFile(list), ...on, '--chunk', String(size), '--partitions', '2'];
    expect((await runInProcess(feed)).code).toBe(0);
    const [first, last] = [1, list.length].map((count) =>
      origin.received(count).then(() => performance.now()),
    );
    const work = ['cluster', 'work', ...on, '--per-host', '2', '--host-rate', `${perSecond}/s`];
    const workers = [1, 2, 3, 4].map(() => startInProcess(work));
    const store = join(cwd, 'store.jsonl');
    expect((await runInProcess(['cluster', 'collect', ...on, '--manifest', store, '-q'])).code).toBe(0);
    for (const worker of workers) expect((await worker.done).code).toBe(0);
    expect(await urlsInFile(store)).toEqual(list.toSorted());
    expect(origin.maxInFlight).toBeLessThanOrEqual(2);
    const leastMs = (1000 * (chunks * size - 1)) / perSecond;
    expect(Number(await last) - Number(await first)).toBeGreaterThan(0.95 * leastMs);
  });

  it('has many short chunks in hand, so that few hosts do not get all its requests', async () => {
    const [broker, origin] = [await aNatsServer(), await anOrigin()];
    const list = Array.from({ length: 40 }, (_, index) => `http://host${index}.test/hang`);
    const on = ['--broker', broker.url, '--run', 'short'];
    expect((await runInProcess(['cluster', 'feed', await aFile(list), ...on])).code).toBe(0);
    const { host } = new URL(origin.url);
    const work = ['cluster', 'work', ...on, '--connect-to', `::${host}`, '-c', '2', '--lanes', '1'];
    const worker = startCli(work, { killAfterMs: 60_000 });
    await statusWhen(on, ({ underWay }) => underWay >= 10);
    worker.child.kill('SIGKILL');
    await worker.done;
    expect(origin.maxInFlight).toBe(2);
  });

  it('divides --rate between the workers', async () => {
    const broker = await aNatsServer();
    const origins = [await anOrigin(), await anOrigin(), await anOrigin()];
    const list = origins.flatMap((origin) => urls(origin, '/ok', 40));
    const on = ['--broker', broker.url, '--run', 'rate'];
    expect((await runInProcess(['cluster', 'feed', await aFile(list), ...on, '--chunk', '10'])).code).toBe(0);
    const first = Promise.race(origins.map((origin) => origin.received(1))).then(() => performance.now());
    const workers = [1, 2, 3].map(() => startInProcess(['cluster', 'work', ...on, '--rate', '30/s']));
    expect((await runInProcess(['cluster', 'collect', ...on, '-q'])).code).toBe(0);
    // Each worker begins with the whole rate, until it knows the others.
    expect(performance.now() - (await first)).toBeGreaterThan((0.8 * 1000 * list.length) / 30);
    for (const worker of workers) expect((await worker.done).code).toBe(0);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'keeps the pause that a host asked for when its worker ends with %s',
    async (signal) => {
      const [broker, origin, run] = [await aNatsServer(), await anOrigin(), 'heir'];
      const pauseMs = 9000;
      const pushBack = `${origin.url}/flaky/x/1?status=429&retry-after=${pauseMs / 1000}`;
      const list = await aFile([pushBack, ...urls(origin, '/ok', 20)]);
      const on = ['--broker', broker.url, '--run', run];
      expect((await runInProcess(['cluster', 'feed', list, ...on, '--ack-wait', '2s'])).code).toBe(0);
      const engine = await openRun({ address: broker.address, run, warn: () => {}, note: () => {} });
      onTestFinished(() => engine.close());
      const [first, second] = [1, 2].map((count) => origin.received(count).then(() => performance.now()));
      const work = ['cluster', 'work', ...on, '--per-host', '1', '--drain-timeout', '0'];
      const { child } = startCli(work, { killAfterMs: 60_000 });
      const { host } = new URL(origin.url);
      const isKnown = async () => JSON.stringify(await engine.leases.get(`hosts.${partitionOf(host, 64)}`));
      await vi.waitUntil(isKnown, { timeout: 30_000 });
      child.kill(signal);
      const heir = startInProcess(work);
      expect((await runInProcess(['cluster', 'collect', ...on, '-q'])).code).toBe(0);
      expect((await heir.done).code).toBe(0);
      expect(Number(await second) - Number(await first)).toBeGreaterThan(0.9 * pauseMs);
    },
  );
});
