import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess } from '../cli/run-in-process.ts';
import type { Origin } from '../origin/origin.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { seededRandom } from '../seeded-random.ts';
import { aNatsServer, type NatsServer } from './nats-server.ts';
import { Role } from './role.ts';
import { endOf, statusWhen } from './status-of.ts';
import { urlsIn, urlsInFile } from './urls-in.ts';

const ROUNDS = 20;
const COUNT = 5000;
const SHARD_ROUNDS = 10;
const SHARD_COUNT = 4000;
const SLOW = { killAfterMs: 60_000 };

/** One run in the suite; FANOUT_CHAOS runs of `npm run chaos`. */
const SEEDS = Array.from({ length: Number(process.env.FANOUT_CHAOS ?? 1) }, (_, index) => index + 1);

interface Victims {
  readonly broker: NatsServer;
  readonly roles: readonly Role[];
  readonly origin: Origin;
}

/** Kills one part after the other, each time after the same number of requests, and starts it again. */
async function killAll({ broker, roles, origin }: Victims, random: () => number): Promise<void> {
  for (let round = 1; round <= ROUNDS; round++) {
    await origin.received((round * COUNT) / (1.2 * ROUNDS));
    const victim = Math.floor(random() * (roles.length + 1));
    const role = roles[victim];
    if (role !== undefined) await role.restart();
    else {
      await broker.kill();
      await broker.start();
    }
  }
}

describe('a run whose parts are killed', { timeout: 200_000 }, () => {
  it.each(SEEDS)('has each URL exactly once (seed %i)', async (seed) => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin({ logLimit: 1 }), await tempDir()];
    const list = urls(origin, '/ok', COUNT);
    const on = ['--broker', broker.url, '--run', 'chaos'];
    const bounds = ['--chunk', '25', '--max-queued', '20', '--max-log', '20', '--ack-wait', '1s'];
    const feed = ['cluster', 'feed', await aFile(list), ...on, ...bounds];
    const work = ['cluster', 'work', ...on, '-c', '8', '--lanes', '2'];
    const [feeder, first, second] = [feed, work, work].map((args) => Role.process(args, cwd));
    const collector = Role.process(['cluster', 'collect', ...on, '-q'], cwd);
    feeder?.start();
    await statusWhen(on, () => true);
    for (const role of [first, second, collector]) role?.start();
    const roles = [feeder, first, second, collector].filter((role) => role !== undefined);
    await killAll({ broker, roles, origin }, seededRandom(seed));
    await endOf(collector, on, feed);
    expect((await collector.ended).stderr).toMatch(
      new RegExp(`Done: ${COUNT} succeeded( \\(\\d+ from the store\\))?, 0 failed\n`),
    );
    expect(await urlsInFile(join(cwd, 'fanout-chaos.jsonl'))).toEqual(list.toSorted());
  });
});

describe('a run with shards whose workers and collector are killed', { timeout: 150_000 }, () => {
  it.each([1, 2])('has each URL exactly once (seed %i)', async (seed) => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const random = seededRandom(seed);
    const list = urls(origin, '/ok', SHARD_COUNT);
    const on = ['--broker', broker.url, '--run', 'shards', '--shards', 'sh'];
    const feed = [
      'cluster',
      'feed',
      await aFile(list),
      ...on.slice(0, 4),
      '--chunk',
      '50',
      '--ack-wait',
      '1s',
    ];
    expect((await runInProcess(feed)).code).toBe(0);
    const work = ['cluster', 'work', ...on, '-c', '8', '--lanes', '2'];
    const collect = ['cluster', 'collect', ...on, '--json', '--silent', '-o', 'out.jsonl'];
    const roles = [work, work, collect].map((args) => Role.process(args, cwd));
    for (const role of roles) role.start();
    for (let round = 1; round <= SHARD_ROUNDS; round++) {
      await origin.received((round * SHARD_COUNT) / (2 * SHARD_ROUNDS));
      await roles[Math.floor(random() * roles.length)]?.restart();
    }
    const collector = roles[2];
    expect([(await collector?.ended)?.code, collector?.failures]).toEqual([0, []]);
    expect(await urlsInFile(join(cwd, 'out.jsonl'))).toEqual(list.toSorted());
    const manifest = ['report', join(cwd, 'fanout-shards.jsonl'), '--shards', join(cwd, 'sh')];
    const report = await runCli([...manifest, '--format', 'jsonl'], SLOW);
    expect([report.code, urlsIn(report.stdout)]).toEqual([0, list.toSorted()]);
    // Each start of a worker has begun a file of its own.
    expect((await readdir(join(cwd, 'sh'))).length).toBeGreaterThan(2);
  });
});
