import { expect, test } from 'vitest';
import { InsertBuffer, JournalIndex } from '../../src/journal/journal-index.ts';
import { seededRandom } from '../seeded-random.ts';

test('JournalIndex counts the occurrences of each hash', () => {
  const index = new JournalIndex();
  const next = (first: number, second: number) => index.next(first, second).occurrence;
  expect([next(1, 2), next(2, 1), next(1, 2), next(1, 2), next(2, 1)]).toEqual([0, 0, 1, 2, 1]);
});

test('JournalIndex counts many occurrences of several hashes, some of which have records', () => {
  const index = new JournalIndex();
  const blockOf = (hash: number, n: number) => ((n + hash) % 3 === 0 ? 1000 * hash + n : undefined);
  for (let n = 0; n < 300; n += 1) {
    for (const hash of [1, 2, 3]) {
      const block = blockOf(hash, n);
      if (block !== undefined) index.put(hash, -hash, n, { block, isOk: n % 2 === 0 });
    }
  }
  for (let n = 0; n < 400; n += 1) {
    for (const hash of [1, 2, 3]) {
      const block = n < 300 ? blockOf(hash, n) : undefined;
      const isOk = block !== undefined && n % 2 === 0;
      expect(index.next(hash, -hash)).toEqual({ occurrence: n, block, isOk });
    }
  }
});

test('JournalIndex counts a hundred thousand occurrences of one hash', () => {
  const index = new JournalIndex();
  for (let n = 0; n < 100_000; n++) {
    if (index.next(-1, -1).occurrence !== n) expect.unreachable(`occurrence ${n}`);
  }
});

test('JournalIndex returns the newest record of each occurrence', () => {
  const index = new JournalIndex();
  index.put(1, 2, 0, { block: 0, isOk: true });
  index.put(1, 2, 2, { block: 7, isOk: true });
  index.put(1, 2, 2, { block: 9, isOk: false });
  expect([0, 1, 2, 3].map(() => index.next(1, 2))).toEqual([
    { occurrence: 0, block: 0, isOk: true },
    { occurrence: 1, block: undefined, isOk: false },
    { occurrence: 2, block: 9, isOk: false },
    { occurrence: 3, block: undefined, isOk: false },
  ]);
});

test.each([0, 50_000])('JournalIndex contains what a Map contains, with room reserved for %i', (reserved) => {
  const random = seededRandom(1);
  const word = () => Math.floor(random() * 2 ** 32);
  const index = new JournalIndex();
  const map = new Map<string, { first: number; second: number; block: number }>();
  // The hard cases: words of 0, and many keys with the same slot of the same shard.
  const hard = Array.from({ length: 5000 }, (_, key): [number, number] => [key % 2 === 0 ? 0 : key, key % 3]);
  const keys = [...hard, ...Array.from({ length: 45_000 }, (): [number, number] => [word(), word()])];
  index.reserve(reserved);
  for (const [block, [first, second]] of keys.entries()) {
    index.put(first, second, 0, { block, isOk: block % 2 === 0 });
    map.set(`${first || 1} ${second}`, { first, second, block }); // a first word of 0 is stored as 1
  }
  for (const { first, second, block } of map.values()) {
    const entry = index.next(first | 0, second | 0);
    if (entry.block !== block || entry.isOk !== (block % 2 === 0)) expect(entry).toBe(block);
  }
  for (let round = 0; round < 1000; round++) {
    expect(index.next(word(), word())).toEqual({ occurrence: 0, block: undefined, isOk: false });
  }
});

test('JournalIndex stores the greatest block', () => {
  const index = new JournalIndex();
  index.put(5, 5, 0, { block: 2 ** 30 - 2, isOk: true });
  expect(index.next(5, 5)).toEqual({ occurrence: 0, block: 2 ** 30 - 2, isOk: true });
});

test.each([0, 1, 100, 1_000_000])(
  'InsertBuffer adds all entries, the newest of a job last, when it expects %i',
  (expected) => {
    const index = new JournalIndex();
    const buffer = new InsertBuffer(index, expected);
    const random = seededRandom(3);
    const firsts = Array.from({ length: 2000 }, () => Math.floor(random() * 2 ** 31));
    const isOk = (block: number) => block % 3 === 0;
    for (let block = 0; block < 5000; block += 1) {
      const first = firsts[block % firsts.length] ?? 0;
      buffer.add({ first, second: 7, occurrence: 0, isOk: isOk(block) }, block);
    }
    buffer.flush();
    for (const [job, first] of firsts.entries()) {
      const block = job < 1000 ? job + 4000 : job + 2000;
      expect(index.next(first, 7)).toEqual({ occurrence: 0, block, isOk: isOk(block) });
    }
    expect(index.next(firsts[0] ?? 0, 8).block).toBeUndefined();
  },
);
