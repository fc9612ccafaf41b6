import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { urlsIn, urlsInFile } from './urls-in.ts';

const SLOW = { killAfterMs: 60_000 };

/** Workers that die at a URL until it is given up: two with the whole chunk, and two with the URL only. */
const DEATHS = 4;

describe('a URL that kills its worker', { timeout: 120_000 }, () => {
  it('is found, given up, costs no other URL, and can be retried as a run of its own', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const job = { url: `${origin.url}/gate/poison`, method: 'POST', body: 'b', headers: { 'x-key': 'k' } };
    const [before, after] = [urls(origin, '/ok', 10), urls(origin, '/ok/more', 10)];
    const all = [...before, job.url, ...after].toSorted();
    const at = (run: string) => ['--broker', broker.url, '--run', run];
    const source = await aFile([...before, JSON.stringify(job), ...after]);
    await runInProcess(['cluster', 'feed', source, ...at('r'), '--ack-wait', '1s', '--partitions', '2']);
    for (let deaths = 1; deaths <= DEATHS; deaths++) {
      const work = startCli(['cluster', 'work', ...at('r')], SLOW);
      await origin.waiting('poison', deaths);
      work.child.kill('SIGKILL');
      await work.done;
    }
    const early = await runInProcess(['cluster', 'dead', 'retry', ...at('r')]);
    expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('it is not complete')]);

    const work = startInProcess(['cluster', 'work', ...at('r')]);
    const store = join(cwd, 'store.jsonl');
    const collect = await runInProcess(['cluster', 'collect', ...at('r'), '--manifest', store, '-q']);
    expect([collect.code, collect.stdout]).toEqual([
      1,
      expect.stringMatching(/^FAIL {2}internal .*workers died/),
    ]);
    expect((await work.done).code).toBe(0);
    expect(await urlsInFile(store)).toEqual(all);
    const listed = await runInProcess(['cluster', 'dead', 'list', ...at('r')]);
    expect(listed.stdout).toMatch(/urls\.txt:11 {2}http:.*\/gate\/poison {2}2 workers died/);
    const exported = await runInProcess(['cluster', 'dead', 'export', ...at('r')]);
    expect(JSON.parse(exported.stdout)).toEqual(job);
    const file = join(cwd, 'dead.jsonl');
    expect((await runInProcess(['cluster', 'dead', 'export', ...at('r'), '-o', file])).code).toBe(0);
    // Its headers and its body may be secrets.
    expect((await stat(file)).mode & 0o777).toBe(0o600);

    const message = 'the run "r-retry-1" has the 1 dead URLs of "r"';
    for (const _ of ['once', 'and again']) {
      const retry = await runInProcess(['cluster', 'dead', 'retry', ...at('r')]);
      expect([retry.code, retry.stderr]).toEqual([0, expect.stringContaining(message)]);
    }
    origin.open('poison');
    const again = startInProcess(['cluster', 'work', ...at('r-retry-1')]);
    const retryStore = ['--manifest', join(cwd, 'retry.jsonl')];
    const retried = await runInProcess([
      'cluster',
      'collect',
      ...at('r-retry-1'),
      ...retryStore,
      '--summary',
      'json',
    ]);
    expect([retried.code, JSON.parse(retried.stderr)]).toMatchObject([0, { read: 1, ok: 1, failed: 0 }]);
    await again.done;
    expect(origin.log.at(-1)).toMatchObject({ method: 'POST', headers: { 'x-key': 'k' } });
    const record = await readFile(join(cwd, 'retry.jsonl'), 'utf8');
    expect(JSON.parse(record)).toMatchObject({ index: 10, source, line: 11, url: job.url, ok: true });
    // As the documentation says: the two files without the dead have each URL once.
    const first = await readFile(store, 'utf8');
    const living = first.split('\n').filter((line) => !line.includes('"code":"ERR_WORKER_DIED"'));
    expect(urlsIn(living.join('\n') + record)).toEqual(all);
    const next = await runInProcess(['cluster', 'dead', 'retry', ...at('r-retry-1')]);
    expect([next.code, next.stderr]).toEqual([0, expect.stringContaining('has no dead URLs')]);
  });

  it('is not dead when one worker gave it up and another one finished it', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = urls(origin, '/ok', 3);
    const on = ['--broker', broker.url, '--run', 'r'];
    await runInProcess(['cluster', 'feed', await aFile(list), ...on]);
    const engine = await openRun({ address: broker.address, run: 'r', warn: () => {}, note: () => {} });
    onTestFinished(() => engine.close());
    const place = { index: 1, source: 's', line: 2 };
    await engine.addDeadLetter({
      index: 1,
      job: { ...place, request: { url: list[1] } },
      reason: 'it seemed so',
    });
    expect((await runInProcess(['cluster', 'dead', 'list', ...on])).stdout).toContain('it seemed so');
    const work = startInProcess(['cluster', 'work', ...on]);
    const store = join(cwd, 'store.jsonl');
    expect((await runInProcess(['cluster', 'collect', ...on, '--manifest', store, '-q'])).code).toBe(0);
    await work.done;
    expect(await urlsInFile(store)).toEqual(list.toSorted());
    expect((await runInProcess(['cluster', 'dead', 'list', ...on])).stdout).toBe('');
    expect((await runInProcess(['cluster', 'dead', 'retry', ...on])).stderr).toContain('no dead URLs');
  });
});

describe('workers that end at a second SIGTERM', { timeout: 120_000 }, () => {
  it('do not make the URL in flight a dead letter, and give its chunk back with the results so far', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = [...urls(origin, '/ok', 2), `${origin.url}/gate/slow`, ...urls(origin, '/ok/more', 2)];
    const on = ['--broker', broker.url, '--run', 'r'];
    await runInProcess(['cluster', 'feed', await aFile(list), ...on, '--ack-wait', '10m']);
    // With one lane, which has the chunk, none waits for the broker when the worker ends.
    for (let ends = 1; ends <= DEATHS + 1; ends++) {
      const work = startInProcess(['cluster', 'work', ...on, '--lanes', '1', '-c', '1']);
      await origin.waiting('slow', ends);
      work.kill('SIGTERM');
      await work.stderr.sees('send it again to return them at once');
      work.kill('SIGTERM');
      expect((await work.done).code).toBe(143);
    }
    origin.open('slow');
    const work = startInProcess(['cluster', 'work', ...on]);
    const store = ['--manifest', join(cwd, 'store.jsonl')];
    const collect = await runInProcess(['cluster', 'collect', ...on, ...store, '--summary', 'json']);
    expect([collect.code, JSON.parse(collect.stderr)]).toMatchObject([0, { read: 5, ok: 5, failed: 0 }]);
    expect((await work.done).code).toBe(0);
    expect((await runInProcess(['cluster', 'dead', 'list', ...on])).stdout).toBe('');
    // The slow URL once by each worker. The results before it were handed in.
    expect(origin.requests).toBeLessThan(3 * list.length);
  });
});
