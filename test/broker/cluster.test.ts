import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsCluster } from './nats-server.ts';
import { Role } from './role.ts';
import { endOf, statusWhen } from './status-of.ts';
import { urlsInFile } from './urls-in.ts';

const COUNT = 3000;
const SLOW = { killAfterMs: 60_000 };

/** Resolves when the brokers have agreed on a leader, and answer. */
async function elected(on: readonly string[]): Promise<void> {
  while (!(await runCli(['status', ...on], SLOW)).stderr.includes('Cannot find the run'));
}

describe('a run on a cluster of brokers', { timeout: 150_000 }, () => {
  it('goes on without one of three brokers (--replicas 3)', async () => {
    const [brokers, origin, cwd] = [await aNatsCluster(3), await anOrigin({ logLimit: 1 }), await tempDir()];
    const list = urls(origin, '/ok', COUNT);
    const on = [
      '--broker',
      `nats://${brokers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
      '--run',
      'three',
    ];
    const feed = ['feed', await aFile(list), ...on, '--chunk', '50', '--max-queued', '10', '--replicas', '3'];
    const [feeder, worker, collector] = [
      [...feed, '--ack-wait', '2s'],
      ['work', ...on, '-c', '4'],
      ['collect', ...on, '-q'],
    ].map((args) => new Role(args, cwd));
    await elected(on);
    feeder?.start();
    await statusWhen(on, () => true);
    worker?.start();
    collector?.start();
    await origin.received(COUNT / 4);
    await brokers[0]?.kill();
    if (collector !== undefined) await endOf(collector, on, feed);
    expect((await collector?.ended)?.code).toBe(0);
    expect(await urlsInFile(join(cwd, 'fanout-three.jsonl'))).toEqual(list.toSorted());
    expect((await runCli(['purge', ...on], SLOW)).code).toBe(0);
  });
});
