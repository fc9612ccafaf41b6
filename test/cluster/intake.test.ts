import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LogEntry } from '../../src/cluster/chunk.ts';
import { LogConsumer } from '../../src/cluster/collector.ts';
import { packResults, SegmentSource } from '../../src/cluster/result-log.ts';
import { ResultStore } from '../../src/cluster/result-store.ts';
import type { SegmentFault } from '../../src/cluster/shards.ts';
import type { Result } from '../../src/model/result.ts';
import { encodeSegment, type ShardSegment } from '../../src/model/result-line.ts';
import { aFrame } from '../model/a-frame.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { tempDir } from '../origin/temp-dir.ts';

type Answer = readonly Result[] | SegmentFault;

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

function commit(frame: ShardSegment, changes: Partial<LogEntry> = {}): LogEntry {
  const body = Buffer.from(encodeSegment(frame));
  return {
    kind: 'commit',
    chunk: frame.chunk,
    count: frame.count,
    worker: 'host-1',
    body,
    sequence: 1,
    ...changes,
  };
}

/** An intake whose shards give these answers, one after the other and the last one again; without any it reads none. */
async function anIntake(...answers: readonly Answer[]) {
  const store = await ResultStore.open(join(await tempDir(), 'store'), 'r', { chunk: 5, partitions: 1 });
  onTestFinished(() => store.close());
  const said: string[] = [];
  const counted: ShardSegment[] = [];
  const warn = (text: string) => void said.push(text);
  let reads = 0;
  const shards = {
    directory: 'sh',
    read: async () => answers[Math.min(reads++, answers.length - 1)] ?? [],
    hasAny: async () => answers[0] !== MISSING || answers.length > 1,
  };
  const { signal } = new AbortController();
  const intake = new LogConsumer({
    store,
    maxCount: 5,
    frames:
      answers.length === 0 ? undefined : new SegmentSource({ shards, warn, signal, pausesMs: [0, 0, 0, 0] }),
    warn,
    onCounted: (frame) => void counted.push(frame),
  });
  return { intake, store, said, counted, reads: () => reads };
}

describe('Intake', () => {
  it('takes the first record of a chunk, of whichever kind, and counts the others', async () => {
    const { intake, store } = await anIntake(RESULTS);
    const results: LogEntry = { ...commit(aFrame()), kind: 'results', body: packResults(RESULTS, 10_000) };
    expect(await intake.take(commit(aFrame()))).toBe(RESULTS);
    expect(await intake.take(results)).toEqual([]);
    expect(await intake.take({ ...results, chunk: 8 })).toMatchObject(RESULTS);
    expect(await intake.take(commit(aFrame({ chunk: 8 })))).toEqual([]);
    expect([intake.duplicates, store.done.count]).toEqual([2, 2]);
  });

  it.each([
    ['no frame', { body: Buffer.from('{}') }],
    ['a path', { body: Buffer.from(encodeSegment(aFrame({ shard: '../x.jsonl.gz' }))) }],
    ['a frame of another chunk', { chunk: 8 }],
    ['another count', { count: 2 }],
    ['more results than a chunk has', commit(aFrame({ count: 6, ok: 5 }))],
    ['a chunk that no list has', commit(aFrame({ chunk: 10 ** 9 }))],
    ['results of which there are too many', { kind: 'results' as const, count: 6, body: SIX }],
  ])('drops a commit that is %s, and does not look for its file', async (_, changes) => {
    const { intake, store, said, reads } = await anIntake(RESULTS);
    expect(await intake.take({ ...commit(aFrame()), ...changes })).toEqual([]);
    expect([store.done.count, reads()]).toEqual([0, 0]);
    expect(said).toEqual([expect.stringMatching(/^the results of chunk \d+ are damaged and were dropped/)]);
  });

  it('counts frames alone where it has no shards', async () => {
    const { intake, store, counted } = await anIntake();
    expect(await intake.take(commit(aFrame()))).toEqual([]);
    expect([counted, store.done.has(7)]).toEqual([[aFrame()], true]);
  });

  it('waits for a shard that is late', async () => {
    const { intake, store, said } = await anIntake(MISSING, MISSING, RESULTS);
    expect(await intake.take(commit(aFrame()))).toBe(RESULTS);
    expect([store.done.has(7), said]).toEqual([true, []]);
  });

  it('leaves the chunk undone whose frame is damaged, without waiting, and says so', async () => {
    const { intake, store, said, reads } = await anIntake(DAMAGED);
    expect(await intake.take(commit(aFrame()))).toEqual([]);
    expect([store.done.has(7), reads()]).toEqual([false, 1]);
    expect(said).toEqual([
      'the results of chunk 7 at 100 of host-1-0a1b2c3d.jsonl.gz cannot be read, other bytes: its chunk is not done; "fanout feed --reconcile" sends it again',
    ]);
  });

  it('waits once for a shard that is lost, and names three of its chunks', async () => {
    const { intake, store, said, reads } = await anIntake(MISSING, MISSING);
    for (let chunk = 0; chunk < 6; chunk++) await intake.take(commit(aFrame({ chunk })));
    expect([store.done.count, reads()]).toEqual([0, 10]);
    expect(said.slice(3)).toEqual([expect.stringContaining('are not named one by one')]);
  });

  it.each([
    ['there is no shard at all', [MISSING], 'give --shards the directory'],
    ['nobody can tell', [UNREADABLE, UNREADABLE], 'i/o error; start again when it can be read'],
  ])('ends the run when %s, since then nothing is lost', async (_, answers, message) => {
    const { intake, store } = await anIntake(...answers);
    await expect(intake.take(commit(aFrame()))).rejects.toThrow(message);
    expect(store.done.count).toBe(0);
  });
});
