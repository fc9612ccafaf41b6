import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';

const SLOW = { killAfterMs: 60_000 };

/** From the fourth on a chunk is fetched URL by URL, and the death of three more would give its URL up. */
const ENDS = 7;

describe('workers that are told to end at once', { timeout: 120_000 }, () => {
  it('do not bring down the URL that was under way, and give its chunk back', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = [...urls(origin, '/ok', 2), `${origin.url}/gate/slow`, ...urls(origin, '/ok/more', 2)];
    const on = ['--broker', broker.url, '--run', 'r'];
    await runCli(['feed', await aFile(list), ...on, '--ack-wait', '10m'], SLOW);
    for (let ends = 1; ends <= ENDS; ends++) {
      const work = startCli(['work', ...on], SLOW);
      await origin.waiting('slow', ends);
      work.child.kill('SIGTERM');
      await work.stderr.sees('once more to give them back at once');
      work.child.kill('SIGTERM');
      expect((await work.done).code).toBe(143);
    }
    origin.open('slow');
    const work = startCli(['work', ...on], SLOW);
    const collect = await runCli(['collect', ...on, '--summary', 'json'], { ...SLOW, cwd });
    expect([collect.code, JSON.parse(collect.stderr)]).toMatchObject([0, { read: 5, ok: 5, failed: 0 }]);
    expect((await work.done).code).toBe(0);
    expect((await runCli(['dead', 'list', ...on], SLOW)).stdout).toBe('');
  });
});
