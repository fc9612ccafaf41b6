import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LogEntry } from '../../src/cluster/chunk.ts';
import { LogConsumer } from '../../src/cluster/collector.ts';
import { packResults, SegmentReader } from '../../src/cluster/result-log.ts';
import { ResultStore } from '../../src/cluster/result-store.ts';
import type { SegmentFault } from '../../src/cluster/shards.ts';
import type { Result } from '../../src/model/result.ts';
import { encodeSegment, type ShardSegment } from '../../src/model/result-line.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { aSegment } from '../model/a-segment.ts';
import { tempDir } from '../origin/temp-dir.ts';

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
    segments:
      outcomes.length === 0 ? undefined : new SegmentReader({ shards, warn, signal, pausesMs: [0, 0, 0, 0] }),
    warn,
    onCounted: (segment) => void counted.push(segment),
  });
  return { consumer, store, warnings, counted, reads: () => reads };
}

describe('LogConsumer', () => {
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
      expect.stringMatching(/^the results of chunk \d+ are damaged and were dropped/),
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
      'the results of chunk 7 at 100 of host-1-0a1b2c3d.jsonl.gz cannot be read, other bytes: its chunk is not done; "fanout feed --reconcile" sends it again',
    ]);
  });

  it('waits once for a shard that is lost, and warns of three of its chunks', async () => {
    const { consumer, store, warnings, reads } = await aConsumer(MISSING, MISSING);
    for (let chunk = 0; chunk < 6; chunk++) await consumer.take(commit(aSegment({ chunk })));
    expect([store.done.count, reads()]).toEqual([0, 10]);
    expect(warnings.slice(3)).toEqual([expect.stringContaining('are not named one by one')]);
  });

  it.each([
    ['there is no shard at all', [MISSING], 'give --shards the directory'],
    ['the directory is unreadable', [UNREADABLE, UNREADABLE], 'i/o error; start again when it can be read'],
  ])('ends the run when %s, so that nothing is lost', async (_, outcomes, message) => {
    const { consumer, store } = await aConsumer(...outcomes);
    await expect(consumer.take(commit(aSegment()))).rejects.toThrow(message);
    expect(store.done.count).toBe(0);
  });
});
