import { describe, expect, test } from 'vitest';
import { MinHeap } from '../../src/core/heap.ts';
import { seededRandom } from '../seeded-random.ts';

function popAll<T>(heap: MinHeap<T>, now: number): T[] {
  const due: T[] = [];
  for (let value = heap.popUpTo(now); value !== undefined; value = heap.popUpTo(now)) due.push(value);
  return due;
}

describe('MinHeap', () => {
  test('gives the lowest key first', () => {
    const heap = new MinHeap<string>();
    heap.push(30, 'c');
    heap.push(10, 'a');
    heap.push(20, 'b');
    expect(popAll(heap, 30)).toEqual(['a', 'b', 'c']);
  });

  test('keeps the order of equal keys', () => {
    const heap = new MinHeap<number>();
    for (let value = 0; value < 50; value += 1) heap.push(value % 2, value);
    const even = Array.from({ length: 25 }, (_, index) => index * 2);
    expect(popAll(heap, 1)).toEqual([...even, ...even.map((value) => value + 1)]);
  });

  test('popUpTo() gives a value only if its key is not above the limit', () => {
    const heap = new MinHeap<string>();
    heap.push(10, 'a');
    expect(heap.popUpTo(9.999)).toBeUndefined();
    expect(heap.size).toBe(1);
    expect(heap.popUpTo(10)).toBe('a');
    expect(heap.size).toBe(0);
  });

  test('minKey is the lowest key, and Infinity if the heap is empty', () => {
    const heap = new MinHeap<string>();
    expect(heap.minKey).toBe(Number.POSITIVE_INFINITY);
    heap.push(20, 'b');
    heap.push(10, 'a');
    expect(heap.minKey).toBe(10);
    heap.popUpTo(10);
    expect(heap.minKey).toBe(20);
    heap.popUpTo(20);
    expect(heap.minKey).toBe(Number.POSITIVE_INFINITY);
  });

  test('drain() gives all values and leaves none', () => {
    const heap = new MinHeap<string>();
    heap.push(20, 'b');
    heap.push(10, 'a');
    expect(heap.drain().sort()).toEqual(['a', 'b']);
    expect(heap.size).toBe(0);
    expect(heap.popUpTo(100)).toBeUndefined();
  });

  test.each([1, 2, 3])('behaves as a sorted list does (seed %i)', (seed) => {
    const random = seededRandom(seed);
    const heap = new MinHeap<number>();
    let model: { at: number; value: number }[] = [];
    for (let value = 0; value < 3_000; value += 1) {
      const at = Math.floor(random() * 100);
      heap.push(at, value);
      model.push({ at, value });
      if (random() < 0.02) {
        const now = Math.floor(random() * 100);
        const due = model.filter((entry) => entry.at <= now).sort((a, b) => a.at - b.at || a.value - b.value);
        expect(popAll(heap, now)).toEqual(due.map((entry) => entry.value));
        model = model.filter((entry) => entry.at > now);
        expect(heap.size).toBe(model.length);
      }
    }
  });
});
