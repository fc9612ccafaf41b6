import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import type { Origin } from '../origin/origin.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { seededRandom } from '../seeded-random.ts';
import { aNatsServer, type NatsServer } from './nats-server.ts';
import { Role } from './role.ts';
import { endOf, statusWhen } from './status-of.ts';
import { urlsInFile } from './urls-in.ts';

const ROUNDS = 20;
const COUNT = 10_000;

/** One run in the suite; `npm run chaos` does as many as FANOUT_CHAOS says. */
const SEEDS = Array.from({ length: Number(process.env.FANOUT_CHAOS ?? 1) }, (_, index) => index + 1);

interface Victims {
  readonly broker: NatsServer;
  readonly roles: readonly Role[];
  readonly origin: Origin;
}

/** Kills one part after the other, whenever the origin has had so many requests more, and starts it again. */
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
    const bounds = ['--chunk', '50', '--max-queued', '20', '--max-log', '20', '--ack-wait', '1s'];
    const feed = ['feed', await aFile(list), ...on, ...bounds];
    const work = ['work', ...on, '-c', '8', '--lanes', '2'];
    const [feeder, first, second] = [feed, work, work].map((args) => new Role(args, cwd));
    const collector = new Role(['collect', ...on, '-q'], cwd);
    feeder?.start();
    await statusWhen(on, () => true);
    for (const role of [first, second, collector]) role?.start();
    const roles = [feeder, first, second, collector].filter((role) => role !== undefined);
    await killAll({ broker, roles, origin }, seededRandom(seed));
    await endOf(collector, on, feed);
    expect((await collector.ended).stderr).toContain(`Done: ${COUNT} succeeded, 0 failed`);
    expect(await urlsInFile(join(cwd, 'fanout-chaos.jsonl'))).toEqual(list.toSorted());
  });
});
