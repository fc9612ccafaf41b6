import { expect, test } from 'vitest';
import { TopK } from '../../src/model/summary.ts';
import { seededRandom } from '../seeded-random.ts';

function counted(keys: Iterable<string>, capacity: number): TopK {
  const topK = new TopK(capacity);
  for (const key of keys) topK.add(key);
  return topK;
}

/** Each of five keys is 4 % of the stream; all other keys occur once. */
function noisyStream(length: number): string[] {
  const random = seededRandom(3);
  return Array.from({ length }, (_, index) =>
    random() < 0.2 ? `often-${Math.floor(random() * 5)}` : `once-${index}`,
  );
}

test('top() is exact and sorted while the keys fit', () => {
  expect(counted(['a', 'b', 'b', 'c', 'c', 'c'], 3).top(2)).toEqual([
    { key: 'c', count: 3, overcount: 0 },
    { key: 'b', count: 2, overcount: 0 },
  ]);
});

test('top() of nothing is empty', () => {
  expect(new TopK(3).top(5)).toEqual([]);
});

test('add() gives a new key the smallest counter, and records its former count as overcount', () => {
  expect(counted(['a', 'a', 'b', 'c'], 2).top(2)).toEqual([
    { key: 'a', count: 2, overcount: 0 },
    { key: 'c', count: 2, overcount: 1 },
  ]);
});

test('a key whose counter was taken over starts again', () => {
  expect(counted(['a', 'b', 'a'], 1).top(1)).toEqual([{ key: 'a', count: 3, overcount: 2 }]);
});

test('top() has the true top among 40,000 keys seen once', () => {
  const top = counted(noisyStream(50_000), 100).top(5);
  expect(top.map(({ key }) => key).toSorted()).toEqual([
    'often-0',
    'often-1',
    'often-2',
    'often-3',
    'often-4',
  ]);
});

test('the true count of each key is within its bounds', () => {
  const stream = noisyStream(50_000);
  const truth = new Map<string, number>();
  for (const key of stream) truth.set(key, (truth.get(key) ?? 0) + 1);
  for (const { key, count, overcount } of counted(stream, 100).top(100)) {
    expect(truth.get(key)).toBeLessThanOrEqual(count);
    expect(truth.get(key)).toBeGreaterThanOrEqual(count - overcount);
  }
});

test('memory is bounded: no more keys than counters', () => {
  expect(counted(noisyStream(5000), 10).top(1000)).toHaveLength(10);
});
