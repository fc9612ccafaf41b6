import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { Role } from './role.ts';
import { endOf, statusWhen } from './status-of.ts';
import { urlsInFile } from './urls-in.ts';

const COUNT = 1500;

describe('a run whose broker goes away', { timeout: 150_000 }, () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)('waits, says so, and goes on (%s)', async (signal) => {
    const [broker, origin] = [await aNatsServer(), await anOrigin({ logLimit: 1 })];
    const list = urls(origin, '/ok', COUNT);
    const on = ['--broker', broker.url, '--run', 'away'];
    const bounds = ['--chunk', '25', '--max-queued', '10', '--ack-wait', '1s'];
    const feed = ['cluster', 'feed', await aFile(list), ...on, ...bounds];
    const work = ['cluster', 'work', ...on, '-c', '4'];
    const store = join(await tempDir(), 'store.jsonl');
    const collect = ['cluster', 'collect', ...on, '--manifest', store, '-q'];
    const roles = [feed, work, collect].map(Role.inProcess);
    const [feeder, worker, collector] = roles;
    feeder?.start();
    await statusWhen(on, () => true);
    worker?.start();
    collector?.start();
    await origin.received(COUNT / 4);
    await broker.kill(signal);
    for (const role of roles)
      await role.says(`lost the connection to the broker at 127.0.0.1:${broker.port}: waiting for it`);
    const back = roles.map((role) => role.says(`connected to the broker at 127.0.0.1:${broker.port} again`));
    await broker.start();
    await Promise.all(back);
    if (collector !== undefined) await endOf(collector, on, feed);
    expect((await collector?.ended)?.code).toBe(0);
    expect(await urlsInFile(store)).toEqual(list.toSorted());
  });
});
