import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BenchBroker, type ClusterFigures, runCluster, writeList } from './cluster-run.ts';
import { type TimedReport, timed } from './cpu-time.ts';
import type { FetchBench } from './measure-fetch.ts';
import { startNginx } from './nginx.ts';
import type { Row } from './row.ts';

const URLS = 40_000;
const HOSTS = 100;
const FLAGS = ['-c', '64'];

type ClusterBench = Omit<FetchBench, 'urls' | 'nginx'>;

/** `fanout fetch`, and the same list through a broker with one, two and three workers, in turn; the best of each counts. */
export async function measureCluster(bench: ClusterBench): Promise<Row[]> {
  const nginx = await startNginx({ address: '0.0.0.0' });
  try {
    const port = Number(new URL(nginx.origin).port);
    // Partitions need hosts: all addresses of the loopback lead to the same nginx.
    const list = await writeList(bench.dir, URLS, (index) => `http://127.0.0.${1 + (index % HOSTS)}:${port}`);
    return await compare(bench, list);
  } finally {
    await nginx.close();
  }
}

async function compare(bench: ClusterBench, list: string): Promise<Row[]> {
  const { program, dir, rounds, log } = bench;
  const [one, two, three]: [Round[], Round[], Round[]] = [[], [], []];
  const fetches: TimedReport[] = [];
  const rows: Row[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const out = join(dir, 'fetched.jsonl');
    const fetched = await timed([process.execPath, program, 'fetch', list, ...FLAGS, ...QUIET, '-o', out]);
    fetches.push(fetched);
    for (const [index, done] of [one, two, three].entries()) {
      done.push(await clusterRound(bench, list, index + 1));
    }
    const walls = [fetched, ...[one, two, three].map((done) => done[round - 1])].map(
      (report) => report?.wallMs ?? 0,
    );
    log(
      `round ${round}: fetch ${seconds(walls[0])}; 1, 2, 3 workers ${walls.slice(1).map(seconds).join(', ')}`,
    );
  }
  const wall = (reports: readonly { readonly wallMs: number }[]) =>
    Math.min(...reports.map(({ wallMs }) => wallMs));
  rows.push({
    what: 'one worker of a cluster',
    figure: `${rate(wall(one))} URLs/s`,
    beside: `fetch ${rate(wall(fetches))}`,
    value: wall(fetches) / wall(one),
    target: { is: 'at least', value: 0.7 },
  });
  rows.push({
    what: 'three workers on these cores',
    figure: `${rate(wall(three))} URLs/s`,
    beside: `two ${rate(wall(two))}`,
    value: wall(two) / wall(three),
    target: { is: 'at least', value: 1 },
  });
  rows.push(bytesRow('results in the broker, per URL', median(one.map(({ logBytes }) => logBytes))));
  rows.push(bytesRow('results in shards, per URL', await shardBytes(bench, list)));
  const cost = (what: string, of: (round: Round) => number): Row => ({
    what: `CPU of ${what}, per URL`,
    figure: `${((1000 * median(one.map(of))) / URLS).toFixed(1)}µs`,
  });
  rows.push(
    {
      what: 'CPU of fetch, per URL',
      figure: `${((1000 * median(fetches.map(({ cpuMs }) => cpuMs))) / URLS).toFixed(1)}µs`,
    },
    cost('the worker', ({ workCpuMs }) => workCpuMs),
    cost('the feeder', ({ feed }) => feed.cpuMs),
    cost('the broker', ({ brokerCpuMs }) => brokerCpuMs),
    cost('a collector with output', ({ written }) => written.cpuMs),
  );
  return rows;
}

const QUIET = ['--json', '--no-progress', '--silent'];

interface Round extends ClusterFigures {
  readonly written: TimedReport;
}

let runs = 0;

async function clusterRound(
  { program, dir }: Pick<ClusterBench, 'program' | 'dir'>,
  list: string,
  workers: number,
): Promise<Round> {
  const run = `bench${++runs}`;
  const broker = await BenchBroker.start(join(dir, run));
  try {
    const figures = await runCluster({ program, broker, run, list, workers, flags: FLAGS });
    const collect = [
      process.execPath,
      program,
      'cluster',
      'collect',
      '--broker',
      broker.server.url,
      '--run',
      run,
    ] as const;
    const written = await timed([...collect, ...QUIET, '-o', join(dir, 'collected.jsonl')]);
    if (written.exitCode !== 0) throw new Error(`fanout cluster collect ended with ${written.exitCode}`);
    return { ...figures, written };
  } finally {
    await broker.close();
    await rm(join(dir, run), { recursive: true, force: true });
  }
}

/** The size of the shards of a run. */
async function shardBytes(
  { program, dir }: Pick<ClusterBench, 'program' | 'dir'>,
  list: string,
): Promise<number> {
  const shards = join(dir, 'shards');
  await mkdir(shards);
  const broker = await BenchBroker.start(join(dir, 'shards-store'));
  try {
    const flags = [...FLAGS, '--store', shards];
    const { logBytes } = await runCluster({ program, broker, run: 'shards', list, workers: 1, flags });
    const sizes = (await readdir(shards)).map(async (name) => (await stat(join(shards, name))).size);
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, logBytes);
  } finally {
    await broker.close();
  }
}

function bytesRow(what: string, bytes: number): Row {
  const value = bytes / URLS;
  return { what, figure: `${value.toFixed(1)}B`, value, target: { is: 'at most', value: 40, unit: 'B' } };
}

function rate(wallMs: number): string {
  return Math.round(URLS / (wallMs / 1000)).toLocaleString('en');
}

function seconds(ms = 0): string {
  return `${(ms / 1000).toFixed(2)}s`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
