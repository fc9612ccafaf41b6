import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { aFile, anOrigin } from '../cli/an-origin.ts';
import { runInProcess } from '../cli/run-in-process.ts';
import { runCli, startCli } from '../origin/run-cli.ts';
import { aNatsServer, freePort } from './nats-server.ts';

const SLOW = { killAfterMs: 60_000 };

/** Starts a TCP server for the running test; its sockets are destroyed when the test has finished. Resolves to its port. */
async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return address.port;
}

/** A server that sends this to each client, and responds to each PING. */
function aServerSaying(greeting: string): Promise<number> {
  const server = createServer((socket) => {
    socket.write(greeting);
    socket.on('data', (data) => data.includes('PING') && socket.write('PONG\r\n'));
  });
  return listening(server);
}

/**
 * A relay to a broker. After `hang()` it is like a broker that hangs, without the time that the client takes to notice that: its
 * connections end, and it accepts new ones but sends nothing.
 */
async function aRelay(brokerPort: number): Promise<{ readonly port: number; hang(): void }> {
  const clients = new Set<Socket>();
  let isHanging = false;
  const server = createServer((client) => {
    if (isHanging) return;
    clients.add(client);
    const upstream = connect(brokerPort, '127.0.0.1').on('error', () => {});
    client.on('close', () => upstream.destroy()).pipe(upstream);
    upstream.pipe(client);
  });
  const port = await listening(server);
  const hang = (): void => {
    isHanging = true;
    for (const client of clients) client.destroy();
  };
  return { port, hang };
}

function info(version: string): string {
  return `INFO ${JSON.stringify({ server_id: 'x', version, proto: 1, headers: true, max_payload: 1048576 })}\r\n`;
}

function statusAt(port: number) {
  return runInProcess(['cluster', 'status', '--run', 'r', '--broker', `nats://127.0.0.1:${port}`]);
}

describe('a broker that cannot be used', { timeout: 60_000 }, () => {
  it.each(['2.8.4', '1.4.1', '0.9.6'])('is one of version %s', async (version) => {
    const { code, stderr } = await statusAt(await aServerSaying(info(version)));
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(
        new RegExp(`^error: the broker at 127.0.0.1:\\d+ is too old: nats-server ${version}; use 2.9`),
      ),
    ]);
  });

  it('is one without JetStream', async () => {
    const broker = await aNatsServer(['-js=false']);
    const { code, stderr } = await runCli(['cluster', 'work', '--run', 'r', '--broker', broker.url], SLOW);
    expect([code, stderr]).toEqual([2, expect.stringContaining('start it with "nats-server -js"')]);
  });

  it('is one that speaks another protocol', async () => {
    const { code, stderr } = await statusAt(await aServerSaying('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect([code, stderr]).toEqual([2, expect.stringContaining('unexpected response from server')]);
  });

  it('is named, as is each one of a cluster', async () => {
    const ports = [await freePort(), await freePort()];
    const broker = `nats://127.0.0.1:${ports[0]},127.0.0.1:${ports[1]}`;
    const on = ['--run', 'r', '--broker', broker, '--wait', '0'];
    const { code, stderr } = await runInProcess(['cluster', 'status', ...on]);
    expect([code, stderr]).toEqual([
      69,
      expect.stringContaining(`at 127.0.0.1:${ports[0]},127.0.0.1:${ports[1]}: connect ECONNREFUSED`),
    ]);
  });
});

describe('a run that the broker does not know', { timeout: 60_000 }, () => {
  it.each([
    [['cluster', 'work']],
    [['cluster', 'collect']],
    [['cluster', 'status']],
    [['cluster', 'dead', 'list']],
    [['cluster', 'dead', 'export']],
    [['cluster', 'dead', 'retry']],
    [['cluster', 'purge']],
  ])('is an error of %s', async (command) => {
    const broker = await aNatsServer();
    const args = [...command, '--run', 'r', '--broker', broker.url];
    const { code, stdout, stderr } = await runInProcess(args);
    expect([code, stdout, stderr]).toEqual([
      2,
      '',
      expect.stringContaining('the broker has no run "r": create it with "fanout cluster feed INPUT'),
    ]);
  });
});

describe('a broker that hangs in the run', { timeout: 90_000 }, () => {
  it('does not keep a worker from ending at SIGTERM', async () => {
    const [broker, origin] = [await aNatsServer(), await anOrigin()];
    const relay = await aRelay(broker.port);
    const on = ['--broker', `nats://127.0.0.1:${relay.port}`, '--run', 'r'];
    await runInProcess(['cluster', 'feed', await aFile([`${origin.url}/gate/g`]), ...on]);
    const run = startCli(['cluster', 'work', ...on], SLOW);
    await origin.waiting('g', 1);
    relay.hang();
    await run.stderr.sees('lost the connection to the broker');
    run.child.kill('SIGTERM');
    await run.stderr.sees('send it again');
    run.child.kill('SIGTERM');
    expect((await run.done).code).toBe(143);
  });
});
