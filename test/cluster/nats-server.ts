import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { BrokerAddress } from '../../src/cluster/broker-connection.ts';
import { tempDir } from '../origin/temp-dir.ts';

/** A nats-server of the running test, with JetStream and a store of its own. */
export class NatsServer {
  readonly port: number;
  readonly #store: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;

  constructor(port: number, store: string, flags: readonly string[]) {
    this.port = port;
    this.#store = store;
    this.#flags = flags;
  }

  /** What `--broker` takes. */
  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** As `openRun()` takes it. */
  get address(): BrokerAddress {
    return { servers: [`127.0.0.1:${this.port}`], isSecure: false };
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const flags = ['-a', '127.0.0.1', '-p', String(this.port), '-js', '-sd', this.#store, ...this.#flags];
    const child = spawn('nats-server', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('Server is ready')) resolve();
      });
      child.once('error', (error) =>
        reject(
          new Error('These tests need nats-server: type "apt-get install -y nats-server"', { cause: error }),
        ),
      );
      child.once('exit', (code) => reject(new Error(`nats-server ended with ${code}: ${said}`)));
    });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Ends it; by SIGTERM it ends in order. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  /** Stops it, so that its connections live and nothing is said on them any more. */
  hang(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** Kills it, and deletes all that it knew. */
  async lose(): Promise<void> {
    await this.kill();
    await rm(this.#store, { recursive: true, force: true });
  }
}

/** Starts a server on a free port of the loopback; it is killed when the test has finished. */
export async function aNatsServer(flags: readonly string[] = []): Promise<NatsServer> {
  const server = new NatsServer(await freePort(), join(await tempDir(), 'store'), flags);
  onTestFinished(() => server.kill());
  await server.start();
  return server;
}

/** Starts a cluster of so many servers on free ports of the loopback; they are killed when the test has finished. */
export async function aNatsCluster(size: number): Promise<NatsServer[]> {
  const ports = await Promise.all(Array.from({ length: 2 * size }, freePort));
  const [own, routed] = [ports.slice(0, size), ports.slice(size)];
  const routes = routed.map((port) => `nats://127.0.0.1:${port}`);
  const stores = await tempDir();
  const servers = own.map((port, index) => {
    const cluster = ['-cluster', routes[index] ?? '', '-cluster_name', 'test', '-routes', routes.join(',')];
    return new NatsServer(port, join(stores, String(index)), ['-n', `n${index}`, ...cluster]);
  });
  for (const server of servers) onTestFinished(() => server.kill());
  await Promise.all(servers.map((server) => server.start()));
  return servers;
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('It has no port');
  return address.port;
}
