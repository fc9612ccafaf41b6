import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
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
    // The rate is not handed on with the partition, so each chunk may begin at once.
    const leastMs = (1000 * chunks * (size - 1)) / perSecond;
    expect(Number(await last) - Number(await first)).toBeGreaterThan(0.9 * leastMs);
  });
});
