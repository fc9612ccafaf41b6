import { expect, test } from 'vitest';
import { expectToAddUp, ids, TestRun } from './test-run.ts';
import { allReactions } from './watch.ts';

test('Pipeline.dropUnwanted() drops what waits and is wanted no more, and keeps what is under way', async () => {
  const unwanted = new Set<number>();
  const run = new TestRun({ capacity: 10, isWanted: ({ id }) => !unwanted.has(id) });
  run.source.give(6).end();
  const all = run.takeAll();
  await allReactions();
  for (const id of [2, 4, 5]) unwanted.add(id);
  run.pipeline.dropUnwanted();
  expect([run.inFlight, run.scheduler.size]).toEqual([[1, 2], 2]);
  await run.endAll();
  expect(ids(await all)).toEqual([1, 2, 3, 6]);
  expect(ids(run.started)).toEqual([1, 2, 3, 6]);
  expect(run.pipeline.notFetched).toBe(2);
  expectToAddUp(run);
});

test('Pipeline works no further on a job that nobody wants any more when its turn comes again', async () => {
  let isWanted = true;
  const run = new TestRun({ isWanted: () => isWanted });
  run.source.give(1).end();
  const all = run.takeAll();
  await allReactions();
  run.failures.add(1);
  await run.end({ again: { id: 1, key: 'b' }, at: 100 });
  isWanted = false;
  run.clock.turnTo(100);
  expect(await all).toEqual([]);
  expect(run.started).toHaveLength(1);
  expectToAddUp(run);
});
