import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OrderedReader } from '../../src/cluster/ordered-reader.ts';
import { ResultStore } from '../../src/cluster/result-store.ts';
import { encodeRecord } from '../../src/model/record.ts';
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

function textOf(chunk: readonly number[]): string {
  return chunk.map((index) => `${encodeRecord(okResult({ index, url: `http://h/${index}` }))}\n`).join('');
}

function add(store: ResultStore, id: number, chunk: readonly number[]): void {
  store.add(id, textOf(chunk), chunk[0] ?? 0);
}

async function watched(path: string, partitions: number) {
  const store = await ResultStore.open(path, 'r', { chunk: 10, partitions });
  const reader = new OrderedReader(path);
  store.watch(reader);
  return { store, reader };
}

/** Collects the indexes of all results; `indexes` can be read meanwhile. */
function taking(reader: OrderedReader) {
  const indexes: number[] = [];
  const done = (async () => {
    for await (const { index } of reader.results(NEVER)) indexes.push(index);
    return indexes;
  })();
  return { indexes, done };
}

describe('OrderedReader', () => {
  it.each([1, 2, 8])(
    'returns results in input order, in whatever order they arrive (%i partitions)',
    async (partitions) => {
      for (let seed = 1; seed <= 6; seed++) {
        const random = seededRandom(seed);
        const chunks = shuffled([...chunksOf(400, partitions, 10, random).entries()], random);
        const path = join(await tempDir(), 'results.jsonl');
        const first = await watched(path, partitions);
        const half = Math.floor(random() * chunks.length);
        for (const [id, chunk] of chunks.slice(0, half)) add(first.store, id, chunk);
        await first.store.save();
        await first.store.close();
        const { store, reader } = await watched(path, partitions);
        const taken = taking(reader);
        for await (const _ of store.entries());
        for (const [id, chunk] of chunks.slice(half)) {
          add(store, id, chunk);
          if (random() < 0.2) await store.save();
        }
        await store.save();
        reader.end();
        expect(await taken.done).toEqual(Array.from({ length: 400 }, (_, index) => index));
        await store.close();
      }
    },
  );

  it('waits for the next result, and skips missing ones only at the end', async () => {
    const { store, reader } = await watched(join(await tempDir(), 'results.jsonl'), 1);
    const { indexes, done } = taking(reader);
    add(store, 0, [0, 1]);
    add(store, 2, [4, 5]);
    await store.save();
    while (indexes.length < 2) await new Promise((resolve) => setImmediate(resolve));
    add(store, 3, [6, 7]);
    await store.save();
    await new Promise((resolve) => setImmediate(resolve));
    expect(indexes).toEqual([0, 1]);
    reader.end();
    expect(await done).toEqual([0, 1, 4, 5, 6, 7]);
    await store.close();
  });

  it('returns a result as soon as it is in the file, before the end', async () => {
    const { store, reader } = await watched(join(await tempDir(), 'results.jsonl'), 1);
    const results = reader.results(NEVER);
    add(store, 1, [2, 3]);
    await store.save();
    add(store, 0, [0, 1]);
    await store.save();
    for (const index of [0, 1, 2, 3]) expect((await results.next()).value).toMatchObject({ index });
    await results.return();
    await store.close();
  });

  it('ends at the signal, even while it waits', async () => {
    const { store, reader } = await watched(join(await tempDir(), 'results.jsonl'), 1);
    const quitting = new AbortController();
    const next = reader.results(quitting.signal).next();
    quitting.abort();
    expect((await next).done).toBe(true);
    await store.close();
  });

  it('reads a record that is larger than a window', async () => {
    const path = join(await tempDir(), 'results.jsonl');
    const { store, reader } = await watched(path, 1);
    const contentType = 'x'.repeat(1_000_000);
    const record = `${encodeRecord(okResult({ index: 0, contentType }))}\n`;
    store.add(0, record + textOf([1]), 0);
    await store.save();
    reader.end();
    expect(await taking(reader).done).toEqual([0, 1]);
    await store.close();
  });
});
