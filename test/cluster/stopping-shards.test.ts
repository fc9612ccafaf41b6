import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { urlsIn } from './urls-in.ts';

const SLOW = { killAfterMs: 60_000 };

describe('--fail-fast with --shards', { timeout: 90_000 }, () => {
  it.each([
    ['read', ['--shards', 'sh']],
    ['counted alone', []],
  ])(
    'stops the run where shards are %s, with what workers have of a chunk, and goes on',
    async (_, shards) => {
      const [broker, origin, other, cwd] = [
        await aNatsServer(),
        await anOrigin(),
        await anOrigin(),
        await tempDir(),
      ];
      const slow = [...urls(origin, '/ok', 3), `${origin.url}/gate/slow`, ...urls(origin, '/ok/more', 16)];
      const list = [...slow, `${other.url}/status/404`, ...urls(other, '/ok', 19)];
      const on = ['--broker', broker.url, '--run', 'part'];
      expect((await runCli(['feed', await aFile(list), ...on, '--chunk', '20'], SLOW)).code).toBe(0);
      const work = ['work', ...on, '--per-host', '1', '--shards', 'sh'];
      const worker = startCli(work, { ...SLOW, cwd });
      const collect = ['collect', ...on, ...shards, '--json'];
      const collecting = startCli([...collect, '--fail-fast'], { ...SLOW, cwd });
      await worker.stderr.sees('the run was stopped after its first failure');
      origin.open('slow');
      const stopped = await collecting.done;
      const done = [...slow.slice(0, 4), ...list.slice(20)];
      expect([stopped.code, stopped.stderr]).toEqual([
        1,
        expect.stringContaining('Done: 23 succeeded, 1 failed, 16 not fetched\n'),
      ]);
      if (shards.length > 0) expect(urlsIn(stopped.stdout)).toEqual(done.toSorted());
      expect((await worker.done).code).toBe(0);
      const store = join(cwd, 'fanout-part.jsonl');
      const report = ['report', store, '--shards', join(cwd, 'sh'), '--format', 'jsonl'];
      expect(urlsIn((await runCli(report, SLOW)).stdout)).toEqual(done.toSorted());
      const again = startCli(collect, { ...SLOW, cwd });
      while (JSON.parse((await runCli(['status', ...on, '--json'], SLOW)).stdout).state === 'stopped');
      const second = startCli(work, { ...SLOW, cwd });
      expect([(await again.done).code, (await second.done).code]).toEqual([1, 0]);
      expect(urlsIn((await runCli(report, SLOW)).stdout)).toEqual(list.toSorted());
    },
  );
});
