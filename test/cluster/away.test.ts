import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { aFile } from '../cli/an-origin.ts';
import { startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { freePort, NatsServer } from './nats-server.ts';
import { statusWhen } from './status-of.ts';

const LIST = Array.from({ length: 100 }, (_, index) => `http://127.0.0.1:1/${index}`);

/** A server that can be started again, with the same store. */
async function aServer(port: number, store: string, flags: readonly string[] = []): Promise<NatsServer> {
  const server = new NatsServer(port, store, flags);
  onTestFinished(() => server.kill());
  await server.start();
  return server;
}

/** A sender whose queue of one chunk is full, and its broker, which has just gone away. */
async function aLonelySender(command: readonly string[]) {
  const [port, cwd] = [await freePort(), await tempDir()];
  const store = join(cwd, 'store');
  const broker = await aServer(port, store);
  const on = ['--broker', broker.url, '--run', 'r'];
  const args = [...command, await aFile(LIST), ...on, '--chunk', '1', '--max-queued', '1'];
  const sender = startCli(args, { killAfterMs: 50_000, cwd });
  await statusWhen(on, ({ queued, underWay }) => queued + underWay > 0);
  await broker.kill();
  await sender.stderr.sees('lost the connection to the broker');
  return { sender, restart: (flags: readonly string[]) => aServer(port, store, flags) };
}

describe('a broker that is away', { timeout: 60_000 }, () => {
  it.each([
    [['cluster', 'feed'], ['SIGTERM'], 143],
    [['cluster', 'fetch', '--lanes', '1', '--rate', '1/m'], ['SIGINT', 'SIGINT'], 130],
  ] as const)('does not change how %j ends at %j', async (command, signals, code) => {
    const { sender } = await aLonelySender(command);
    const [first, second] = signals;
    sender.child.kill(first);
    if (second !== undefined) {
      await sender.stderr.sees('send it again to stop at once');
      sender.child.kill(second);
    }
    const ended = await sender.done;
    expect([ended.code, ended.stderr]).toEqual([code, expect.not.stringContaining('TimeoutError')]);
  });

  it('is waited for also when it refuses the credentials meanwhile', async () => {
    const { sender, restart } = await aLonelySender(['cluster', 'feed']);
    const other = await restart(['--auth', 'other']);
    await sender.stderr.sees('refuses the credentials: waiting until it accepts them');
    await other.kill();
    await restart([]);
    await sender.stderr.sees('connected to the broker');
    sender.child.kill('SIGTERM');
    const { code, stderr } = await sender.done;
    expect([code, stderr]).toEqual([143, expect.stringContaining('run the same command again to continue')]);
  });
});
