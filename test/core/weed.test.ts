import { expect, test } from 'vitest';
import { expectToAddUp, ids, TestRun } from './test-run.ts';
import { allReactions } from './watch.ts';

test('Engine.weed() drops what waits and is wanted no more, and keeps what is under way', async () => {
  const unwanted = new Set<number>();
  const run = new TestRun({ capacity: 10, isWanted: ({ id }) => !unwanted.has(id) });
  run.source.give(6).end();
  const all = run.takeAll();
  await allReactions();
  for (const id of [2, 4, 5]) unwanted.add(id);
  run.engine.weed();
  expect([run.underWay, run.lanes.size]).toEqual([[1, 2], 2]);
  await run.endAll();
  expect(ids(await all)).toEqual([1, 2, 3, 6]);
  expect(ids(run.started)).toEqual([1, 2, 3, 6]);
  expect(run.engine.notFetched).toBe(2);
  expectToAddUp(run);
});

test('Engine works no further on a job that nobody wants any more when its turn comes again', async () => {
  let isWanted = true;
  const run = new TestRun({ isWanted: () => isWanted });
  run.source.give(1).end();
  const all = run.takeAll();
  await allReactions();
  await run.end({ again: { id: 1, lane: 'b' }, at: 100, otherwise: { id: 1, text: 'otherwise' } });
  isWanted = false;
  run.clock.turnTo(100);
  expect(await all).toEqual([]);
  expect(run.started).toHaveLength(1);
  expectToAddUp(run);
});
