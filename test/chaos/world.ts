import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createNatsCluster, freePort, NatsServer } from '../cluster/nats-server.ts';
import { type CliResult, runCli } from '../origin/run-cli.ts';
import { ChaosOrigin } from './chaos-origin.ts';
import { Part } from './part.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RUN = 'chaos';
const SMALL_STORE = '20KB';

/** What a round is made of. */
export interface WorldPlan {
  readonly urls: number;
  /** URLs in a chunk. */
  readonly chunk: number;
  /** The default if unset. */
  readonly partitions: number | undefined;
  readonly workers: number;
  readonly servers: 1 | 3;
  readonly ackWaitMs: number;
  /** Whether some URLs fail. */
  readonly hasFailures: boolean;
  readonly isOrdered: boolean;
  readonly hasShards: boolean;
  /** Whether the store of the broker is too small for the run. */
  readonly isStoreSmall: boolean;
}

/** The result that a line of the list must have. */
export interface Expected {
  readonly line: string;
  /** Undefined for a line that is no URL to fetch. */
  readonly status: number | undefined;
}

/** One run with everything that belongs to it: brokers, hosts, and the processes of the program. */
export class World {
  readonly plan: WorldPlan;
  readonly dir: string;
  readonly brokers: readonly NatsServer[];
  readonly origin: ChaosOrigin;
  readonly list: readonly Expected[];
  readonly feeder: Part;
  readonly workers: readonly Part[];
  readonly collector: Part;
  /** Collectors that a fault has added. */
  readonly moreCollectors: Part[] = [];
  readonly #on: readonly string[];
  readonly #feed: readonly string[];
  #newer: Promise<string> | undefined;
  #bin: string | undefined;
  #directories = 0;

  private constructor(
    plan: WorldPlan,
    { dir, brokers, origin }: Pick<World, 'dir' | 'brokers' | 'origin'>,
    cwds: readonly string[],
  ) {
    this.plan = plan;
    this.dir = dir;
    this.brokers = brokers;
    this.origin = origin;
    this.list = Array.from({ length: plan.urls }, (_, index) => expectedOf(index, plan, origin));
    const servers = brokers.map(({ port }) => `127.0.0.1:${port}`).join(',');
    this.#on = ['--broker', `nats://${servers}`, '--run', RUN];
    const { partitions, chunk, ackWaitMs } = plan;
    this.#feed = [
      ...['cluster', 'feed', join(dir, 'urls.txt'), ...this.#on],
      ...[
        '--chunk',
        `${chunk}`,
        '--max-queued',
        plan.isStoreSmall ? '10000' : '20',
        '--ack-wait',
        `${ackWaitMs}ms`,
      ],
      ...(partitions === undefined ? [] : ['--partitions', `${partitions}`]),
      ...(plan.servers === 3 ? ['--replicas', '3'] : []),
    ];
    const [feed = '', collect = '', ...work] = cwds;
    this.feeder = new Part({
      name: 'feeder',
      args: this.#feed,
      cwd: feed,
      isDone: ({ code }) => code === 0,
    });
    this.workers = work.map(
      (cwd, index) =>
        new Part({
          name: `worker ${index + 1}`,
          args: ['cluster', 'work', ...this.#on, '-c', '16', '--lanes', '2', ...this.#shards],
          cwd,
          isDone: ({ code }) => code === 0,
        }),
    );
    this.collector = this.#createCollector('collector', collect);
  }

  static async create(plan: WorldPlan, dir: string, random: () => number): Promise<World> {
    const cwds = [
      'feed',
      'collect',
      ...Array.from({ length: plan.workers }, (_, index) => `work${index + 1}`),
    ];
    for (const cwd of [...cwds, 'shards']) await mkdir(join(dir, cwd));
    const brokers = await brokersOf(plan, dir);
    const origin = await ChaosOrigin.start(random);
    const parts = { dir, brokers, origin };
    const world = new World(
      plan,
      parts,
      cwds.map((cwd) => join(dir, cwd)),
    );
    await writeFile(join(dir, 'urls.txt'), world.list.map(({ line }) => `${line}\n`).join(''));
    await Promise.all(brokers.map((broker) => broker.start()));
    return world;
  }

  get collectors(): readonly Part[] {
    return [this.collector, ...this.moreCollectors];
  }

  get parts(): readonly Part[] {
    return [this.feeder, ...this.workers, ...this.collectors];
  }

  /** Starts one more collector, which writes outputs of its own. */
  async addCollector(): Promise<void> {
    const collector = this.#createCollector(
      `collector ${this.moreCollectors.length + 2}`,
      await this.freshDirectory(),
    );
    this.moreCollectors.push(collector);
    collector.startAs(this.#bin === undefined ? {} : { bin: this.#bin });
  }

  /** A new directory, as on another machine. */
  async freshDirectory(): Promise<string> {
    this.#directories += 1;
    const path = join(this.dir, `elsewhere${this.#directories}`);
    await mkdir(path);
    return path;
  }

  /** Gives the broker more space, which needs a start of it. */
  async enlargeStore(): Promise<void> {
    await writeFile(join(this.dir, 'nats.conf'), 'jetstream {}\n');
  }

  /** A program whose messages have a higher version. */
  newerProgram(): Promise<string> {
    this.#newer ??= createNewerProgram(join(this.dir, 'newer'));
    return this.#newer;
  }

  /** The operator has this program now. */
  upgrade(bin: string): void {
    this.#bin = bin;
  }

  /** Sends the chunks without results again, as `status` advises. */
  reconcile(): Promise<CliResult> {
    return this.#run([...this.#feed, '--reconcile']);
  }

  /** Runs a command of an operator, such as `status`. */
  command(name: string, ...flags: readonly string[]): Promise<CliResult> {
    const on = name === 'runs' ? this.#on.slice(0, 2) : this.#on;
    return this.#run(['cluster', name, ...on, '--wait', '10s', ...flags]);
  }

  #run(args: readonly string[]): Promise<CliResult> {
    return runCli(args, this.#bin === undefined ? {} : { bin: this.#bin });
  }

  async close(): Promise<void> {
    await Promise.all(this.parts.map((part) => part.leave()));
    await Promise.all(this.brokers.map((broker) => broker.kill()));
    await this.origin.close();
  }

  get #shards(): readonly string[] {
    return this.plan.hasShards ? ['--store', join(this.dir, 'shards')] : [];
  }

  #createCollector(name: string, cwd: string): Part {
    const { isOrdered } = this.plan;
    const outputs = ['--json', '-o', 'out.jsonl', '--no-progress', ...(isOrdered ? ['--ordered'] : [])];
    return new Part({
      name,
      args: ['cluster', 'collect', ...this.#on, ...outputs, ...this.#shards],
      cwd,
      // With exit code 1, URLs have failed or have no result.
      isDone: ({ code }) => code === 0 || code === 1,
    });
  }
}

/** The broker of a plan, or its three servers, not yet started. */
async function brokersOf(plan: WorldPlan, dir: string): Promise<readonly NatsServer[]> {
  if (plan.servers === 3) return createNatsCluster(3, join(dir, 'stores'));
  const config = join(dir, 'nats.conf');
  await writeFile(
    config,
    plan.isStoreSmall ? `jetstream { max_file_store: ${SMALL_STORE} }\n` : 'jetstream {}\n',
  );
  return [new NatsServer(await freePort(), join(dir, 'store'), ['-c', config])];
}

function expectedOf(index: number, { hasFailures }: WorldPlan, origin: ChaosOrigin): Expected {
  if (hasFailures && index % 100 === 3) return { line: `ftp://nowhere/${index}`, status: undefined };
  if (hasFailures && index % 50 === 7) return { line: origin.url(404, index), status: 404 };
  const url = origin.url(200, index);
  const job = { url, method: 'POST', body: `body ${index}`, id: `job ${index}` };
  return { line: index % 97 === 5 ? JSON.stringify(job) : url, status: 200 };
}

/** Copies the built program, and raises the version of its messages by one. Resolves to the path of its start file. */
async function createNewerProgram(dir: string): Promise<string> {
  await mkdir(dir);
  for (const name of ['bin', 'dist', 'package.json'])
    await cp(join(ROOT, name), join(dir, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  let raised = 0;
  for (const name of await readdir(join(dir, 'dist'), { recursive: true })) {
    if (!name.endsWith('.js')) continue;
    const path = join(dir, 'dist', name);
    const text = await readFile(path, 'utf8');
    const newer = text.replace(/\b(MESSAGE_VERSION = )(\d+);/, (_, before, version) => {
      raised += 1;
      return `${before}${Number(version) + 1};`;
    });
    if (newer !== text) await writeFile(path, newer);
  }
  if (raised !== 1) throw new Error(`The version of messages is in ${raised} places of the built program`);
  return join(dir, 'bin', 'fanout.js');
}
