import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { aFile, anOrigin } from '../cli/an-origin.ts';
import { type CliResult, runCli, startCli } from '../origin/run-cli.ts';
import { aNatsServer, freePort } from './nats-server.ts';

const SLOW = { killAfterMs: 60_000 };

/** A server that says this to whoever connects, and answers each PING. */
async function aServerSaying(greeting: string): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.write(greeting);
    socket.on('data', (data) => data.includes('PING') && socket.write('PONG\r\n'));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function info(version: string): string {
  return `INFO ${JSON.stringify({ server_id: 'x', version, proto: 1, headers: true, max_payload: 1048576 })}\r\n`;
}

function work(port: number, ...more: readonly string[]): Promise<CliResult> {
  return runCli(['work', '--run', 'r', '--broker', `nats://127.0.0.1:${port}`, ...more], SLOW);
}

describe('a broker that cannot be used', { timeout: 60_000 }, () => {
  it.each(['2.8.4', '1.4.1', '0.9.6'])('is one of version %s', async (version) => {
    const { code, stderr } = await work(await aServerSaying(info(version)));
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(
        new RegExp(
          `^fanout: Cannot use the broker at 127.0.0.1:\\d+: it is nats-server ${version}, it must be 2.9`,
        ),
      ),
    ]);
  });

  it('is one without JetStream', async () => {
    const { code, stderr } = await work((await aNatsServer(['-js=false'])).port);
    expect([code, stderr]).toEqual([2, expect.stringContaining('it must run with JetStream')]);
  });

  it('is one that speaks something else', async () => {
    const { code, stderr } = await work(await aServerSaying('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect([code, stderr]).toEqual([2, expect.stringContaining('unexpected response from server')]);
  });

  it('is one that says nothing, which nobody waits for', async () => {
    const { code, stderr } = await work(await aServerSaying(''));
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/Cannot connect to the broker at \S+: timeout/),
    ]);
  });

  it('is named, as is each one of a cluster', async () => {
    const ports = [await freePort(), await freePort()];
    const broker = `nats://127.0.0.1:${ports[0]},127.0.0.1:${ports[1]}`;
    const { code, stderr } = await runCli(['status', '--run', 'r', '--broker', broker], SLOW);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(`at 127.0.0.1:${ports[0]},127.0.0.1:${ports[1]}: connect ECONNREFUSED`),
    ]);
  });
});

describe('a run that the broker does not know', { timeout: 60_000 }, () => {
  it.each([
    [['work']],
    [['collect']],
    [['status']],
    [['dead', 'list']],
    [['dead', 'export']],
    [['dead', 'retry']],
    [['purge']],
  ])('is an error of %s', async (command) => {
    const broker = await aNatsServer();
    const { code, stdout, stderr } = await runCli([...command, '--run', 'r', '--broker', broker.url], SLOW);
    expect([code, stdout, stderr]).toEqual([
      2,
      '',
      expect.stringContaining('Cannot find the run "r" on this broker: start it with "fanout feed INPUT'),
    ]);
  });
});

describe('a broker that hangs in the run', { timeout: 90_000 }, () => {
  it('does not keep a worker that was told to end', async () => {
    const [broker, origin] = [await aNatsServer(), await anOrigin()];
    const on = ['--broker', broker.url, '--run', 'r'];
    await runCli(['feed', await aFile([`${origin.url}/gate/g`]), ...on], SLOW);
    const run = startCli(['work', ...on], SLOW);
    await origin.waiting('g', 1);
    broker.hang();
    await run.stderr.sees('is away: waiting for it');
    run.child.kill('SIGTERM');
    await run.stderr.sees('once more');
    run.child.kill('SIGTERM');
    expect((await run.done).code).toBe(143);
  });
});
