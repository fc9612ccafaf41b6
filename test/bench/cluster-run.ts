import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type JetStreamManager, jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type JetStreamEngine, openRun } from '../../src/cluster/jetstream-engine.ts';
import { NatsServer } from '../cluster/nats-server.ts';
import { type TimedReport, timed } from './cpu-time.ts';
import { freePort } from './nginx.ts';

const LOOK_INTERVAL_MS = 20;

/** A broker for measurements, and how to look into it. */
export class BenchBroker {
  readonly server: NatsServer;
  #connection: NatsConnection | undefined;
  #manager: JetStreamManager | undefined;

  private constructor(server: NatsServer) {
    this.server = server;
  }

  static async start(dir: string): Promise<BenchBroker> {
    const broker = new BenchBroker(new NatsServer(await freePort(), dir, []));
    await broker.server.start();
    await broker.connect();
    return broker;
  }

  /** Connects again, after a restart. */
  async connect(): Promise<void> {
    this.#connection = await connect({ servers: this.server.url });
    this.#manager = await jetstreamManager(this.#connection, { checkAPI: false });
  }

  /** The streams and buckets with this in their names. */
  async streams(part: string): Promise<readonly StreamInfo[]> {
    const found: StreamInfo[] = [];
    if (this.#manager === undefined) throw new Error('There is no connection to the broker');
    for await (const info of this.#manager.streams.list()) {
      if (info.config.name.includes(part)) found.push(info);
    }
    return found;
  }

  /** Opens a run that was created. */
  open(run: string): Promise<JetStreamEngine> {
    return openRun({ address: this.server.address, run, warn: console.error, note: console.error });
  }

  /** User and system time of the server in ms. */
  get cpuMs(): number {
    return cpuMsOf(this.server.pid ?? 0);
  }

  async disconnect(): Promise<void> {
    await this.#connection?.close();
  }

  async close(): Promise<void> {
    await this.disconnect();
    await this.server.kill();
  }
}

/** What one run of the cluster took, until each chunk had its results on the broker. */
export interface ClusterFigures {
  /** From the start of the workers. */
  readonly wallMs: number;
  readonly feed: TimedReport;
  readonly workCpuMs: number;
  readonly brokerCpuMs: number;
  /** What the broker has for the results of all URLs. */
  readonly logBytes: number;
}

interface ClusterRun {
  readonly program: string;
  readonly broker: BenchBroker;
  /** The name of the run. */
  readonly run: string;
  readonly list: string;
  readonly workers: number;
  /** Flags of the workers. */
  readonly flags: readonly string[];
}

/** Feeds a list, and lets workers fetch it. The run stays on the broker. */
export async function runCluster({
  program,
  broker,
  run,
  list,
  workers,
  flags,
}: ClusterRun): Promise<ClusterFigures> {
  const on = ['--broker', broker.server.url, '--run', run];
  const before = broker.cpuMs;
  const feed = await timed([process.execPath, program, 'cluster', 'feed', list, ...on]);
  if (feed.exitCode !== 0) throw new Error(`fanout cluster feed ended with ${feed.exitCode}`);
  const chunks = (await broker.streams('_jobs')).reduce((sum, { state }) => sum + state.messages, 0);
  const startedAt = performance.now();
  const children = Array.from({ length: workers }, () =>
    spawn(process.execPath, [program, 'cluster', 'work', ...on, ...flags], { stdio: 'ignore' }),
  );
  try {
    for (;;) {
      const [log] = (await broker.streams('_log')).filter(({ state }) => state.messages >= chunks);
      if (log !== undefined) {
        const wallMs = performance.now() - startedAt;
        const workCpuMs = children.reduce((sum, { pid = 0 }) => sum + cpuMsOf(pid), 0);
        return { wallMs, feed, workCpuMs, brokerCpuMs: broker.cpuMs - before, logBytes: log.state.bytes };
      }
      if (children.some(({ exitCode }) => exitCode !== null)) throw new Error('a worker has ended');
      await pause(LOOK_INTERVAL_MS);
    }
  } finally {
    const exits = children.map((child) => once(child, 'exit'));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(exits);
  }
}

/** Writes a list of URLs as they are in practice: with directories, names and ids, no two alike. */
export async function writeList(
  dir: string,
  count: number,
  origin: (index: number) => string,
): Promise<string> {
  const path = join(dir, `urls-${count}.txt`);
  const file = createWriteStream(path);
  for (let start = 0; start < count; start += 10_000) {
    const batch = Array.from({ length: Math.min(10_000, count - start) }, (_, at) => start + at);
    const text = batch.map((index) => `${origin(index)}/small/${pathOf(index)}\n`).join('');
    if (!file.write(text)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
  return path;
}

/** A path of about 50 characters. */
export function pathOf(index: number): string {
  const id = Math.imul(index + 1, 0x9e3779b1) >>> 0;
  const section = ['news', 'products', 'people', 'archive/2024', 'en/help'][index % 5];
  return `${section}/${id.toString(36)}/page-${index % 1000}.html?session=${id.toString(16)}`;
}

function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10; // ticks of 10 ms
}
