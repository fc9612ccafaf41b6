import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ChunkWorker } from '../../src/cluster/chunk-worker.ts';
import { BenchBroker, writeList } from './cluster-run.ts';
import type { MemoryBench } from './measure-memory.ts';
import { resultOf } from './measure-restarts.ts';
import type { Row } from './row.ts';

const WORKERS = 100;
const HOSTS = 1000;
const URLS = 2_000_000;
const LONG_URLS = 10_000_000;
const LOOK_INTERVAL_MS = 500;
const PARTS = 5;

interface Sample {
  readonly chunks: number;
  readonly workersMb: number;
  readonly brokerMb: number;
  /** Messages of all streams and buckets of the run, without those of chunks and of results. */
  readonly records: number;
}

/**
 * A hundred workers in this process, whose URLs have their results at once, on a real broker with a real feeder: what they hold must
 * not depend on how many URLs they have had.
 */
export async function measureGrowth({
  program,
  dir,
  isLong,
  log,
}: Omit<MemoryBench, 'nginx'>): Promise<Row[]> {
  const urls = isLong ? LONG_URLS : URLS;
  const list = await writeList(dir, urls, (index) => `http://h${index % HOSTS}.test`);
  const broker = await BenchBroker.start(join(dir, 'growth'));
  const on = ['--broker', broker.server.url, '--run', 'growth'];
  const feeder = spawn(process.execPath, [program, 'cluster', 'feed', list, ...on], { stdio: 'ignore' });
  const fed = once(feeder, 'exit');
  try {
    while ((await broker.streams('_jobs'))[0]?.state.messages === undefined) await pause(50);
    const startedAt = performance.now();
    const stops = await Promise.all(
      Array.from({ length: WORKERS }, (_, index) => simulate(broker, `w${index}`)),
    );
    const samples: Sample[] = [];
    for (let next = 1; next <= PARTS; ) {
      const sample = await sampleOf(broker);
      if (sample.chunks < (next * urls) / 500 / PARTS) await pause(LOOK_INTERVAL_MS);
      else {
        log(`  ${JSON.stringify(sample)} after ${((performance.now() - startedAt) / 1000).toFixed(0)}s`);
        samples.push(sample);
        next += 1;
      }
    }
    const seconds = (performance.now() - startedAt) / 1000;
    await Promise.all(stops.map((stop) => stop()));
    return rowsOf(samples, urls, seconds);
  } finally {
    feeder.kill('SIGKILL');
    await fed;
    await broker.close();
    await rm(join(dir, 'growth'), { recursive: true, force: true });
  }
}

/** Starts a worker. Resolves to what ends it. */
async function simulate(broker: BenchBroker, name: string): Promise<() => Promise<void>> {
  const engine = await broker.open('growth');
  const worker = new ChunkWorker({
    ...{ engine, lanes: 3, name, now: () => performance.now() },
    about: { version: '0', host: name },
    hosts: () => ({ states: () => [], restore: () => {}, shareRate: () => {} }),
    isSaturated: () => false,
    warn: console.error,
    unwanted: () => {},
  });
  const running = (async () => {
    for await (const batch of worker.jobs()) {
      for (const job of batch) worker.take({ ...resultOf(job.index), url: job.url });
    }
  })();
  return async () => {
    worker.drain();
    await running;
    await worker.leave();
    await engine.close();
  };
}

async function sampleOf(broker: BenchBroker): Promise<Sample> {
  const streams = await broker.streams('');
  const count = (isWanted: (name: string) => boolean) =>
    streams.filter(({ config }) => isWanted(config.name)).reduce((sum, { state }) => sum + state.messages, 0);
  return {
    chunks: count((name) => name.endsWith('_log')),
    workersMb: memoryOf(process.pid),
    brokerMb: memoryOf(broker.server.pid ?? 0),
    records: count((name) => !name.endsWith('_log') && !name.endsWith('_jobs')),
  };
}

function memoryOf(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1000);
}

function rowsOf(samples: readonly Sample[], urls: number, seconds: number): Row[] {
  const [early, late] = [samples[1], samples.at(-1)];
  const rate = Math.round(urls / seconds).toLocaleString('en');
  if (early === undefined || late === undefined) throw new Error('There are too few samples');
  const grows = (what: string, of: (sample: Sample) => number, unit: string): Row => ({
    what: `${what}, at the end of ${urls.toLocaleString('en')} URLs`,
    figure: `${of(late)}${unit}`,
    beside: `after two fifths ${of(early)}${unit}`,
    value: of(late) / of(early),
    target: { is: 'at most', value: 1.2 },
  });
  return [
    { what: `${WORKERS} workers in one process, results at once`, figure: `${rate} URLs/s` },
    grows('memory of these workers', ({ workersMb }) => workersMb, 'MB'),
    grows('memory of the broker', ({ brokerMb }) => brokerMb, 'MB'),
    grows('messages of state, leases and dead letters', ({ records }) => records, ''),
  ];
}
