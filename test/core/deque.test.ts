import { describe, expect, test } from 'vitest';
import { Deque } from '../../src/core/deque.ts';
import { seededRandom } from '../seeded-random.ts';

function dequeOf<T>(...values: T[]): Deque<T> {
  const deque = new Deque<T>();
  for (const value of values) deque.push(value);
  return deque;
}

describe('Deque', () => {
  test('shift() gives values in the order of push()', () => {
    const deque = dequeOf('a', 'b', 'c');
    expect([deque.shift(), deque.shift(), deque.shift()]).toEqual(['a', 'b', 'c']);
  });

  test('unshift() adds a value before all others', () => {
    const deque = dequeOf('a');
    deque.unshift('b');
    deque.unshift('c');
    expect([...deque.drain()]).toEqual(['c', 'b', 'a']);
  });

  test('shift() gives undefined if the deque is empty, which stays usable', () => {
    const deque = new Deque<string>();
    expect(deque.shift()).toBeUndefined();
    expect(deque.size).toBe(0);
    deque.push('a');
    expect(deque.size).toBe(1);
    expect(deque.shift()).toBe('a');
  });

  test('drain() leaves values that were not iterated', () => {
    const deque = dequeOf('a', 'b', 'c');
    for (const value of deque.drain()) if (value === 'b') break;
    expect(deque.size).toBe(1);
    expect(deque.shift()).toBe('c');
  });

  test('drain() includes values that are pushed meanwhile', () => {
    const deque = dequeOf(1);
    const seen: number[] = [];
    for (const value of deque.drain()) {
      seen.push(value);
      if (value < 20) deque.push(value + 1);
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  test('does not keep a reference to a removed value', async () => {
    const deque = new Deque<object>();
    deque.push({});
    const taken = new WeakRef(deque.shift() ?? {});
    await collectGarbage();
    expect(taken.deref()).toBeUndefined();
    expect(deque.size).toBe(0);
  });

  test.each([1, 2, 3, 4])('behaves as an array does, growing and shrinking (seed %i)', (seed) => {
    const random = seededRandom(seed);
    const deque = new Deque<number>();
    const model: number[] = [];
    for (let step = 0; step < 20_000; step += 1) {
      // It fills for 5,000 steps and empties for 5,000.
      const growth = step % 10_000 < 5_000 ? 0.8 : 0.2;
      if (random() > growth) expect(deque.shift()).toBe(model.shift());
      else if (random() < 0.3) [deque.unshift(step), model.unshift(step)];
      else [deque.push(step), model.push(step)];
      expect(deque.size).toBe(model.length);
    }
    expect([...deque.drain()]).toEqual(model);
  });
});

async function collectGarbage(): Promise<void> {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  await new Promise((resolve) => setImmediate(resolve));
  runInNewContext('gc')();
}
