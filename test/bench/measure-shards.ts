import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { createCommit } from '../../src/cluster/result-log.ts';
import { END_KEY } from '../../src/cluster/run-state.ts';
import { ShardFileWriter } from '../../src/cluster/shards.ts';
import type { OkResult } from '../../src/model/result.ts';
import { encodeSegment } from '../../src/model/result-line.ts';
import { aNewRun, freePort, NatsServer } from '../cluster/nats-server.ts';
import { BIN } from '../origin/run-cli.ts';
import { type TimedReport, timed } from './cpu-time.ts';
import { startNginx } from './nginx.ts';

// What shards change: a program of its own, "npx tsx test/bench/measure-shards.ts [ROUNDS]", after "npm run build". First what it
// costs to collect results that wait in the log, then a whole run of two workers and a collector.

const CHUNK = 500;
const CHUNKS = 400;
const URLS = 30_000;
const COMMITS = 20_000;
const WAYS = ['log', 'shards, read', 'shards, counted'] as const;

type Way = (typeof WAYS)[number];

const SETTINGS = {
  ...{ chunk: CHUNK, partitions: 1, ackWaitMs: 60_000, maxQueued: 20_000 },
  replicas: 1,
};

interface Bench {
  readonly broker: NatsServer;
  readonly dir: string;
}

let runs = 0;

/** A result such as most are. */
function resultOf(index: number): OkResult {
  return {
    index,
    ...{ source: 'urls.txt', line: index + 1, method: 'GET', ok: true, status: 200, attempts: 1 },
    url: `https://www.example.com/some/directory/page-${index}.html?session=${index}`,
    ...{ redirects: [], bytes: 12_345, truncated: false, contentType: 'text/html; charset=utf-8' },
    startedAt: 1_767_225_600_000 + index,
    ...{ durationMs: 34.1, ttfbMs: 30.2, totalMs: 34.1, worker: 'web7-502' },
  };
}

function flagsOf(way: Way, dir: string): readonly string[] {
  return way === 'shards, read' ? ['--store', dir] : [];
}

function openBenchRun(run: string, { broker }: Bench) {
  return openRun(
    { address: broker.address, run, warn: console.error, note: console.error },
    aNewRun(SETTINGS),
  );
}

async function collect(run: string, way: Way, { broker, dir }: Bench): Promise<TimedReport> {
  const on = ['--broker', broker.url, '--run', run, '--manifest', join(dir, `${run}.jsonl`)];
  const report = await timed([
    process.execPath,
    BIN,
    'cluster',
    'collect',
    '-q',
    ...on,
    ...flagsOf(way, dir),
  ]);
  if (report.exitCode !== 0) throw new Error(`fanout cluster collect ended with ${report.exitCode}`);
  return report;
}

/** Puts the results of 200,000 URLs into the log, and collects them; resolves to the CPU of that for 100,000, in ms. */
async function collectWaiting(way: Way, bench: Bench): Promise<number> {
  const { dir } = bench;
  const run = `waiting${++runs}`;
  const engine = await openBenchRun(run, bench);
  const shards = way === 'log' ? undefined : await ShardFileWriter.open(dir, run);
  const { signal } = new AbortController();
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    const results = Array.from({ length: CHUNK }, (_, at) => resultOf(chunk * CHUNK + at));
    const form = { maxBytes: engine.maxBytes, shards };
    await engine.log.append(await createCommit({ chunk, results, worker: 'web7-502' }, form), signal);
  }
  const urls = CHUNKS * CHUNK;
  await engine.setState(END_KEY, { chunks: CHUNKS, read: urls, skipped: 0, jobs: urls, sha256: '' });
  await shards?.close();
  const { cpuMs } = await collect(run, way, bench);
  console.log(`  manifest ${((await stat(join(dir, `${run}.jsonl`))).size / 1e6).toFixed(2)}MB`);
  await engine.purge();
  await engine.close();
  return (cpuMs * 100_000) / urls;
}

/** Collects commits alone, those of ten million URLs; resolves to the CPU of a thousand of them, in ms. */
async function countCommits(bench: Bench): Promise<number> {
  const run = `commits${++runs}`;
  const engine = await openBenchRun(run, bench);
  const place = { shard: 'web7-502-d0a14870.jsonl.gz', offset: 8123, bytes: 3999, sha256: '10'.repeat(32) };
  const counts = { count: CHUNK, ok: CHUNK, failed: 0, worker: 'web7-502' };
  const { signal } = new AbortController();
  for (let start = 0; start < COMMITS; start += 100) {
    const chunks = Array.from({ length: 100 }, (_, at) => start + at);
    const append = (chunk: number) => {
      const body = Buffer.from(encodeSegment({ ...place, ...counts, chunk, first: chunk * CHUNK }));
      return engine.log.append(
        { kind: 'segment', chunk, ok: CHUNK, failed: 0, worker: 'web7-502', body },
        signal,
      );
    };
    await Promise.all(chunks.map(append));
  }
  await engine.setState(END_KEY, {
    chunks: COMMITS,
    read: COMMITS * CHUNK,
    skipped: 0,
    jobs: COMMITS * CHUNK,
    sha256: '',
  });
  const { cpuMs, wallMs, peakRssBytes } = await collect(run, 'shards, counted', bench);
  console.log(
    `  ${COMMITS} commits: ${Math.round(wallMs)}ms, ${(peakRssBytes / 1e6).toFixed(0)}MB of memory`,
  );
  await engine.purge();
  await engine.close();
  return (cpuMs * 1000) / COMMITS;
}

/** Feeds a list, and resolves to what it takes two workers and a collector to finish it. */
async function wholeRun(way: Way, bench: Bench, list: string): Promise<Record<string, number>> {
  const { broker, dir } = bench;
  const run = `whole${++runs}`;
  const on = ['--broker', broker.url, '--run', run];
  await timed([process.execPath, BIN, 'cluster', 'feed', list, ...on]);
  const shards = way === 'log' ? [] : ['--store', dir];
  const work = () => timed([process.execPath, BIN, 'cluster', 'work', '-c', '64', ...on, ...shards]);
  const before = performance.now();
  const [collected, ...workers] = await Promise.all([collect(run, way, bench), work(), work()]);
  const wallMs = performance.now() - before;
  await timed([process.execPath, BIN, 'purge', ...on]);
  const workCpuMs = workers.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
  return {
    urlsPerSecond: Math.round(URLS / (wallMs / 1000)),
    workCpuMs: Math.round(workCpuMs),
    collectCpuMs: Math.round(collected.cpuMs),
  };
}

async function main(rounds: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'fanout-shards-'));
  const broker = new NatsServer(await freePort(), join(dir, 'store'), []);
  const nginx = await startNginx();
  try {
    await broker.start();
    await mkdir(join(dir, 'results'));
    const bench = { broker, dir: join(dir, 'results') };
    const list = join(dir, 'urls.txt');
    await writeFile(list, Array.from({ length: URLS }, (_, index) => `${nginx.url}?${index}\n`).join(''));
    for (let round = 1; round <= rounds; round++) {
      for (const way of WAYS) {
        console.log(
          `${way}: CPU to collect 100,000 results ${Math.round(await collectWaiting(way, bench))}ms`,
        );
      }
      console.log(`CPU to count 1,000 commits, start included: ${(await countCommits(bench)).toFixed(0)}ms`);
      for (const way of WAYS) {
        console.log(`${way}: ${URLS} URLs, 2 workers: ${JSON.stringify(await wholeRun(way, bench, list))}`);
      }
    }
  } finally {
    await nginx.close();
    await broker.kill();
    await rm(dir, { recursive: true, force: true });
  }
}

await main(Number(process.argv[2] ?? 3));
