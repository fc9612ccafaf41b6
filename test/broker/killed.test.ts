import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { type CliRun, runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { seededRandom } from '../seeded-random.ts';
import { aNatsServer, type NatsServer } from './nats-server.ts';
import { urlsInFile } from './urls-in.ts';

const ROUNDS = 12;
const COUNT = 4000;

/** A part of a run that is started again whenever it was killed. */
class Role {
  readonly #args: readonly string[];
  readonly #cwd: string;
  #run: CliRun | undefined;

  constructor(args: readonly string[], cwd: string) {
    this.#args = args;
    this.#cwd = cwd;
    onTestFinished(() => this.kill());
  }

  start(): void {
    this.#run = startCli(this.#args, { cwd: this.#cwd, killAfterMs: 100_000 });
  }

  async kill(): Promise<void> {
    this.#run?.child.kill('SIGKILL');
    await this.#run?.done;
  }

  async restart(): Promise<void> {
    await this.kill();
    this.start();
  }

  /** The exit code, and what it had to complain about. */
  async end(): Promise<readonly unknown[]> {
    const done = await this.#run?.done;
    return [done?.code, done?.code === 0 ? '' : done?.stderr];
  }
}

/** Resolves when the run is known to the broker. */
async function begun(on: readonly string[]): Promise<void> {
  while ((await runCli(['status', ...on])).code !== 0);
}

async function restart(broker: NatsServer): Promise<void> {
  await broker.kill();
  await broker.start();
}

describe('a run whose parts are killed', { timeout: 120_000 }, () => {
  it.each([1, 2])('has each URL exactly once (seed %i)', async (seed) => {
    const [broker, origin, directory] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const random = seededRandom(seed);
    const list = urls(origin, '/ok', COUNT);
    const on = ['--broker', broker.url, '--run', 'chaos'];
    const feed = [
      'feed',
      await aFile(list),
      ...on,
      '--chunk',
      '50',
      '--max-queued',
      '20',
      '--ack-wait',
      '1s',
    ];
    const work = ['work', ...on, '-c', '8', '--lanes', '2'];
    const roles = [feed, work, work, ['collect', ...on]].map((args) => new Role(args, directory));
    const [feeder, first, second, collector] = roles;
    feeder?.start();
    await begun(on);
    for (const role of [first, second, collector]) role?.start();
    for (let round = 1; round <= ROUNDS; round++) {
      await origin.received((round * COUNT) / (2 * ROUNDS));
      const victim = Math.floor(random() * 5);
      if (victim === 4) await restart(broker);
      else await roles[victim]?.restart();
    }
    expect(await collector?.end()).toEqual([0, '']);
    expect(await urlsInFile(join(directory, 'fanout-chaos.jsonl'))).toEqual(list.toSorted());
  });
});
