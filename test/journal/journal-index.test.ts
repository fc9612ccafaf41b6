import { expect, test } from 'vitest';
import { JournalIndex } from '../../src/journal/journal-index.ts';
import { seededRandom } from '../seeded-random.ts';

test('JournalIndex counts how often a key was read, beside all others', () => {
  const index = new JournalIndex();
  const read = (first: number, second: number) => index.read(first, second).n;
  expect([read(1, 2), read(2, 1), read(1, 2), read(1, 2), read(2, 1)]).toEqual([0, 0, 1, 2, 1]);
});

test('JournalIndex counts one key a hundred thousand times', () => {
  const index = new JournalIndex();
  for (let n = 0; n < 100_000; n++) {
    if (index.read(-1, -1).n !== n) expect.unreachable(`occurrence ${n}`);
  }
});

test('JournalIndex knows the newest record of each occurrence', () => {
  const index = new JournalIndex();
  index.put(1, 2, 0, { place: 0, isOk: true });
  index.put(1, 2, 2, { place: 7, isOk: true });
  index.put(1, 2, 2, { place: 9, isOk: false });
  expect([0, 1, 2, 3].map(() => index.read(1, 2))).toEqual([
    { n: 0, place: 0, isOk: true },
    { n: 1, place: undefined, isOk: false },
    { n: 2, place: 9, isOk: false },
    { n: 3, place: undefined, isOk: false },
  ]);
});

test.each([0, 50_000])('JournalIndex holds what a Map holds, with room reserved for %i', (reserved) => {
  const random = seededRandom(1);
  const word = () => Math.floor(random() * 2 ** 32);
  const index = new JournalIndex();
  const map = new Map<string, { first: number; second: number; place: number }>();
  // Words of 0, and many that want the same slot of the same shard, are the hard ones.
  const hard = Array.from({ length: 5000 }, (_, key): [number, number] => [key % 2 === 0 ? 0 : key, key % 3]);
  const keys = [...hard, ...Array.from({ length: 45_000 }, (): [number, number] => [word(), word()])];
  index.reserve(reserved);
  for (const [place, [first, second]] of keys.entries()) {
    index.put(first, second, 0, { place, isOk: place % 2 === 0 });
    map.set(`${first || 1} ${second}`, { first, second, place }); // a first word of 0 is taken for a 1
  }
  for (const { first, second, place } of map.values()) {
    const known = index.read(first | 0, second | 0);
    if (known.place !== place || known.isOk !== (place % 2 === 0)) expect(known).toBe(place);
  }
  for (let round = 0; round < 1000; round++) {
    expect(index.read(word(), word())).toEqual({ n: 0, place: undefined, isOk: false });
  }
});

test('JournalIndex keeps the greatest place', () => {
  const index = new JournalIndex();
  index.put(5, 5, 0, { place: 2 ** 30 - 2, isOk: true });
  expect(index.read(5, 5)).toEqual({ n: 0, place: 2 ** 30 - 2, isOk: true });
});
