import { describe, expect, it } from 'vitest';
import { packResults } from '../../src/cluster/result-log.ts';
import { ResultSpool } from '../../src/cluster/result-spool.ts';
import { ShardFileWriter, ShardReader } from '../../src/cluster/shards.ts';
import { encodeSegment } from '../../src/model/result-line.ts';
import { okResult } from '../model/a-result.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { seededRandom } from '../seeded-random.ts';

const NEVER = new AbortController().signal;

/** The indexes of the chunks of a list: `count` jobs of as many hosts as there are partitions. */
function chunksOf(count: number, partitions: number, size: number, random: () => number): number[][] {
  const pending: number[][] = Array.from({ length: partitions }, () => []);
  const chunks: number[][] = [];
  for (let index = 0; index < count; index++) {
    const at = Math.floor(random() * partitions);
    pending[at]?.push(index);
    if (pending[at]?.length === size) chunks.push(pending.splice(at, 1, [])[0] ?? []);
  }
  return [...chunks, ...pending].filter(({ length }) => length > 0);
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

function pack(indexes: readonly number[]): Uint8Array {
  return packResults(
    indexes.map((index) => okResult({ index })),
    1_000_000,
  );
}

function add(spool: ResultSpool, indexes: readonly number[]): Promise<void> {
  return spool.add({ body: pack(indexes), first: indexes[0] ?? 0 });
}

/** Collects the indexes of all results; `indexes` can be read meanwhile. */
function taking(spool: ResultSpool) {
  const indexes: number[] = [];
  const done = (async () => {
    for await (const { index } of spool.results(NEVER)) indexes.push(index);
    return indexes;
  })();
  return { indexes, done };
}

describe('ResultSpool', () => {
  it.each([1, 2, 8])(
    'returns results in input order, in whatever order they arrive (%i partitions)',
    async (partitions) => {
      for (let seed = 1; seed <= 6; seed++) {
        const random = seededRandom(seed);
        const spool = await ResultSpool.create();
        const taken = taking(spool);
        for (const chunk of shuffled(chunksOf(400, partitions, 10, random), random)) {
          await add(spool, chunk);
          if (random() < 0.2) await new Promise((resolve) => setImmediate(resolve));
        }
        spool.end();
        expect(await taken.done).toEqual(Array.from({ length: 400 }, (_, index) => index));
      }
    },
  );

  it('waits for the next result, and skips missing ones only at the end', async () => {
    const spool = await ResultSpool.create();
    const { indexes, done } = taking(spool);
    await add(spool, [0, 1]);
    await add(spool, [4, 5]);
    while (indexes.length < 2) await new Promise((resolve) => setImmediate(resolve));
    await add(spool, [6, 7]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(indexes).toEqual([0, 1]);
    spool.end();
    expect(await done).toEqual([0, 1, 4, 5, 6, 7]);
  });

  it('returns a result as soon as it has come, before the end', async () => {
    const spool = await ResultSpool.create();
    const results = spool.results(NEVER);
    await add(spool, [2, 3]);
    await add(spool, [0, 1]);
    for (const index of [0, 1, 2, 3]) expect((await results.next()).value).toMatchObject({ index });
    await results.return();
  });

  it('ends at the signal, even while it waits', async () => {
    const spool = await ResultSpool.create();
    const quitting = new AbortController();
    const next = spool.results(quitting.signal).next();
    quitting.abort();
    expect((await next).done).toBe(true);
  });

  it('reads the results of segments from their shards, and says which one is lost', async () => {
    const directory = await tempDir();
    const shards = await ShardFileWriter.open(directory, 'w');
    const place = await shards.append(pack([0, 1]));
    await shards.close();
    const segment = { ...place, chunk: 0, count: 2, first: 0, ok: 2, failed: 0, worker: 'w' };
    for (const [sha256, expected] of [
      [segment.sha256, [0, 1]],
      ['0'.repeat(64), /cannot read the results of chunk 0 .* again for --ordered: it has other bytes/],
    ] as const) {
      const spool = await ResultSpool.create(new ShardReader(directory));
      await spool.add({ body: Buffer.from(encodeSegment({ ...segment, sha256 })), first: 0 });
      spool.end();
      const taken = taking(spool).done;
      if (expected instanceof RegExp) await expect(taken).rejects.toThrow(expected);
      else expect(await taken).toEqual(expected);
    }
  });
});
