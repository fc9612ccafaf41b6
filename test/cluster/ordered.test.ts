import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { statusWhen } from './status-of.ts';

const SLOW = { killAfterMs: 60_000 };

function urlsInOrder(jsonl: string): string[] {
  return jsonl
    .trim()
    .split('\n')
    .map((line) => String(JSON.parse(line).url));
}

/** Lists of several hosts as one, a URL of each in turn. */
function interleaved(lists: readonly (readonly string[])[]): string[] {
  return (lists[0] ?? []).flatMap((_, at) => lists.map((list) => list[at] ?? ''));
}

describe('--ordered on many machines', { timeout: 90_000 }, () => {
  it.each([1, 8])(
    'writes in input order, despite a late chunk and a killed collector (%i partitions)',
    async (partitions) => {
      const [broker, cwd] = [await aNatsServer(), await tempDir()];
      const origins = await Promise.all(Array.from({ length: 6 }, () => anOrigin()));
      const late = `${origins[0]?.url}/gate/late`;
      const list = [late, ...interleaved(origins.map((origin) => urls(origin, '/ok', 100)))];
      const on = ['--broker', broker.url, '--run', 'order'];
      const layout = ['--chunk', '20', '--partitions', String(partitions)];
      expect((await runInProcess(['cluster', 'feed', await aFile(list), ...on, ...layout])).code).toBe(0);
      const output = join(cwd, 'out.jsonl');
      const collect = [
        'cluster',
        'collect',
        ...on,
        '--ordered',
        '--manifest',
        join(cwd, 'store.jsonl'),
        '--json',
        '-o',
        output,
        '--failed',
        join(cwd, 'failed.txt'),
      ];
      const killed = startCli(collect, SLOW);
      const workers = [1, 2, 3].map(() => startInProcess(['cluster', 'work', ...on]));
      await statusWhen(on, ({ done }) => done >= 5);
      killed.child.kill('SIGKILL');
      await killed.done;
      const collector = startInProcess(collect);
      await statusWhen(on, ({ done, collector }) => done >= 10 && collector === 'here');
      expect(await readFile(output, 'utf8')).toBe('');
      origins[0]?.open('late');
      const { code, stderr } = await collector.done;
      expect([code, stderr]).toEqual([0, expect.stringContaining('Done: 601 succeeded, 0 failed\n')]);
      expect(urlsInOrder(await readFile(output, 'utf8'))).toEqual(list);
      for (const worker of workers) expect((await worker.done).code).toBe(0);
    },
  );

  it('writes results before the end, also with cluster fetch', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = [...urls(origin, '/ok', 250), `${origin.url}/gate/last`];
    const on = ['--broker', broker.url, '--manifest', join(cwd, 'store.jsonl')];
    const run = startInProcess([
      'cluster',
      'fetch',
      await aFile(list),
      ...on,
      '--chunk',
      '50',
      '--ordered',
      '--json',
    ]);
    await run.stdout.sees('?n=249"');
    expect(urlsInOrder(run.stdout.text)).toEqual(list.slice(0, 250));
    origin.open('last');
    expect([(await run.done).code, urlsInOrder(run.stdout.text)]).toEqual([0, list]);
  });

  it('keeps the marks of --baseline and --flaky-after', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const [known, fresh] = [`${origin.url}/status/404`, `${origin.url}/status/500`];
    const list = [fresh, ...urls(origin, '/ok', 60), known, fresh];
    const baseline = await aFile([known], 'known.txt');
    const flags = [
      '--retries',
      '0',
      '--baseline',
      baseline,
      '--flaky-after',
      '2',
      '--flaky-state',
      join(cwd, 'state.jsonl'),
    ];
    const on = ['--broker', broker.url, '--manifest', join(cwd, 'store.jsonl')];
    const fetch = ['cluster', 'fetch', await aFile(list), ...on, '--chunk', '7'];
    const { code, stdout } = await runInProcess([...fetch, ...flags, '--ordered', '--json']);
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const failed = records.filter(({ ok }) => !ok);
    expect([code, records.map(({ url }) => url)]).toEqual([0, list]);
    expect(failed.map(({ baseline, badRuns }) => [baseline, badRuns])).toEqual([
      ['new', 1],
      ['known', undefined], // a 404 does not pass by itself
      ['new', 1],
    ]);
    expect(await readFile(join(cwd, 'state.jsonl'), 'utf8')).toMatch(/"badRuns":1}\n.*"badRuns":1}\n$/);
  });
});
