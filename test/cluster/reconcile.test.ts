import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { urlsInFile } from './urls-in.ts';

const SLOW = { killAfterMs: 60_000 };

async function stateOf(on: readonly string[]): Promise<unknown> {
  const { code, stdout } = await runCli(['status', ...on, '--json'], SLOW);
  return code === 0 ? JSON.parse(stdout).state : undefined;
}

describe('feed --reconcile', { timeout: 90_000 }, () => {
  it('makes a run whole whose broker has lost everything', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = urls(origin, '/ok', 2000);
    const on = ['--broker', broker.url, '--run', 'lost'];
    const feed = ['feed', await aFile(list), ...on, '--chunk', '50', '--ack-wait', '1s'];
    expect((await runCli(feed, SLOW)).code).toBe(0);
    const collect = startCli(['collect', ...on, '-q'], { ...SLOW, cwd });
    const work = startCli(['work', ...on, '-c', '2', '--host-rate', '500/s'], SLOW);
    await origin.received(900);
    await broker.lose();
    await broker.start();
    while ((await stateOf(on)) !== 'short');
    const plain = await runCli(feed.slice(0, -4).concat('--chunk', '51'), SLOW);
    expect([plain.code, plain.stderr]).toEqual([2, expect.stringContaining('Cannot change chunk')]);
    expect((await runCli([...feed, '--reconcile'], SLOW)).code).toBe(0);
    expect((await collect.done).code).toBe(0);
    expect((await work.done).code).toBe(0);
    expect(await urlsInFile(join(cwd, 'fanout-lost.jsonl'))).toEqual(list.toSorted());
    expect(await stateOf(on)).toBe('complete');
  });

  it('needs a collector, since only that knows what is missing', async () => {
    const broker = await aNatsServer();
    const file = await aFile(['http://127.0.0.1:1/']);
    const args = ['feed', file, '--broker', broker.url, '--run', 'r'];
    expect((await runCli(args, SLOW)).code).toBe(0);
    const { code, stderr } = await runCli([...args, '--reconcile'], SLOW);
    expect([code, stderr]).toEqual([2, expect.stringContaining('there is no collector')]);
  });
});
