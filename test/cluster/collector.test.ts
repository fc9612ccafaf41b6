import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Commit, LogEntry } from '../../src/cluster/chunk.ts';
import { CommitReader, type CountedCommit, type KeptCommit } from '../../src/cluster/collector.ts';
import { type JetStreamEngine, openRun } from '../../src/cluster/jetstream-engine.ts';
import { runNames } from '../../src/cluster/jetstream-setup.ts';
import { packResults, SegmentReader } from '../../src/cluster/result-log.ts';
import { COMPLETE_KEY, END_KEY, FED_KEY } from '../../src/cluster/run-state.ts';
import type { SegmentFault } from '../../src/cluster/shards.ts';
import type { Result } from '../../src/model/result.ts';
import { encodeSegment, type ShardSegment } from '../../src/model/result-line.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { aSegment } from '../model/a-segment.ts';
import { type CliRun, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer, aNewRun, type NatsServer } from './nats-server.ts';
import { statusOf, statusWhen } from './status-of.ts';
import { urlsInFile } from './urls-in.ts';

const RESULTS = [20, 21, 22].map((index) =>
  index === 21 ? failedResult('dns', { index }) : okResult({ index }),
);
const COUNTS = { ok: 2, failed: 1, worker: 'host-1' };
const SIX = packResults(
  Array.from({ length: 6 }, (_, index) => okResult({ index })),
  10_000,
);
const MISSING: SegmentFault = { fault: 'no such file', kind: 'missing' };
const DAMAGED: SegmentFault = { fault: 'other bytes', kind: 'damaged' };
const UNREADABLE: SegmentFault = { fault: 'i/o error', kind: 'unreadable' };

/** The commit of a chunk whose results are in a shard. */
function inShard(segment: ShardSegment, changes: Partial<LogEntry> = {}): LogEntry {
  const { chunk, ok, failed } = segment;
  const body = Buffer.from(encodeSegment(segment));
  const place = { sequence: chunk + 1, timeMs: 0, isReplacement: false };
  return { kind: 'segment', chunk, ok, failed, worker: 'host-1', body, ...place, ...changes };
}

/** The commit of a chunk with its results. */
function inLog(chunk: number, changes: Partial<LogEntry> = {}): LogEntry {
  const body = packResults(RESULTS, 10_000);
  return { ...inShard(aSegment({ chunk })), kind: 'results', ...COUNTS, body, ...changes };
}

/** A reader whose reads of shards have these outcomes, one after the other, then the last one again. Without any it has no shards. */
function aReader(outcomes: readonly (readonly Result[] | SegmentFault)[] = [], headersOnly = false) {
  const warnings: string[] = [];
  const counted: CountedCommit[] = [];
  const kept: KeptCommit[] = [];
  const warn = (text: string) => void warnings.push(text);
  let reads = 0;
  const shards = {
    place: 'sh',
    read: async () => outcomes[Math.min(reads++, outcomes.length - 1)] ?? [],
    hasAny: async () => outcomes[0] !== MISSING || outcomes.length > 1,
  };
  const { signal } = new AbortController();
  const reader = new CommitReader({
    headersOnly,
    maxCount: 5,
    segments:
      outcomes.length === 0 ? undefined : new SegmentReader({ shards, warn, signal, pausesMs: [0, 0, 0, 0] }),
    warn,
    onCounted: (one) => void counted.push(one),
    onTaken: async (one) => void kept.push(one),
  });
  return { reader, warnings, counted, kept, reads: () => reads };
}

describe('CommitReader', () => {
  it('takes the first commit of a chunk, of either kind, and drops the others', async () => {
    const { reader, warnings, kept } = aReader([RESULTS]);
    expect(await reader.take(inShard(aSegment()))).toBe(RESULTS);
    expect(await reader.take(inLog(7, { sequence: 9 }))).toEqual([]);
    expect(await reader.take(inLog(8))).toMatchObject(RESULTS);
    expect(await reader.take(inShard(aSegment({ chunk: 8 })))).toEqual([]);
    expect([reader.done.count, warnings]).toEqual([2, []]);
    expect(kept.map(({ first, lines }) => [first, lines().length])).toEqual([
      [20, 1],
      [20, 3],
    ]);
  });

  const segment = aSegment();
  it.each([
    ['not a segment', { body: Buffer.from('{}') }],
    ['a path', { body: Buffer.from(encodeSegment(aSegment({ shard: '../x.jsonl.gz' }))) }],
    ['a segment of another chunk', { chunk: 8 }],
    ['another number of OK results', { ok: 1, failed: 2 }],
    ['more results than a chunk has', inShard(aSegment({ count: 6, ok: 5 }))],
    ['a chunk that no list has', inShard(aSegment({ chunk: 10 ** 9 }))],
    ['results of which there are too many', { kind: 'results' as const, ok: 6, failed: 0, body: SIX }],
    ['fewer results than it says', inLog(7, { ok: 3 })],
    ['other results than it says', inLog(7, { ok: 1, failed: 2 })],
    ['results that are damaged', inLog(7, { body: Buffer.from('none') })],
    ['without results', { ok: 0, failed: 0 }],
  ])('refuses a commit that is %s, with one warning, and does not look for its file', async (_, changes) => {
    const { reader, warnings, kept, reads } = aReader([RESULTS]);
    const entry = { ...inShard(segment), ...changes };
    for (const _ of ['once', 'and after a lost connection']) expect(await reader.take(entry)).toEqual([]);
    expect([reader.done.count, reads(), kept, [...reader.refused.keys()]]).toEqual([0, 0, [], [entry.chunk]]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^ignored results of chunk \d+: they are damaged; "fanout cluster feed --reconcile"/,
      ),
    ]);
  });

  it('takes a commit after one of the same chunk that was refused', async () => {
    const { reader } = aReader();
    expect(await reader.take(inLog(7, { body: Buffer.from('none') }))).toEqual([]);
    expect(await reader.take(inLog(7, { sequence: 20 }))).toMatchObject(RESULTS);
  });

  it('warns once of a commit that has replaced the one that was taken', async () => {
    const { reader, warnings } = aReader();
    await reader.take(inLog(7));
    for (const _ of ['once', 'and after a lost connection'])
      await reader.take(inLog(7, { sequence: 20, isReplacement: true }));
    expect(warnings).toEqual([expect.stringContaining('they have replaced wrong ones')]);
    const fresh = aReader();
    for (const _ of ['once', 'and after a lost connection'])
      await fresh.reader.take(inLog(7, { sequence: 20, isReplacement: true }));
    expect(fresh.warnings).toEqual([]);
  });

  it('only counts what the headers say if that is wanted', async () => {
    const { reader, counted, kept } = aReader([RESULTS], true);
    const body = new Uint8Array(0);
    for (const entry of [inLog(7, { body }), inShard(aSegment({ chunk: 8 }), { body }), inLog(9, { ok: 9 })])
      expect(await reader.take(entry)).toEqual([]);
    expect(counted).toEqual([
      { ok: 2, failed: 1 },
      { ok: 2, failed: 1 },
    ]);
    expect([kept, reader.done.count]).toEqual([[], 2]);
  });

  it('only counts segments if it has no shards', async () => {
    const { reader, counted, kept } = aReader();
    expect(await reader.take(inShard(segment))).toEqual([]);
    expect([counted, reader.done.has(7)]).toEqual([[{ ok: 2, failed: 1, segment }], true]);
    expect(kept.map(({ lines }) => lines())).toEqual([[encodeSegment(segment)]]);
  });

  it('waits for a shard that is late', async () => {
    const { reader, warnings } = aReader([MISSING, MISSING, RESULTS]);
    expect(await reader.take(inShard(segment))).toBe(RESULTS);
    expect([reader.done.has(7), warnings]).toEqual([true, []]);
  });

  it('leaves a chunk undone if its segment is damaged, without waiting, and warns', async () => {
    const { reader, warnings, reads, kept } = aReader([DAMAGED]);
    expect(await reader.take(inShard(segment))).toEqual([]);
    expect([reader.done.has(7), reads(), kept]).toEqual([false, 1, []]);
    expect(warnings).toEqual([
      'cannot read the results of chunk 7 at 100 of host-1-0a1b2c3d.jsonl.gz: other bytes; "fanout cluster feed --reconcile" sends its chunk again',
    ]);
  });

  it('waits once for a shard that is lost, and warns of three of its chunks', async () => {
    const { reader, warnings, reads } = aReader([MISSING, MISSING]);
    for (let chunk = 0; chunk < 6; chunk++) await reader.take(inShard(aSegment({ chunk })));
    expect([reader.done.count, reads(), reader.refused.size]).toEqual([0, 10, 6]);
    expect(warnings.slice(3)).toEqual([expect.stringContaining('are not named one by one')]);
  });

  it.each([
    ['there is no shard at all', [MISSING], 'name the directory of the workers'],
    ['the directory is unreadable', [UNREADABLE, UNREADABLE], 'i/o error; start again when it can be read'],
  ])('ends the run when %s, so that nothing is lost', async (_, outcomes, message) => {
    const { reader } = aReader(outcomes);
    await expect(reader.take(inShard(segment))).rejects.toThrow(message);
    expect(reader.done.count).toBe(0);
  });
});

const SETTINGS = { chunk: 3, partitions: 1, ackWaitMs: 2000, maxQueued: 10, replicas: 1 };

/** A run of three chunks of three URLs each, all of which were sent. */
async function aRun(broker: NatsServer): Promise<JetStreamEngine> {
  const address = { address: broker.address, run: 'r', warn: () => {}, note: () => {} };
  const engine = await openRun(address, aNewRun(SETTINGS));
  onTestFinished(() => engine.close());
  await engine.setState(END_KEY, { chunks: 3, read: 9, skipped: 0, jobs: 9, sha256: '' });
  return engine;
}

function commitOf(chunk: number, count = 3): Commit {
  const results = Array.from({ length: count }, (_, at) => okResult({ index: 3 * chunk + at }));
  return { kind: 'results', chunk, ok: count, failed: 0, worker: 'w', body: packResults(results, 10_000) };
}

const NEVER = new AbortController().signal;

describe('the log of a run', { timeout: 60_000 }, () => {
  it('has the first commit of a chunk when several workers have fetched it', async () => {
    const engine = await aRun(await aNatsServer());
    const stored = await Promise.all(
      ['a', 'b', 'c'].map((worker) => engine.log.append({ ...commitOf(0), worker }, NEVER)),
    );
    expect(stored.filter(Boolean)).toHaveLength(1);
    expect(await engine.log.append(commitOf(0), NEVER)).toBe(false);
    expect((await engine.stats()).committed).toBe(1);
  });

  it('replaces a message that cannot be the commit of its chunk, and collectors say so', async () => {
    const broker = await aNatsServer();
    const engine = await aRun(broker);
    for (const commit of [commitOf(1, 1), commitOf(0), commitOf(2)]) await engine.log.append(commit, NEVER);
    const collect = [
      'cluster',
      'collect',
      '--broker',
      broker.url,
      '--run',
      'r',
      '--json',
      '--summary',
      'json',
    ];
    const wrong = await runInProcess(collect);
    expect([wrong.code, wrong.stderr]).toEqual([
      70,
      expect.stringContaining('error: the chunks of this run have 7 results, and its list has 9 URLs'),
    ]);
    expect(await statusOf(['--broker', broker.url, '--run', 'r'])).toMatchObject({ state: 'fetched' });
    expect(await engine.log.append(commitOf(1), NEVER)).toBe(true);
    const right = await runInProcess(collect);
    expect([right.code, right.stdout.trim().split('\n').length]).toEqual([0, 9]);
    expect((await engine.stats()).committed).toBe(3);
  });

  it('is read without a chunk that the run does not have', async () => {
    const broker = await aNatsServer();
    const engine = await aRun(broker);
    for (const chunk of [777, 0, 1, 2]) await engine.log.append(commitOf(chunk), NEVER);
    const { code, stdout, stderr } = await runInProcess([
      'cluster',
      'collect',
      '--broker',
      broker.url,
      '--run',
      'r',
      '--json',
    ]);
    expect([code, stdout.trim().split('\n').length]).toEqual([0, 9]);
    expect(stderr).toContain('warning: ignored results of chunk 777: the run has 3 chunks\n');
    const on = ['--broker', broker.url, '--run', 'r'];
    expect(await statusOf(on)).toMatchObject({ state: 'complete', done: 3, ok: 9 });
  });

  it.each([
    ['of another run', { 'Fanout-V': '1', 'Fanout-Run': 'other' }, 'it belongs to the run other'],
    ['of another program', {}, 'it is no message of fanout'],
  ])('has the commit of a chunk that replaces a message %s', async (_, fields, fault) => {
    const broker = await aNatsServer();
    const engine = await aRun(broker);
    await publish(broker, engine, fields);
    for (const chunk of [0, 1, 2]) expect(await engine.log.append(commitOf(chunk), NEVER)).toBe(true);
    const { code, stdout, stderr } = await runInProcess(collectOf(broker));
    expect([code, stdout.trim().split('\n').length, stderr]).toEqual([
      0,
      9,
      expect.not.stringContaining(fault),
    ]);
  });

  it('keeps the commit of a newer version, which ends a collector that cannot read it', async () => {
    const broker = await aNatsServer();
    const engine = await aRun(broker);
    await publish(broker, engine, { 'Fanout-V': '2', 'Fanout-Run': engine.record.id });
    expect(await engine.log.append(commitOf(1), NEVER)).toBe(false);
    const { code, stderr } = await runInProcess(collectOf(broker));
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(
        'cannot read the results of chunk 1: it has version 2, and this fanout reads version 1',
      ),
    ]);
  });
});

function collectOf(broker: NatsServer): readonly string[] {
  return ['cluster', 'collect', '--broker', broker.url, '--run', 'r', '--json'];
}

/** Publishes a message with these headers in the place of chunk 1. */
async function publish(
  broker: NatsServer,
  engine: JetStreamEngine,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  const connection = await connect({ servers: broker.url });
  const head = headers();
  for (const [name, value] of Object.entries(fields)) head.set(name, value);
  const subject = runNames(engine.record.id).logSubject(1);
  await jetstream(connection).publish(subject, 'none', { headers: head });
  await connection.close();
}

const SLOW = { killAfterMs: 100_000 };
function started(args: readonly string[], cwd?: string): CliRun {
  const run = startCli(args, { ...SLOW, ...(cwd === undefined ? {} : { cwd }) });
  onTestFinished(() => {
    run.child.kill('SIGKILL');
  });
  return run;
}

describe('the collectors of a run', { timeout: 120_000 }, () => {
  it('end with a run without URLs', async () => {
    const broker = await aNatsServer();
    const on = ['--broker', broker.url, '--run', 'none'];
    expect((await runInProcess(['cluster', 'feed', await aFile([]), ...on, '--allow-empty'])).code).toBe(0);
    const { code, stdout } = await runInProcess(['cluster', 'collect', ...on, '--json', '--ordered']);
    expect([code, stdout]).toEqual([0, '']);
    expect(await statusOf(on)).toMatchObject({ state: 'complete', chunks: 0, done: 0 });
  });

  it('all end when one of them stops the run', async () => {
    const [broker, origin] = [await aNatsServer(), await anOrigin()];
    const list = [`${origin.url}/status/404`, ...urls(origin, '/ok', 500)];
    const on = ['--broker', broker.url, '--run', 'stop'];
    await runInProcess(['cluster', 'feed', await aFile(list), ...on, '--chunk', '10', '--ack-wait', '5s']);
    const collect = ['cluster', 'collect', ...on, '--json', '--summary', 'json'];
    const follower = startInProcess(collect);
    const stopper = startInProcess([...collect, '--fail-fast']);
    await statusWhen(on, ({ collector }) => collector === 'here');
    const work = startInProcess(['cluster', 'work', ...on, '--rate', '100/s', '--lanes', '1']);
    for (const { done } of [stopper, follower]) {
      const { code, stdout, stderr } = await done;
      const counts = JSON.parse(/^\{.*/m.exec(stderr)?.[0] ?? '');
      expect([code, counts.read, counts.failed]).toEqual([1, 501, 1]);
      expect(stdout.trim().split('\n')).toHaveLength(counts.ok + 1);
      expect(counts.ok + counts.failed).toBe(origin.requests);
    }
    expect((await work.done).code).toBe(0);
    expect((await statusOf(on))?.state).toBe('stopped');
  });

  it('may be several, and one that is started after another was killed writes all results', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = [...urls(origin, '/ok', 100), `${origin.url}/gate/g`];
    const on = ['--broker', broker.url, '--run', 'heir'];
    expect((await runInProcess(['cluster', 'feed', await aFile(list), ...on, '--chunk', '10'])).code).toBe(0);
    startInProcess(['cluster', 'work', ...on]);
    const collect = ['cluster', 'collect', ...on, '--summary', 'json', '--json', '-o'];
    const first = started([...collect, 'first.jsonl'], cwd);
    await statusWhen(on, ({ done, collector }) => done === 10 && collector === 'here');
    const second = startInProcess([...collect, join(cwd, 'second.jsonl')]);
    first.child.kill('SIGKILL');
    await first.done;
    const heir = startInProcess([...collect, join(cwd, 'heir.jsonl')]);
    origin.open('g');
    for (const run of [heir, second]) {
      const { code, stderr } = await run.done;
      expect([code, JSON.parse(stderr)]).toEqual([0, expect.objectContaining({ read: 101, ok: 101 })]);
    }
    for (const name of ['heir', 'second'])
      expect(await urlsInFile(join(cwd, `${name}.jsonl`))).toEqual(list.toSorted());
    const late = await runInProcess(['cluster', 'collect', ...on, '--silent']);
    expect([late.code, late.stdout, late.stderr]).toEqual([0, '', '']);
  });

  it('take commits that came before the broker knew how much of the list was sent', async () => {
    const broker = await aNatsServer();
    const address = { address: broker.address, run: 'r', warn: () => {}, note: () => {} };
    const engine = await openRun(address, aNewRun(SETTINGS));
    onTestFinished(() => engine.close());
    for (const chunk of [1, 777, 0]) await engine.log.append(commitOf(chunk), NEVER);
    const collect = startInProcess(collectOf(broker));
    const on = ['--broker', broker.url, '--run', 'r'];
    await statusWhen(on, ({ collector }) => collector === 'here');
    await engine.setState(FED_KEY, { chunks: 1, read: 3, skipped: 0 });
    await collect.stdout.sees('"index":2');
    await engine.log.append(commitOf(2), NEVER);
    await engine.setState(END_KEY, { chunks: 3, read: 9, skipped: 0, jobs: 9, sha256: '' });
    const { code, stdout, stderr } = await collect.done;
    expect([code, stdout.trim().split('\n').length, stderr]).toEqual([
      0,
      9,
      expect.stringContaining('ignored results of chunk 777: the run has 3 chunks\n'),
    ]);
  });

  it('says which chunks are missing when the broker has lost data, and goes on with what it has', async () => {
    const broker = await aNatsServer();
    const engine = await aRun(broker);
    await engine.log.append(commitOf(0), NEVER);
    const collect = startInProcess(['cluster', 'collect', '--broker', broker.url, '--run', 'r', '--json']);
    await collect.stdout.sees('"index":2');
    await broker.lose();
    await broker.start();
    await collect.stderr.sees('the broker has lost data of this run: 1 chunks were collected before');
    await collect.stderr.sees('2 chunks have no results, and no worker has them');
    for (const chunk of [2, 1, 0]) await engine.log.append(commitOf(chunk), NEVER);
    const { code, stdout } = await collect.done;
    const indexes = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).index);
    expect([code, indexes]).toEqual([0, [0, 1, 2, 6, 7, 8, 3, 4, 5]]);
  });

  it('end with what is missing if another one has completed the run', async () => {
    const broker = await aNatsServer();
    const engine = await aRun(broker);
    await engine.log.append(commitOf(0), NEVER);
    await engine.setState(COMPLETE_KEY, true);
    const on = ['--broker', broker.url, '--run', 'r'];
    const { code, stdout, stderr } = await runInProcess(['cluster', 'collect', ...on, '--json']);
    expect([code, stdout.trim().split('\n').length]).toEqual([1, 3]);
    expect(stderr).toContain(
      'warning: another collector has completed this run with the results of 2 chunks',
    );
    expect(stderr).toContain('6 not fetched');
  });
});
