import { describe, expect, test } from 'vitest';
import { TestQueue } from './test-queue.ts';

describe('Lanes and its timer', () => {
  test('sets none while no worker waits', () => {
    const queue = new TestQueue();
    queue.gate.openFrom = 100;
    queue.put('a1', 'b1');
    expect(queue.clock.started).toBe(0);
  });

  test('sets one for a hundred workers and a hundred lanes with the same time', () => {
    const queue = new TestQueue(1_000);
    for (let index = 0; index < 100; index += 1) {
      const key = String.fromCharCode(0x4e00 + index);
      queue.gate.laneOpenFrom.set(key, 100);
      queue.put(key);
    }
    for (let index = 0; index < 100; index += 1) queue.take();
    expect(queue.clock.started).toBe(1);
    expect(queue.clock.pending).toBe(1);
    queue.clock.turnTo(100);
    expect(queue.gate.takings).toHaveLength(100);
    expect(queue.clock.started).toBe(1);
  });

  test('keeps one for the earliest of many times, and none when all jobs are taken', () => {
    const queue = new TestQueue();
    for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) {
      queue.gate.laneOpenFrom.set(key, 100 - index * 10);
      queue.put(`${key}1`);
      queue.take();
      expect(queue.clock.pending).toBe(1);
    }
    expect(queue.clock.nextAt).toBe(70);
    queue.clock.turnTo(1_000);
    expect(queue.gate.takings.map(({ at }) => at)).toEqual([70, 80, 90, 100]);
    expect(queue.clock.pending).toBe(0);
  });

  test('calls it off when the last worker that waits gets a job', async () => {
    const queue = new TestQueue();
    queue.gate.laneOpenFrom.set('a', 100);
    queue.put('a1');
    const taken = queue.take();
    expect(queue.clock.pending).toBe(1);
    queue.put('b1');
    expect(await taken).toBe('b1');
    expect(queue.clock.pending).toBe(0);
  });

  test('sets it again for a worker that comes later', async () => {
    const queue = new TestQueue();
    queue.gate.laneOpenFrom.set('a', 100);
    queue.put('a1');
    const first = queue.take();
    queue.put('b1');
    await first;
    const second = queue.take();
    expect(queue.clock.nextAt).toBe(100);
    queue.clock.turnTo(100);
    expect(await second).toBe('a1');
  });
});
