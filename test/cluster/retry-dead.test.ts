import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import type { Origin } from '../origin/origin.ts';
import { runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { urlsIn, urlsInFile } from './urls-in.ts';

const SLOW = { killAfterMs: 60_000 };

/** Kills a worker each time that it is at the gate `poison`, until its URL is given up. */
async function killWorkers(on: readonly string[], origin: Origin): Promise<void> {
  for (let deaths = 1; deaths <= 6; deaths++) {
    const work = startCli(['work', ...on], SLOW);
    await origin.waiting('poison', deaths);
    work.child.kill('SIGKILL');
    await work.done;
  }
}

describe('fanout dead retry', { timeout: 120_000 }, () => {
  it('sends the dead of a complete run as one more run, with their places and requests', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const job = { url: `${origin.url}/gate/poison`, method: 'POST', body: 'b', headers: { 'x-key': 'k' } };
    const list = [...urls(origin, '/ok', 5), JSON.stringify(job), ...urls(origin, '/ok/more', 5)];
    const at = (run: string) => ['--broker', broker.url, '--run', run];
    const source = await aFile(list);
    await runCli(['feed', source, ...at('r'), '--ack-wait', '1s', '--partitions', '2'], SLOW);
    await killWorkers(at('r'), origin);
    const early = await runCli(['dead', 'retry', ...at('r')], SLOW);
    expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('it is not complete')]);
    const work = startCli(['work', ...at('r')], SLOW);
    expect((await runCli(['collect', ...at('r'), '-q'], { ...SLOW, cwd })).code).toBe(1);
    await work.done;
    const told = 'the run "r-retry-1" has the 1 dead URLs of "r"';
    for (const _ of ['once', 'and again']) {
      const retry = await runCli(['dead', 'retry', ...at('r')], SLOW);
      expect([retry.code, retry.stderr]).toEqual([0, expect.stringContaining(told)]);
    }
    origin.open('poison');
    const again = startCli(['work', ...at('r-retry-1')], SLOW);
    const collect = await runCli(['collect', ...at('r-retry-1'), '--summary', 'json'], { ...SLOW, cwd });
    expect([collect.code, JSON.parse(collect.stderr)]).toMatchObject([0, { read: 1, ok: 1, failed: 0 }]);
    await again.done;
    const request = origin.log.at(-1);
    expect(request).toMatchObject({ method: 'POST', headers: { 'x-key': 'k' } });
    const retried = await readFile(join(cwd, 'fanout-r-retry-1.jsonl'), 'utf8');
    expect(JSON.parse(retried)).toMatchObject({ index: 5, source, line: 6, url: job.url, ok: true });
    // As the documentation says: the two files without the dead have each URL once.
    const first = await readFile(join(cwd, 'fanout-r.jsonl'), 'utf8');
    const living = first.split('\n').filter((line) => !line.includes('"code":"ERR_WORKER_DIED"'));
    const all = [...urls(origin, '/ok', 5), job.url, ...urls(origin, '/ok/more', 5)];
    expect(urlsIn(living.join('\n') + retried)).toEqual(all.toSorted());
    const next = await runCli(['dead', 'retry', ...at('r-retry-1')], SLOW);
    expect([next.code, next.stderr]).toEqual([0, expect.stringContaining('has no dead URLs')]);
  });

  it('has nothing to do with a URL that one worker gave up and another one finished', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = urls(origin, '/ok', 3);
    const on = ['--broker', broker.url, '--run', 'r'];
    await runCli(['feed', await aFile(list), ...on], SLOW);
    const engine = await openRun({ address: broker.address, run: 'r', warn: () => {} });
    onTestFinished(() => engine.close());
    const place = { index: 1, source: 's', line: 2 };
    await engine.addDeadLetter({
      index: 1,
      job: { ...place, request: { url: list[1] } },
      reason: 'it seemed so',
    });
    expect((await runCli(['dead', 'list', ...on], SLOW)).stdout).toContain('it seemed so');
    const work = startCli(['work', ...on], SLOW);
    expect((await runCli(['collect', ...on, '-q'], { ...SLOW, cwd })).code).toBe(0);
    await work.done;
    expect(await urlsInFile(join(cwd, 'fanout-r.jsonl'))).toEqual(list.toSorted());
    expect((await runCli(['dead', 'list', ...on], SLOW)).stdout).toBe('');
    expect((await runCli(['dead', 'retry', ...on], SLOW)).stderr).toContain('no dead URLs');
  });
});
