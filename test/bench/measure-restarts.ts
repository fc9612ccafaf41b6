import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { JetStreamEngine } from '../../src/cluster/jetstream-engine.ts';
import { createCommit } from '../../src/cluster/result-log.ts';
import { END_KEY } from '../../src/cluster/run-state.ts';
import type { OkResult } from '../../src/model/result.ts';
import { BenchBroker, pathOf, writeList } from './cluster-run.ts';
import { timed } from './cpu-time.ts';
import type { FetchBench } from './measure-fetch.ts';
import type { Row, Target } from './row.ts';

const CHUNK = 500;
/** The chunks of 10^7 URLs. */
const CHUNKS = 20_000;
/** Of these, the chunks with results of their own, those of 10^6 URLs; the others have the number of a chunk and the body of another one. */
const WHOLE_CHUNKS = 2000;
const FED_URLS = 1_000_000;
const AT_ONCE = 64;
const TARGET: Target = { is: 'at most', value: 5, unit: 's' };

type Bench = Omit<FetchBench, 'urls' | 'rounds'>;

/** How long each process of a run with 10^7 URLs needs after a start until it does its work. */
export async function measureRestarts(bench: Bench): Promise<Row[]> {
  const broker = await BenchBroker.start(join(bench.dir, 'restarts'));
  try {
    const rows = [
      ...(await restartAtTheEnd(bench, broker)),
      await collectOutputs(bench, broker),
      await restartFeeder(bench, broker),
    ];
    return rows;
  } finally {
    await broker.close();
    await rm(join(bench.dir, 'restarts'), { recursive: true, force: true });
  }
}

/** A run of 10^7 URLs of which one chunk is not fetched yet: its worker, broker and readers start again. */
async function restartAtTheEnd({ program, nginx, dir, log }: Bench, broker: BenchBroker): Promise<Row[]> {
  const list = await writeList(dir, CHUNK, () => nginx.origin);
  const on = ['--broker', broker.server.url, '--run', 'ten-million'];
  await timed([process.execPath, program, 'cluster', 'feed', list, ...on]); // one chunk, number 0
  const engine = await broker.open('ten-million');
  const totals = { read: CHUNKS * CHUNK, jobs: CHUNKS * CHUNK, skipped: 0, sha256: '' };
  await engine.setState(END_KEY, { chunks: CHUNKS, ...totals });
  await addCommits(engine, { from: 1, to: CHUNKS, log });
  await engine.close();
  const [stream] = await broker.streams('_log');
  log(`  ${stream?.state.messages} commits, ${Math.round((stream?.state.bytes ?? 0) / 1e6)} MB`);

  await broker.disconnect();
  await broker.server.kill();
  const broker1 = performance.now();
  await broker.server.start();
  await broker.connect();
  const [again] = await broker.streams('_log');
  if (again?.state.messages !== CHUNKS - 1) throw new Error('the broker has lost commits');
  const brokerMs = performance.now() - broker1;

  const status = await timed([process.execPath, program, 'cluster', 'status', ...on]);

  let looks = await nginx.requests();
  const work = performance.now();
  const worker = spawn(process.execPath, [program, 'cluster', 'work', ...on], { stdio: 'ignore' });
  const exit = once(worker, 'exit');
  while ((await nginx.requests()) <= ++looks) await pause(10); // a look is a request, too
  const workerMs = performance.now() - work;
  const collect = await timed([process.execPath, program, 'cluster', 'collect', '--silent', ...on]);
  worker.kill('SIGKILL');
  await exit;
  if (collect.exitCode !== 0) throw new Error(`fanout cluster collect ended with ${collect.exitCode}`);
  await timed([process.execPath, program, 'cluster', 'purge', ...on]);
  const at = 'at 10^7 URLs';
  return [
    secondsRow(`restart of the broker, ${at}`, brokerMs),
    secondsRow(`start of a worker until it fetches, ${at}`, workerMs),
    secondsRow(`status, ${at}`, status.wallMs),
    {
      ...secondsRow(`a collector that counts, ${at}, from start to end`, collect.wallMs),
      beside: `${Math.round((1000 * collect.cpuMs) / CHUNKS)}µs of CPU per chunk, ${megabytes(collect)}`,
    },
  ];
}

/** A collector with output reads everything again. */
async function collectOutputs({ program, nginx, dir, log }: Bench, broker: BenchBroker): Promise<Row> {
  const list = await writeList(dir, CHUNK, () => nginx.origin);
  const on = ['--broker', broker.server.url, '--run', 'one-million'];
  await timed([process.execPath, program, 'cluster', 'feed', list, ...on]);
  const engine = await broker.open('one-million');
  const urls = WHOLE_CHUNKS * CHUNK;
  await engine.setState(END_KEY, { chunks: WHOLE_CHUNKS, read: urls, jobs: urls, skipped: 0, sha256: '' });
  await addCommits(engine, { from: 0, to: WHOLE_CHUNKS, log });
  await engine.close();
  const output = ['--json', '--silent', '--no-progress', '-o', join(dir, 'one-million.jsonl')];
  const collect = await timed([process.execPath, program, 'cluster', 'collect', ...output, ...on]);
  if (collect.exitCode !== 0) throw new Error(`fanout cluster collect ended with ${collect.exitCode}`);
  await timed([process.execPath, program, 'cluster', 'purge', ...on]);
  const perUrl = (1000 * collect.wallMs) / urls;
  return {
    what: 'a collector with output that reads 10^6 results again',
    figure: `${(collect.wallMs / 1000).toFixed(1)}s, ${perUrl.toFixed(1)}µs each`,
    beside: megabytes(collect),
  };
}

/** A feeder is killed in the middle of 10^6 URLs, and started again. */
async function restartFeeder({ program, nginx, dir }: Bench, broker: BenchBroker): Promise<Row> {
  const list = await writeList(dir, FED_URLS, () => nginx.origin);
  const feed = [program, 'cluster', 'feed', list, '--broker', broker.server.url, '--run', 'fed'];
  const sent = async () => (await broker.streams('_jobs'))[0]?.state.messages ?? 0;
  const untilSent = async (chunks: number) => {
    const child = spawn(process.execPath, feed, { stdio: 'ignore' });
    const exit = once(child, 'exit');
    while ((await sent()) < chunks && child.exitCode === null) await pause(10);
    child.kill('SIGKILL');
    await exit;
  };
  const chunks = FED_URLS / CHUNK;
  await untilSent(0.8 * chunks);
  const startedAt = performance.now();
  await untilSent((await sent()) + 1);
  const ms = performance.now() - startedAt;
  return {
    ...secondsRow('restart of a feeder at 8 x 10^5 URLs until it sends', ms),
    beside: `${((1000 * ms) / (0.8 * FED_URLS)).toFixed(1)}µs per URL before`,
  };
}

interface CommitRange {
  readonly from: number;
  readonly to: number;
  log(text: string): void;
}

async function addCommits(engine: JetStreamEngine, { from, to }: CommitRange): Promise<void> {
  const { signal } = new AbortController();
  const worker = 'web7-502';
  let shared: Awaited<ReturnType<typeof createCommit>> | undefined;
  for (let start = from; start < to; start += AT_ONCE) {
    const chunks = Array.from({ length: Math.min(AT_ONCE, to - start) }, (_, at) => start + at);
    const append = async (chunk: number) => {
      if (chunk < WHOLE_CHUNKS || shared === undefined) {
        const results = Array.from({ length: CHUNK }, (_, at) => resultOf(chunk * CHUNK + at));
        shared = await createCommit({ chunk, results, worker }, { maxBytes: engine.maxBytes });
      }
      await engine.log.append({ ...shared, chunk }, signal);
    };
    await Promise.all(chunks.map(append));
  }
}

/** A result such as most are. */
export function resultOf(index: number): OkResult {
  const totalMs = 20 + (Math.imul(index, 2_654_435_761) >>> 24) / 10;
  return {
    index,
    ...{ source: 'urls.txt', line: index + 1, method: 'GET', ok: true, status: 200, attempts: 1 },
    url: `https://www.example.com/${pathOf(index)}`,
    ...{
      redirects: [],
      bytes: 10_000 + (index % 977),
      truncated: false,
      contentType: 'text/html; charset=utf-8',
    },
    startedAt: 1_767_225_600_000 + index,
    ...{ durationMs: totalMs, ttfbMs: totalMs - 2, totalMs, worker: 'web7-502' },
  };
}

function secondsRow(what: string, ms: number): Row {
  return { what, figure: `${(ms / 1000).toFixed(2)}s`, value: ms / 1000, target: TARGET };
}

function megabytes({ peakRssBytes }: { readonly peakRssBytes: number }): string {
  return `${Math.round(peakRssBytes / 1e6)}MB of memory`;
}
