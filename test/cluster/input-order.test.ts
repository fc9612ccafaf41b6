import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputOrder } from '../../src/cluster/ordered-reader.ts';
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
  const order = new InputOrder(path);
  store.watch(order);
  return { store, order };
}

/** Takes the indexes of all results, into an array that can be looked at meanwhile. */
function taking(order: InputOrder) {
  const indexes: number[] = [];
  const done = (async () => {
    for await (const { index } of order.results(NEVER)) indexes.push(index);
    return indexes;
  })();
  return { indexes, done };
}

describe('InputOrder', () => {
  it.each([1, 2, 8])(
    'gives results in input order, whatever comes first (%i partitions)',
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
        const { store, order } = await watched(path, partitions);
        const taken = taking(order);
        for await (const _ of store.entries());
        for (const [id, chunk] of chunks.slice(half)) {
          add(store, id, chunk);
          if (random() < 0.2) await store.save();
        }
        await store.save();
        order.end();
        expect(await taken.done).toEqual(Array.from({ length: 400 }, (_, index) => index));
        await store.close();
      }
    },
  );

  it('waits for the result that is due, and goes over the gaps at the end alone', async () => {
    const { store, order } = await watched(join(await tempDir(), 'results.jsonl'), 1);
    const { indexes, done } = taking(order);
    add(store, 0, [0, 1]);
    add(store, 2, [4, 5]);
    await store.save();
    while (indexes.length < 2) await new Promise((resolve) => setImmediate(resolve));
    add(store, 3, [6, 7]);
    await store.save();
    await new Promise((resolve) => setImmediate(resolve));
    expect(indexes).toEqual([0, 1]);
    order.end();
    expect(await done).toEqual([0, 1, 4, 5, 6, 7]);
    await store.close();
  });

  it('gives a result out as soon as it is in the file, before the end', async () => {
    const { store, order } = await watched(join(await tempDir(), 'results.jsonl'), 1);
    const results = order.results(NEVER);
    add(store, 1, [2, 3]);
    await store.save();
    add(store, 0, [0, 1]);
    await store.save();
    for (const index of [0, 1, 2, 3]) expect((await results.next()).value).toMatchObject({ index });
    await results.return();
    await store.close();
  });

  it('ends at the signal, also while it waits', async () => {
    const { store, order } = await watched(join(await tempDir(), 'results.jsonl'), 1);
    const quitting = new AbortController();
    const next = order.results(quitting.signal).next();
    quitting.abort();
    expect((await next).done).toBe(true);
    await store.close();
  });

  it('reads a record that is larger than what is read at a time', async () => {
    const path = join(await tempDir(), 'results.jsonl');
    const { store, order } = await watched(path, 1);
    const contentType = 'x'.repeat(1_000_000);
    const record = `${encodeRecord(okResult({ index: 0, contentType }))}\n`;
    store.add(0, record + textOf([1]), 0);
    await store.save();
    order.end();
    expect(await taking(order).done).toEqual([0, 1]);
    await store.close();
  });
});
