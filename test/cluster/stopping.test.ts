import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import type { Origin } from '../origin/origin.ts';
import { startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { statusOf, statusWhen } from './status-of.ts';
import { urlsIn, urlsInFile } from './urls-in.ts';

const SLOW = { killAfterMs: 60_000 };

interface Counts {
  readonly read: number;
  readonly ok: number;
  readonly failed: number;
  readonly skipped: number;
  readonly notFetched: number;
}

/** The summary that `--summary json` has put on standard error, among other lines. */
function summaryIn(stderr: string): Counts {
  return JSON.parse(stderr.split('\n').find((line) => line.startsWith('{')) ?? '');
}

function sumOf({ ok, failed, skipped, notFetched }: Counts): number {
  return ok + failed + skipped + notFetched;
}

/** The path of a file for the results of a collector. */
async function aStore(): Promise<string> {
  return join(await tempDir(), 'store.jsonl');
}

/** A list of URLs that are OK, with one that fails at this place. */
function withFailure(origin: Origin, count: number, place: number): string[] {
  const list = urls(origin, '/ok', count);
  list[place] = `${origin.url}/status/404`;
  return list;
}

describe('--fail-fast on many machines', { timeout: 90_000 }, () => {
  it.each([
    ['first', 0],
    ['middle', 1500],
    ['last', 2999],
  ])('stops the whole run when the %s URL fails, and the counts add up', async (_, place) => {
    const [broker, origin, store] = [await aNatsServer(), await anOrigin(), await aStore()];
    const gates = [5, 25, 45];
    const list = await aFile(
      withFailure(origin, 3000, place).map((url, at) =>
        gates.includes(at) ? `${origin.url}/gate/begun?n=${at}` : url,
      ),
    );
    const on = ['--broker', broker.url, '--run', 'fast'];
    const flags = ['--chunk', '20', '--max-queued', '10', '--ack-wait', '5s', '--partitions', '1'];
    const feed = startInProcess(['cluster', 'feed', list, ...on, ...flags]);
    await statusWhen(on, () => true);
    const workers = [1, 2, 3].map(() =>
      startInProcess(['cluster', 'work', ...on, '--lanes', '1', '--rate', '300/s']),
    );
    await origin.waiting('begun', 3); // one in the first chunk of each worker
    const collect = [
      'cluster',
      'collect',
      ...on,
      '--manifest',
      store,
      '-q',
      '--fail-fast',
      '--summary',
      'json',
    ];
    const collecting = startInProcess(collect);
    origin.open('begun');
    const { code, stdout, stderr } = await collecting.done;
    const counts = summaryIn(stderr);
    expect([code, stdout.match(/^FAIL {2}404/gm)?.length]).toEqual([1, 1]);
    expect(counts).toMatchObject({ read: 3000, failed: 1, skipped: 0 });
    expect([sumOf(counts), stderr.includes('does not respond')]).toEqual([3000, false]);
    for (const worker of workers) expect((await worker.done).code).toBe(0);
    const isLast = place === 2999;
    expect((await feed.done).code).toBe(isLast ? 0 : 1);
    expect((await statusOf(on))?.state).toBe(isLast ? 'complete' : 'stopped');
    expect(counts.notFetched > 0).toBe(!isLast);
    expect(origin.requests).toBe(counts.ok + counts.failed);
  });

  it('continues with the same commands, and then each URL has its result', async () => {
    const [broker, origin, store] = [await aNatsServer(), await anOrigin(), await aStore()];
    const urlsOfRun = withFailure(origin, 1000, 10);
    const list = await aFile(urlsOfRun);
    const on = ['--broker', broker.url, '--run', 'again'];
    const fetch = [
      'cluster',
      'fetch',
      list,
      ...on,
      '--chunk',
      '10',
      '--max-queued',
      '5',
      '--manifest',
      store,
      '--fail-fast',
      '-q',
    ];
    const rate = ['--rate', '200/s', '--summary', 'json'];
    const first = await runInProcess([...fetch, ...rate]);
    const counts = summaryIn(first.stderr);
    expect([first.code, counts.failed, sumOf(counts)]).toEqual([1, 1, 1000]);
    expect(counts.notFetched).toBeGreaterThan(500);
    for (const args of [
      ['cluster', 'feed', list, ...on],
      ['cluster', 'work', ...on],
    ]) {
      const refused = await runInProcess(args);
      expect([refused.code, refused.stderr]).toEqual([
        2,
        expect.stringContaining(
          'this run: it was stopped after its first failure; use "fanout cluster resume" or start "fanout cluster collect"',
        ),
      ]);
    }
    const status = await runInProcess(['cluster', 'status', ...on]);
    expect([status.code, status.stderr, status.stdout]).toEqual([
      1,
      '',
      expect.stringContaining(
        '): stopped after its first failure; use "fanout cluster resume", or run "fanout cluster collect" to continue',
      ),
    ]);
    const second = await runInProcess([...fetch, '--summary', 'json']);
    expect([second.code, summaryIn(second.stderr)]).toEqual([
      1,
      expect.objectContaining({ read: 1000, ok: 999, failed: 1, notFetched: 0 }),
    ]);
    expect(await urlsInFile(store)).toEqual(urlsOfRun.toSorted());
    expect((await statusOf(on))?.state).toBe('complete');
  });

  it('writes the partial results of a chunk, in order, and fetches only its rest later', async () => {
    const [broker, origin, store] = [await aNatsServer(), await anOrigin(), await aStore()];
    const other = await anOrigin();
    const slow = [...urls(origin, '/ok', 3), `${origin.url}/gate/slow`, ...urls(origin, '/ok/more', 16)];
    const list = [...slow, `${other.url}/status/404`, ...urls(other, '/ok', 19)];
    const on = ['--broker', broker.url, '--run', 'part'];
    const fetch = [
      'cluster',
      'fetch',
      await aFile(list),
      ...on,
      '--chunk',
      '20',
      '--per-host',
      '1',
      '--ordered',
      '--manifest',
      store,
    ];
    const run = startInProcess([...fetch, '--fail-fast', '--json']);
    await run.stderr.sees('the run was stopped after its first failure');
    origin.open('slow');
    const { code, stderr, stdout } = await run.done;
    const shown = stdout
      .trim()
      .split('\n')
      .map((line) => String(JSON.parse(line).url));
    expect([code, shown]).toEqual([1, [...slow.slice(0, 4), ...list.slice(20)]]);
    expect(stderr).toContain('Done: 23 succeeded, 1 failed, 16 not fetched\n');
    expect(await urlsInFile(store)).toEqual(shown.toSorted());
    const again = await runInProcess([...fetch, '-q']);
    expect([again.code, again.stderr]).toEqual([
      1,
      expect.stringContaining('Done: 39 succeeded, 1 failed\n'),
    ]);
    // Of the chunk that was not finished, only the rest.
    expect(origin.requests).toBe(20);
    expect(await urlsInFile(store)).toEqual(list.toSorted());
  });
});

describe('--max-failures N on many machines', { timeout: 90_000 }, () => {
  it('counts only what fails the run, also over a restart of the collector', async () => {
    const [broker, origin, store] = [await aNatsServer(), await anOrigin(), await aStore()];
    const known = urls(origin, '/status/410', 10);
    const first = [...known, ...urls(origin, '/status/404', 2), `${origin.url}/gate/wait`];
    const list = await aFile([
      ...first,
      ...urls(origin, '/status/404/more', 1),
      ...urls(origin, '/ok', 1500),
    ]);
    const on = ['--broker', broker.url, '--run', 'max'];
    await runInProcess(['cluster', 'feed', list, ...on, '--chunk', '1']);
    const flags = ['--max-failures', '3', '--baseline', await aFile(known, 'known.txt')];
    const collect = ['cluster', 'collect', ...on, '--manifest', store, '-q', '--summary', 'json', ...flags];
    const killed = startCli(collect, SLOW);
    const work = startInProcess(['cluster', 'work', ...on, '--lanes', '1']);
    await origin.waiting('wait');
    await statusWhen(on, ({ done }) => done >= 12);
    killed.child.kill('SIGKILL');
    await killed.done;
    const collector = startInProcess(collect);
    await statusWhen(on, ({ collector }) => collector === 'here');
    origin.open('wait');
    const { code, stderr } = await collector.done;
    expect([code, summaryIn(stderr)]).toEqual([
      1,
      expect.objectContaining({ read: 1514, known: 10, failed: 13 }),
    ]);
    expect(sumOf(summaryIn(stderr))).toBe(1514);
    expect((await work.done).code).toBe(0);
  });
});

describe('--deadline on many machines', { timeout: 90_000 }, () => {
  it('ends the requests in flight, and counts the rest as not fetched, also what feed has not read', async () => {
    const [broker, origin, store] = [await aNatsServer(), await anOrigin(), await aStore()];
    const list = [...urls(origin, '/ok', 25), `${origin.url}/gate/never`, ...urls(origin, '/ok/rest', 5000)];
    const on = ['--broker', broker.url, '--run', 'late'];
    const flags = ['--chunk', '10', '--max-queued', '3', '--rate', '20/s', '-c', '4', '--deadline', '2s'];
    const outputs = ['--manifest', store, '--json', '--summary', 'json'];
    const args = ['cluster', 'fetch', await aFile(list), ...on, ...flags, ...outputs];
    const { code, stdout, stderr } = await runInProcess(args);
    const counts = summaryIn(stderr);
    expect([code, counts.read, sumOf(counts)]).toEqual([1, 5026, 5026]);
    expect(counts.notFetched).toBeGreaterThan(4000);
    const failed = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ ok }) => !ok);
    // Another URL may be in flight at the deadline too.
    expect(failed.map(({ url }) => url)).toContain(`${origin.url}/gate/never`);
    expect(failed.length).toBeLessThanOrEqual(4);
    for (const { failure } of failed)
      expect([failure.kind, failure.code]).toEqual(['aborted', 'ERR_DEADLINE']);
    expect(stderr).toContain('stopped by its deadline of 2s');
    expect(await readFile(store, 'utf8')).toContain('/gate/never');
  });

  it('does not wait forever for a worker that hangs, or for a list that never ends', async () => {
    const [broker, origin, store] = [await aNatsServer(), await anOrigin(), await aStore()];
    const on = ['--broker', broker.url, '--run', 'hang'];
    const stdin = new PassThrough();
    const feed = startInProcess(['cluster', 'feed', '-', ...on, '--chunk', '1', '--ack-wait', '1s'], {
      stdin,
    });
    stdin.write(`${origin.url}/gate/hang\n${origin.url}/ok\n`);
    await statusWhen(on, () => true);
    const work = startCli(['cluster', 'work', ...on], SLOW);
    await origin.waiting('hang');
    work.child.kill('SIGSTOP');
    const collect = [
      'cluster',
      'collect',
      ...on,
      '--manifest',
      store,
      '-q',
      '--summary',
      'json',
      '--deadline',
      '1s',
    ];
    const { code, stderr } = await runInProcess(collect);
    const counts = summaryIn(stderr);
    expect([code, counts.read, sumOf(counts)]).toEqual([1, 2, 2]);
    expect(stderr).toContain('a worker that has chunks does not respond');
    const fed = await feed.done;
    expect([fed.code, fed.stderr]).toEqual([
      1,
      expect.stringContaining('it was stopped by its deadline of 1s'),
    ]);
    work.child.kill('SIGCONT');
    expect((await work.done).code).toBe(0);
  });
});

describe('--fail-fast with --store', { timeout: 90_000 }, () => {
  it.each([
    ['read', true],
    ['only counted', false],
  ])(
    'stops the run if shards are %s, with partial results of a chunk, and continues it',
    async (_, areRead) => {
      const [broker, origin, other, cwd] = [
        await aNatsServer(),
        await anOrigin(),
        await anOrigin(),
        await tempDir(),
      ];
      const slow = [...urls(origin, '/ok', 3), `${origin.url}/gate/slow`, ...urls(origin, '/ok/more', 16)];
      const list = [...slow, `${other.url}/status/404`, ...urls(other, '/ok', 19)];
      const on = ['--broker', broker.url, '--run', 'part'];
      expect((await runInProcess(['cluster', 'feed', await aFile(list), ...on, '--chunk', '20'])).code).toBe(
        0,
      );
      const [store, shards] = [join(cwd, 'store.jsonl'), ['--store', join(cwd, 'sh')]];
      const work = ['cluster', 'work', ...on, '--per-host', '1', ...shards];
      const worker = startInProcess(work);
      const collect = [
        'cluster',
        'collect',
        ...on,
        '--manifest',
        store,
        ...(areRead ? shards : []),
        '--json',
      ];
      const collecting = startInProcess([...collect, '--fail-fast']);
      await worker.stderr.sees('the run was stopped after its first failure');
      origin.open('slow');
      const stopped = await collecting.done;
      const done = [...slow.slice(0, 4), ...list.slice(20)];
      expect([stopped.code, stopped.stderr]).toEqual([
        1,
        expect.stringContaining('Done: 23 succeeded, 1 failed, 16 not fetched\n'),
      ]);
      if (areRead) expect(urlsIn(stopped.stdout)).toEqual(done.toSorted());
      expect((await worker.done).code).toBe(0);
      const report = ['report', store, ...shards, '--format', 'jsonl'];
      expect(urlsIn((await runInProcess(report)).stdout)).toEqual(done.toSorted());
      const again = startInProcess(collect);
      await statusWhen(on, ({ state }) => state !== 'stopped');
      const second = startInProcess(work);
      expect([(await again.done).code, (await second.done).code]).toEqual([1, 0]);
      expect(urlsIn((await runInProcess(report)).stdout)).toEqual(list.toSorted());
    },
  );
});
