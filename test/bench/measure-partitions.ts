import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, NatsServer } from '../cluster/nats-server.ts';
import { BIN } from '../origin/run-cli.ts';
import { timed } from './cpu-time.ts';
import { startNginx } from './nginx.ts';

// What partitions cost: a program of its own, "npx tsx test/bench/measure-partitions.ts [ROUNDS] [URLS]", after "npm run build".
// The number of partitions changes from run to run, and the best of all rounds counts, as a ratio to one partition.

const HOSTS = [1, 4, 200];
const PARTITIONS = [1, 16, 64, 256];
const WORKERS = [1, 2, 3];

interface Best {
  wallMs: number;
  cpuMs: number;
}

let runs = 0;

async function fanout(
  ...args: readonly string[]
): Promise<{ readonly wallMs: number; readonly cpuMs: number }> {
  const report = await timed([process.execPath, BIN, 'cluster', ...args]);
  if (report.exitCode !== 0) throw new Error(`fanout cluster ${args[0]} ended with ${report.exitCode}`);
  return report;
}

/** Feeds a list, and measures the time of a collector and these workers, and the CPU of the workers. */
async function measure(list: string, partitions: number, workers: number, broker: string): Promise<Best> {
  const on = ['--broker', broker, '--run', `p${++runs}`];
  await fanout('feed', list, ...on, '--partitions', String(partitions));
  const working = Array.from({ length: workers }, () => fanout('work', '-c', '64', ...on));
  const { wallMs } = await fanout('collect', '-q', ...on);
  const cpuMs = (await Promise.all(working)).reduce((sum, worker) => sum + worker.cpuMs, 0);
  await fanout('purge', '--yes', ...on);
  return { wallMs, cpuMs };
}

/** Measures each case once in each round; prints the best of each, and its ratio to the first one. */
async function compare(
  title: string,
  cases: readonly { readonly name: string; readonly run: () => Promise<Best> }[],
  rounds: number,
): Promise<void> {
  const best = cases.map(() => ({ wallMs: Number.POSITIVE_INFINITY, cpuMs: Number.POSITIVE_INFINITY }));
  for (let round = 0; round < rounds; round++) {
    for (const [at, { run }] of cases.entries()) {
      const measured = await run();
      const so = best[at];
      if (so === undefined) continue;
      so.wallMs = Math.min(so.wallMs, measured.wallMs);
      so.cpuMs = Math.min(so.cpuMs, measured.cpuMs);
    }
  }
  const [first] = best;
  for (const [at, { wallMs, cpuMs }] of best.entries()) {
    const ratios = [wallMs / (first?.wallMs ?? 1), cpuMs / (first?.cpuMs ?? 1)].map((ratio) =>
      ratio.toFixed(2),
    );
    console.log(
      `${title}, ${cases[at]?.name}: ${Math.round(wallMs)} ms (${ratios[0]}), ${Math.round(cpuMs)} ms of CPU (${ratios[1]})`,
    );
  }
}

async function main(rounds: number, count: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'fanout-partitions-'));
  const broker = new NatsServer(await freePort(), join(dir, 'store'), []);
  const nginx = await startNginx({ address: '0.0.0.0' });
  const listOf = async (hosts: number): Promise<string> => {
    const path = join(dir, `${hosts}.txt`);
    const lines = Array.from(
      { length: count },
      (_, index) => `${nginx.url.replace('127.0.0.1', `127.0.1.${1 + (index % hosts)}`)}?${index}\n`,
    );
    await writeFile(path, lines.join(''));
    return path;
  };
  try {
    await broker.start();
    for (const hosts of HOSTS) {
      const list = await listOf(hosts);
      const cases = PARTITIONS.map((partitions) => ({
        name: `${partitions} partitions`,
        run: () => measure(list, partitions, 1, broker.url),
      }));
      await compare(`${hosts} hosts, 1 worker`, cases, rounds);
    }
    const list = await listOf(200);
    const cases = WORKERS.map((workers) => ({
      name: `${workers} workers`,
      run: () => measure(list, 64, workers, broker.url),
    }));
    await compare('200 hosts, 64 partitions', cases, rounds);
  } finally {
    await nginx.close();
    await broker.kill();
    await rm(dir, { recursive: true, force: true });
  }
}

await main(Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 20_000));
