import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { LogEntry } from '../../src/cluster/chunk.ts';
import { LogConsumer } from '../../src/cluster/collector.ts';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { packResults, SegmentReader } from '../../src/cluster/result-log.ts';
import { ResultStore } from '../../src/cluster/result-store.ts';
import type { SegmentFault } from '../../src/cluster/shards.ts';
import type { Result } from '../../src/model/result.ts';
import { encodeSegment, type ShardSegment } from '../../src/model/result-line.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess } from '../cli/run-in-process.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { aSegment } from '../model/a-segment.ts';
import { type CliRun, runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer, aNewRun } from './nats-server.ts';
import { statusWhen } from './status-of.ts';
import { urlsInFile } from './urls-in.ts';

const RESULTS = [20, 21, 22].map((index) =>
  index === 21 ? failedResult('dns', { index }) : okResult({ index }),
);
const SIX = packResults(
  Array.from({ length: 6 }, (_, index) => okResult({ index })),
  10_000,
);
const MISSING: SegmentFault = { fault: 'no such file', kind: 'missing' };
const DAMAGED: SegmentFault = { fault: 'other bytes', kind: 'damaged' };
const UNREADABLE: SegmentFault = { fault: 'i/o error', kind: 'unreadable' };

function commit(segment: ShardSegment, changes: Partial<LogEntry> = {}): LogEntry {
  const body = Buffer.from(encodeSegment(segment));
  return {
    kind: 'commit',
    chunk: segment.chunk,
    count: segment.count,
    worker: 'host-1',
    body,
    sequence: 1,
    ...changes,
  };
}

/** A consumer whose reads of shards have these outcomes, one after the other, then the last one again. Without any it has no shards. */
async function aConsumer(...outcomes: readonly (readonly Result[] | SegmentFault)[]) {
  const store = await ResultStore.open(join(await tempDir(), 'store'), 'r', { chunk: 5, partitions: 1 });
  onTestFinished(() => store.close());
  const warnings: string[] = [];
  const counted: ShardSegment[] = [];
  const warn = (text: string) => void warnings.push(text);
  let reads = 0;
  const shards = {
    directory: 'sh',
    read: async () => outcomes[Math.min(reads++, outcomes.length - 1)] ?? [],
    hasAny: async () => outcomes[0] !== MISSING || outcomes.length > 1,
  };
  const { signal } = new AbortController();
  const consumer = new LogConsumer({
    store,
    maxCount: 5,
    chunks: () => 100,
    segments:
      outcomes.length === 0 ? undefined : new SegmentReader({ shards, warn, signal, pausesMs: [0, 0, 0, 0] }),
    warn,
    onCounted: (segment) => void counted.push(segment),
  });
  return { consumer, store, warnings, counted, reads: () => reads };
}

describe('LogConsumer', () => {
  it('ignores results of a chunk that the run does not have', async () => {
    const { consumer, store, warnings } = await aConsumer(RESULTS);
    const results: LogEntry = { ...commit(aSegment()), kind: 'results', body: packResults(RESULTS, 10_000) };
    expect(await consumer.take({ ...results, chunk: 100 })).toEqual([]);
    expect([store.done.count, warnings]).toEqual([
      0,
      ['ignored results of chunk 100: the run has 100 chunks'],
    ]);
    expect(await consumer.take({ ...results, chunk: 99 })).toMatchObject(RESULTS);
  });

  it('takes the first record of a chunk, of either kind, and counts the others as duplicates', async () => {
    const { consumer, store } = await aConsumer(RESULTS);
    const results: LogEntry = { ...commit(aSegment()), kind: 'results', body: packResults(RESULTS, 10_000) };
    expect(await consumer.take(commit(aSegment()))).toBe(RESULTS);
    expect(await consumer.take(results)).toEqual([]);
    expect(await consumer.take({ ...results, chunk: 8 })).toMatchObject(RESULTS);
    expect(await consumer.take(commit(aSegment({ chunk: 8 })))).toEqual([]);
    expect([consumer.duplicates, store.done.count]).toEqual([2, 2]);
  });

  it.each([
    ['not a segment', { body: Buffer.from('{}') }],
    ['a path', { body: Buffer.from(encodeSegment(aSegment({ shard: '../x.jsonl.gz' }))) }],
    ['a segment of another chunk', { chunk: 8 }],
    ['another count', { count: 2 }],
    ['more results than a chunk has', commit(aSegment({ count: 6, ok: 5 }))],
    ['a chunk that no list has', commit(aSegment({ chunk: 10 ** 9 }))],
    ['results of which there are too many', { kind: 'results' as const, count: 6, body: SIX }],
  ])('drops a commit that is %s, and does not look for its file', async (_, changes) => {
    const { consumer, store, warnings, reads } = await aConsumer(RESULTS);
    expect(await consumer.take({ ...commit(aSegment()), ...changes })).toEqual([]);
    expect([store.done.count, reads()]).toEqual([0, 0]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^(the results of chunk \d+ are damaged and were dropped|ignored results of chunk 1000000000)/,
      ),
    ]);
  });

  it('only counts segments if it has no shards', async () => {
    const { consumer, store, counted } = await aConsumer();
    expect(await consumer.take(commit(aSegment()))).toEqual([]);
    expect([counted, store.done.has(7)]).toEqual([[aSegment()], true]);
  });

  it('waits for a shard that is late', async () => {
    const { consumer, store, warnings } = await aConsumer(MISSING, MISSING, RESULTS);
    expect(await consumer.take(commit(aSegment()))).toBe(RESULTS);
    expect([store.done.has(7), warnings]).toEqual([true, []]);
  });

  it('leaves a chunk undone if its segment is damaged, without waiting, and warns', async () => {
    const { consumer, store, warnings, reads } = await aConsumer(DAMAGED);
    expect(await consumer.take(commit(aSegment()))).toEqual([]);
    expect([store.done.has(7), reads()]).toEqual([false, 1]);
    expect(warnings).toEqual([
      'cannot read the results of chunk 7 at 100 of host-1-0a1b2c3d.jsonl.gz: other bytes; "fanout cluster feed --reconcile" sends its chunk again',
    ]);
  });

  it('waits once for a shard that is lost, and warns of three of its chunks', async () => {
    const { consumer, store, warnings, reads } = await aConsumer(MISSING, MISSING);
    for (let chunk = 0; chunk < 6; chunk++) await consumer.take(commit(aSegment({ chunk })));
    expect([store.done.count, reads()]).toEqual([0, 10]);
    expect(warnings.slice(3)).toEqual([expect.stringContaining('are not named one by one')]);
  });

  it.each([
    ['there is no shard at all', [MISSING], 'name the directory of the workers'],
    ['the directory is unreadable', [UNREADABLE, UNREADABLE], 'i/o error; start again when it can be read'],
  ])('ends the run when %s, so that nothing is lost', async (_, outcomes, message) => {
    const { consumer, store } = await aConsumer(...outcomes);
    await expect(consumer.take(commit(aSegment()))).rejects.toThrow(message);
    expect(store.done.count).toBe(0);
  });
});

const SLOW = { killAfterMs: 100_000 };
const MAX_LOG = 10;
const MAX_QUEUED = 10;
const LOOK_INTERVAL_MS = 100;

function started(args: readonly string[], cwd?: string): CliRun {
  const run = startCli(args, { ...SLOW, ...(cwd === undefined ? {} : { cwd }) });
  onTestFinished(() => {
    run.child.kill('SIGKILL');
  });
  return run;
}

/** Memory of a process in MB. */
async function residentMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

describe('the collector of a run', { timeout: 120_000 }, () => {
  it('is one at a time; after it was killed, the next one continues its file', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = [...urls(origin, '/ok', 100), `${origin.url}/gate/g`];
    const on = ['--broker', broker.url, '--run', 'heir'];
    expect((await runInProcess(['cluster', 'feed', await aFile(list), ...on, '--chunk', '10'])).code).toBe(0);
    started(['cluster', 'work', ...on]);
    const first = started(['cluster', 'collect', ...on], cwd);
    await statusWhen(on, ({ done }) => done === 10);
    const second = await runCli(['cluster', 'collect', ...on], { ...SLOW, cwd });
    expect([second.code, second.stderr]).toEqual([
      2,
      expect.stringContaining('another collector is running for this run at'),
    ]);
    first.child.kill('SIGKILL');
    await first.done;
    const heir = started(['cluster', 'collect', ...on, '--summary', 'json'], cwd);
    origin.open('g');
    const { code, stderr } = await heir.done;
    expect([code, JSON.parse(stderr)]).toEqual([0, expect.objectContaining({ read: 101, ok: 101 })]);
    expect(await urlsInFile(join(cwd, 'fanout-heir.jsonl'))).toEqual(list.toSorted());
  });

  it('empties a log that the broker has created again, with the same sequence numbers', async () => {
    const [broker, cwd] = [await aNatsServer(), await tempDir()];
    const [run, settings] = ['anew', { chunk: 1, partitions: 1, ackWaitMs: 2000, maxQueued: 10, maxLog: 10 }];
    const on = ['--broker', broker.url, '--run', run];
    const created = aNewRun({ ...settings, replicas: 1 });
    const engine = await openRun({ address: broker.address, run, warn: () => {}, note: () => {} }, created);
    onTestFinished(() => engine.close());
    started(['cluster', 'collect', ...on], cwd);
    const damaged = { kind: 'results', chunk: 0, count: 1, worker: 'w', body: Buffer.from('none') } as const;
    for (const time of ['before', 'after']) {
      if (time === 'after') {
        await broker.lose();
        await broker.start();
      }
      for (let record = 0; record < 2; record++)
        await engine.log.append(damaged, new AbortController().signal);
      await statusWhen(on, ({ uncollected }) => uncollected === 0);
    }
  });

  it.skipIf(process.platform !== 'linux')(
    'holds workers and sender back when it is slow, in bounded memory',
    async () => {
      const [broker, origin, cwd] = [await aNatsServer(), await anOrigin({ logLimit: 1 }), await tempDir()];
      const list = urls(origin, '/ok', 800);
      const run = 'slow';
      const on = ['--broker', broker.url, '--run', run];
      const bounds = ['--chunk', '10', '--max-queued', String(MAX_QUEUED), '--max-log', String(MAX_LOG)];
      const feed = started(['cluster', 'feed', await aFile(list), ...on, ...bounds]);
      await statusWhen(on, () => true);
      const workers = [1, 2].map(() => started(['cluster', 'work', ...on, '--lanes', '2']));
      const collect = started(['cluster', 'collect', ...on], cwd);
      await origin.received(50);
      collect.child.kill('SIGSTOP');
      const engine = await openRun({ address: broker.address, run, warn: () => {}, note: () => {} });
      onTestFinished(() => engine.close());
      // The first look waits until all are held back; for two seconds after that, none may go on.
      for (let look = 1; look <= 20; look++) {
        const { logged, inFlight, queued } = await vi.waitUntil(
          async () => {
            const stats = await engine.stats();
            const isHeld = stats.logged >= MAX_LOG && stats.inFlight === 4 && stats.queued > 0;
            return isHeld && stats;
          },
          { timeout: 30_000 },
        );
        expect(queued + inFlight).toBeLessThanOrEqual(MAX_QUEUED);
        // Each worker may have looked before the other has added its own.
        expect(logged).toBeLessThanOrEqual(workers.length * MAX_LOG);
        await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
      }
      expect(origin.requests).toBeLessThan(list.length / 2);
      expect(await residentMb(broker.pid)).toBeLessThan(60);
      for (const { child } of workers) expect(await residentMb(child.pid)).toBeLessThan(250);
      collect.child.kill('SIGCONT');
      expect((await collect.done).code).toBe(0);
      for (const { done } of [feed, ...workers]) expect((await done).code).toBe(0);
      expect(await urlsInFile(join(cwd, 'fanout-slow.jsonl'))).toEqual(list.toSorted());
      expect(origin.requests).toBe(list.length);
    },
  );
});
