import { expect, test } from 'vitest';
import { TestQueue } from './test-queue.ts';

test('Lanes.hasMore() sees the jobs of a lane that wait for their turn, and no others', () => {
  const queue = new TestQueue();
  queue.put('a1', 'a2', 'b1');
  const more = () => ['a', 'b', 'c'].map((key) => queue.lanes.hasMore(key));
  expect(more()).toEqual([true, true, false]);
  queue.takeAllNow(2);
  expect(more()).toEqual([true, false, false]);
  queue.takeNow();
  expect(more()).toEqual([false, false, false]);
  queue.again('a1', 100);
  expect(more(), 'a job that waits for a time').toEqual([false, false, false]);
  queue.again('a2');
  expect(more()).toEqual([true, false, false]);
});
