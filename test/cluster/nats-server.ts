import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { BrokerAddress } from '../../src/cluster/broker-connection.ts';
import type { NewRun } from '../../src/cluster/jetstream-engine.ts';
import type { RunSettings } from '../../src/cluster/jetstream-setup.ts';
import { tempDir } from '../origin/temp-dir.ts';

// A process that ends half-way leaves no server behind.
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A nats-server, with JetStream and a store of its own. */
export class NatsServer {
  readonly port: number;
  readonly #store: string;
  readonly #flags: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;

  /** `env` are variables of its configuration. */
  constructor(
    port: number,
    store: string,
    flags: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.port = port;
    this.#store = store;
    this.#flags = flags;
    this.#env = env;
  }

  /** The value of `--broker`. */
  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** The address for `openRun()`. */
  get address(): BrokerAddress {
    return { servers: [`127.0.0.1:${this.port}`], isSecure: false };
  }

  /** Resolves when it accepts connections. */
  async start(): Promise<void> {
    const flags = ['-a', '127.0.0.1', '-p', String(this.port), '-js', '-sd', this.#store, ...this.#flags];
    const env = { ...process.env, ...this.#env };
    const child = spawn('nats-server', flags, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    let stderr = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
        if (stderr.includes('Server is ready')) resolve();
      });
      child.once('error', (error) =>
        reject(
          new Error('These tests need nats-server: type "apt-get install -y nats-server"', { cause: error }),
        ),
      );
      child.once('exit', (code) => reject(new Error(`nats-server ended with ${code}: ${stderr}`)));
    });
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Ends it; after SIGTERM it shuts down in order. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  /** Suspends it: its connections stay open, and it sends nothing on them. */
  hang(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** Ends `hang()`. */
  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Kills it, and deletes its store. */
  async lose(): Promise<void> {
    await this.kill();
    await rm(this.#store, { recursive: true, force: true });
  }
}

/** Starts a server on a free port of the loopback; it is killed when the test has finished. */
export async function aNatsServer(
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<NatsServer> {
  const server = new NatsServer(await freePort(), join(await tempDir(), 'store'), flags, env);
  onTestFinished(() => server.kill());
  await server.start();
  return server;
}

/** Starts a cluster of `size` servers on free ports of the loopback; they are killed when the test has finished. */
export async function aNatsCluster(size: number): Promise<NatsServer[]> {
  const servers = await createNatsCluster(size, await tempDir());
  for (const server of servers) onTestFinished(() => server.kill());
  await Promise.all(servers.map((server) => server.start()));
  return servers;
}

/** A cluster of `size` servers with free ports of the loopback and stores in this directory, not yet started. */
export async function createNatsCluster(size: number, stores: string): Promise<NatsServer[]> {
  const ports = await Promise.all(Array.from({ length: 2 * size }, freePort));
  const [own, routed] = [ports.slice(0, size), ports.slice(size)];
  const routes = routed.map((port) => `nats://127.0.0.1:${port}`);
  return own.map((port, index) => {
    const cluster = ['-cluster', routes[index] ?? '', '-cluster_name', 'test', '-routes', routes.join(',')];
    return new NatsServer(port, join(stores, String(index)), ['-n', `n${index}`, ...cluster]);
  });
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return address.port;
}

/** What a test creates a run of, with these settings. */
export function aNewRun(settings: RunSettings): NewRun {
  return { settings, wanted: {}, list: [], inputs: async () => [], now: Date.now };
}
