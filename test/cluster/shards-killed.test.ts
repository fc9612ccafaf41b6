import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { seededRandom } from '../seeded-random.ts';
import { aNatsServer } from './nats-server.ts';
import { Role } from './role.ts';
import { urlsIn, urlsInFile } from './urls-in.ts';

const ROUNDS = 10;
const COUNT = 4000;
const SLOW = { killAfterMs: 60_000 };

describe('a run with shards whose workers and collector are killed', { timeout: 150_000 }, () => {
  it.each([1, 2])('has each URL exactly once (seed %i)', async (seed) => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const random = seededRandom(seed);
    const list = urls(origin, '/ok', COUNT);
    const on = ['--broker', broker.url, '--run', 'chaos', '--shards', 'sh'];
    const feed = ['feed', await aFile(list), ...on.slice(0, 4), '--chunk', '50', '--ack-wait', '1s'];
    expect((await runCli(feed, SLOW)).code).toBe(0);
    const work = ['work', ...on, '-c', '8', '--lanes', '2'];
    const collect = ['collect', ...on, '--json', '--silent', '-o', 'out.jsonl'];
    const roles = [work, work, collect].map((args) => new Role(args, cwd));
    for (const role of roles) role.start();
    for (let round = 1; round <= ROUNDS; round++) {
      await origin.received((round * COUNT) / (2 * ROUNDS));
      await roles[Math.floor(random() * roles.length)]?.restart();
    }
    const collector = roles[2];
    expect([(await collector?.ended)?.code, collector?.failures]).toEqual([0, []]);
    expect(await urlsInFile(join(cwd, 'out.jsonl'))).toEqual(list.toSorted());
    const manifest = ['report', join(cwd, 'fanout-chaos.jsonl'), '--shards', join(cwd, 'sh')];
    const report = await runCli([...manifest, '--format', 'jsonl'], SLOW);
    expect([report.code, urlsIn(report.stdout)]).toEqual([0, list.toSorted()]);
    // Each start of a worker has begun a file of its own.
    expect((await readdir(join(cwd, 'sh'))).length).toBeGreaterThan(2);
  });
});
