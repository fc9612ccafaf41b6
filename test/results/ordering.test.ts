import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { OrderWindow, orderedSink } from '../../src/results/ordering.ts';
import { okResult } from '../model/a-result.ts';
import { seededRandom } from '../seeded-random.ts';
import { RecordingSink } from './recording-sink.ts';

interface Item {
  readonly index: number;
}

describe('OrderWindow', () => {
  function takeAll(window: OrderWindow<Item>): number[] {
    const taken: number[] = [];
    for (let item = window.take(); item; item = window.take()) taken.push(item.index);
    return taken;
  }

  test('take() gives nothing before the first item was put, then all that follow it', () => {
    const window = new OrderWindow<Item>(4);
    window.put({ index: 2 });
    window.put({ index: 1 });
    expect(window.take()).toBeUndefined();
    expect(window.held).toBe(2);
    window.put({ index: 0 });
    expect(takeAll(window)).toEqual([0, 1, 2]);
    expect(window.held).toBe(0);
  });

  test('admit() admits as many indexes as the window has slots, and the next when the first item comes out', async () => {
    const window = new OrderWindow<Item>(2);
    expect([window.admit(0), window.admit(1)]).toEqual([undefined, undefined]);
    const third = window.admit(2);
    let isAdmitted = false;
    void third?.then(() => {
      isAdmitted = true;
    });
    window.put({ index: 1 });
    expect(takeAll(window)).toEqual([]);
    await turn();
    expect(isAdmitted).toBe(false);
    window.put({ index: 0 });
    window.take();
    await turn();
    expect(isAdmitted).toBe(true);
  });

  test('admit() admits waiting producers in the order of their indexes', async () => {
    const window = new OrderWindow<Item>(1);
    const admitted: number[] = [];
    window.admit(0);
    for (const index of [1, 2]) void window.admit(index)?.then(() => admitted.push(index));
    window.put({ index: 0 });
    window.take();
    await turn();
    expect(admitted).toEqual([1]);
    window.put({ index: 1 });
    window.take();
    await turn();
    expect(admitted).toEqual([1, 2]);
  });

  test('an index that was not admitted before a later one has no item', () => {
    const window = new OrderWindow<Item>(10);
    for (const index of [1, 2, 7, 9]) expect(window.admit(index)).toBeUndefined();
    for (const index of [7, 2, 1]) window.put({ index });
    expect(takeAll(window)).toEqual([1, 2, 7]);
    window.put({ index: 9 });
    expect(takeAll(window)).toEqual([9]);
  });

  test('a gap that is longer than the window admits the next item', () => {
    const window = new OrderWindow<Item>(2);
    for (let index = 0; index < 1000; index += 100) {
      expect(window.admit(index)).toBeUndefined();
      window.put({ index });
      expect(takeAll(window)).toEqual([index]);
    }
  });

  test('a gap does not admit an item that is too far ahead of a missing one', async () => {
    const window = new OrderWindow<Item>(2);
    window.admit(0);
    let isAdmitted = false;
    const waiting = window.admit(50)?.then(() => {
      isAdmitted = true;
    });
    await turn();
    expect(isAdmitted).toBe(false);
    window.put({ index: 0 });
    expect(takeAll(window)).toEqual([0]);
    await waiting;
    window.put({ index: 50 });
    expect(takeAll(window)).toEqual([50]);
  });

  test('close() releases producers that wait, and later ones', async () => {
    const window = new OrderWindow<Item>(1);
    window.admit(0);
    const waiting = window.admit(5);
    window.close();
    await waiting;
    expect(window.admit(6)).toBeUndefined();
  });

  test('rest() gives the items that a stopped run left, in order, across the gaps', () => {
    const window = new OrderWindow<Item>(5);
    for (const index of [3, 1, 4]) window.put({ index });
    expect(window.take()).toBeUndefined();
    expect(window.rest().map(({ index }) => index)).toEqual([1, 3, 4]);
    expect(window.held).toBe(0);
    expect(window.rest()).toEqual([]);
  });

  test.each([
    ['twice', [1, 1], 1],
    ['after it came out', [0, 0], 0],
    ['without being admitted', [3], 3],
  ])('put() refuses an item that comes %s', (_name, indexes, refused) => {
    const window = new OrderWindow<Item>(3);
    const put = () => {
      for (const index of indexes) {
        window.put({ index });
        window.take();
      }
    };
    expect(put).toThrow(`Cannot put item ${refused} in order`);
  });

  /** A producer, and workers that finish their jobs in random order; gives the order in which items came out. */
  async function simulate(count: number, size: number, seed: number, isSkipped: (index: number) => boolean) {
    const random = seededRandom(seed);
    const window = new OrderWindow<Item>(size);
    const inFlight: number[] = [];
    const out: number[] = [];
    let isProducing = true;
    let mostHeld = 0;
    const producing = (async () => {
      for (let index = 0; index < count; index += 1) {
        if (isSkipped(index)) continue;
        await window.admit(index);
        inFlight.push(index);
      }
      isProducing = false;
    })();
    for (let idle = 0; isProducing || inFlight.length > 0; idle += 1) {
      if (idle > 100) throw new Error(`stuck: ${out.length} of ${count} came out`);
      // Jobs are finished in bursts of random length, one of them at random each time.
      for (let burst = Math.floor(random() * 2 * size); burst > 0 && inFlight.length > 0; burst -= 1) {
        const [index = -1] = inFlight.splice(Math.floor(random() * inFlight.length), 1);
        window.put({ index });
        mostHeld = Math.max(mostHeld, window.held);
        out.push(...takeAll(window));
        idle = 0;
      }
      await turn();
    }
    await producing;
    return { out, mostHeld };
  }

  test.each([
    [1, 200],
    [2, 500],
    [7, 2000],
    [100, 5000],
  ])(
    'a window of %d orders %d jobs that finish at random, holds at most its size, and never deadlocks',
    async (size, count) => {
      for (const seed of [1, 2, 3]) {
        const isSkipped = (index: number) => seed === 3 && index % 3 === 0;
        const { out, mostHeld } = await simulate(count, size, seed, isSkipped);
        expect(out).toEqual(
          Array.from({ length: count }, (_, index) => index).filter((index) => !isSkipped(index)),
        );
        expect(mostHeld).toBeLessThanOrEqual(size);
      }
    },
  );
});

const summary = new SummaryFold().summary(0);

function results(...indexes: number[]): Result[] {
  return indexes.map((index) => okResult({ index }));
}

test('orderedSink() writes results in the order of their index', () => {
  const sink = new RecordingSink();
  const inner = orderedSink(sink, new OrderWindow(4));
  for (const result of results(2, 0, 3, 1)) inner.write(result);
  expect(sink.indexes).toEqual([0, 1, 2, 3]);
});

test('orderedSink() returns a promise only if its sink does', () => {
  const inner = orderedSink(new RecordingSink(), new OrderWindow(4));
  expect(results(1, 0).map((result) => inner.write(result))).toEqual([undefined, undefined]);
});

test('a slow sink behind orderedSink() holds back its caller, later results, and the producer', async () => {
  const accepts: (() => void)[] = [];
  const sink = new RecordingSink(() => new Promise((resolve) => accepts.push(resolve)));
  const window = new OrderWindow<Result>(2);
  const inner = orderedSink(sink, window);
  for (const index of [0, 1]) window.admit(index);
  for (const result of results(1)) expect(inner.write(result)).toBeUndefined();
  const accepted = inner.write(okResult({ index: 0 }));
  expect(sink.indexes).toEqual([0]);
  expect(window.admit(2)).toBeUndefined();
  const fourth = window.admit(3);
  expect(fourth).toBeInstanceOf(Promise);
  accepts.shift()?.();
  await fourth;
  expect(sink.indexes).toEqual([0, 1]);
  accepts.shift()?.();
  await accepted;
});

test('the end of orderedSink() writes what a stopped run left, then the summary, and releases the producer', async () => {
  const sink = new RecordingSink();
  const window = new OrderWindow<Result>(4);
  const inner = orderedSink(sink, window);
  for (const result of results(3, 1)) inner.write(result);
  const producer = window.admit(9);
  await inner.end(summary);
  await producer;
  expect(sink.indexes).toEqual([1, 3]);
  expect(sink.summaries).toEqual([summary]);
});

test('orderedSink() ends its sink even if the remaining results cannot be written', async () => {
  const sink = new RecordingSink(() => {
    throw new Error('full');
  });
  const inner = orderedSink(sink, new OrderWindow(4));
  for (const result of results(1)) inner.write(result);
  await expect(inner.end(summary)).rejects.toThrow('full');
  expect(sink.summaries).toEqual([summary]);
});
