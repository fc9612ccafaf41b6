import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { urlsInFile } from './urls-in.ts';

const SLOW = { killAfterMs: 60_000 };

describe('a URL that kills its worker', { timeout: 90_000 }, () => {
  it('is found, given up, and costs no other URL', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const poison = `${origin.url}/gate/poison`;
    const list = [...urls(origin, '/ok', 10), poison, ...urls(origin, '/ok/more', 10)];
    const on = ['--broker', broker.url, '--run', 'dead'];
    await runCli(['feed', await aFile(list), ...on, '--ack-wait', '1s'], SLOW);
    for (let deaths = 1; deaths <= 6; deaths++) {
      const work = startCli(['work', ...on], SLOW);
      await origin.waiting('poison', deaths);
      work.child.kill('SIGKILL');
      await work.done;
    }
    const work = startCli(['work', ...on], SLOW);
    const collect = await runCli(['collect', ...on, '-q'], { ...SLOW, cwd });
    expect([collect.code, collect.stdout]).toEqual([
      1,
      expect.stringMatching(/^FAIL {2}internal .*workers died/),
    ]);
    expect((await work.done).code).toBe(0);
    expect(await urlsInFile(join(cwd, 'fanout-dead.jsonl'))).toEqual(list.toSorted());
    const listed = await runCli(['dead', 'list', ...on], SLOW);
    expect(listed.stdout).toMatch(/urls\.txt:11 {2}http:.*\/gate\/poison {2}3 workers died/);
    const exported = await runCli(['dead', 'export', ...on], SLOW);
    expect(JSON.parse(exported.stdout)).toEqual({ url: poison });
  });
});
