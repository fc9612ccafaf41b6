import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Indexed, OrderWindow } from '../../src/results/ordering.ts';
import { seededRandom } from '../seeded-random.ts';

function takeAll(window: OrderWindow<Indexed>): number[] {
  const taken: number[] = [];
  for (let item = window.take(); item; item = window.take()) taken.push(item.index);
  return taken;
}

test('take() gives nothing before the first item has come, then all that follow it', () => {
  const window = new OrderWindow<Indexed>(4);
  window.put({ index: 2 });
  window.put({ index: 1 });
  expect(window.take()).toBeUndefined();
  expect(window.held).toBe(2);
  window.put({ index: 0 });
  expect(takeAll(window)).toEqual([0, 1, 2]);
  expect(window.held).toBe(0);
});

test('admit() lets in as many as the window has places, and the next when the first comes out', async () => {
  const window = new OrderWindow<Indexed>(2);
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

test('several producers are let in in the order of their indexes', async () => {
  const window = new OrderWindow<Indexed>(1);
  const admitted: number[] = [];
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

test('an index that is skipped is passed over', () => {
  const window = new OrderWindow<Indexed>(4);
  window.skip(1);
  window.put({ index: 2 });
  window.put({ index: 0 });
  expect(takeAll(window)).toEqual([0, 2]);
});

test('a window of skipped indexes alone lets the producer go on, though nothing is ever taken', () => {
  const window = new OrderWindow<Indexed>(2);
  for (let index = 0; index < 10; index += 1) {
    expect(window.admit(index)).toBeUndefined();
    window.skip(index);
  }
});

test('close() lets go of producers that wait, and holds back none after it', async () => {
  const window = new OrderWindow<Indexed>(1);
  const waiting = window.admit(5);
  window.close();
  await waiting;
  expect(window.admit(6)).toBeUndefined();
});

test('rest() gives what a stopped run left, in order, over the gaps', () => {
  const window = new OrderWindow<Indexed>(5);
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
  const window = new OrderWindow<Indexed>(3);
  const put = () => {
    for (const index of indexes) {
      window.put({ index });
      window.take();
    }
  };
  expect(put).toThrow(`Cannot put item ${refused} in order`);
});

/** A producer and `workers` that finish their jobs in random order; gives the order of what came out. */
async function simulate(count: number, size: number, seed: number, isSkipped: (index: number) => boolean) {
  const random = seededRandom(seed);
  const window = new OrderWindow<Indexed>(size);
  const underWay: number[] = [];
  const out: number[] = [];
  let isProducing = true;
  let mostHeld = 0;
  const producing = (async () => {
    for (let index = 0; index < count; index += 1) {
      await window.admit(index);
      if (isSkipped(index)) window.skip(index);
      else underWay.push(index);
    }
    isProducing = false;
  })();
  for (let idle = 0; isProducing || underWay.length > 0; idle += 1) {
    if (idle > 100) throw new Error(`stuck: ${out.length} of ${count} came out`);
    // Jobs are finished in bursts of random length, one of them at random each time.
    for (let burst = Math.floor(random() * 2 * size); burst > 0 && underWay.length > 0; burst -= 1) {
      const [index = -1] = underWay.splice(Math.floor(random() * underWay.length), 1);
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
  'a window of %d orders %d jobs that finish at random, holds no more than its size, and never sticks',
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
