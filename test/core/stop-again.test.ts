import { describe, expect, test } from 'vitest';
import { expectToAddUp, ids, TestRun } from './test-run.ts';
import { allReactions } from './watch.ts';

describe('Engine.stop() and jobs that come again', () => {
  const again = (id: number, at: number) => ({ again: { id, lane: 'a' }, at });
  const otherwise = (id: number) => ({ otherwise: { id, text: 'otherwise' } });

  test('a job that would come again has the result it has otherwise', async () => {
    const run = new TestRun();
    run.source.give(2).end();
    const all = run.takeAll();
    await allReactions();
    run.engine.stop();
    await run.end({ ...again(1, 0), ...otherwise(1) });
    await run.end({ ...again(2, 50), ...otherwise(2) });
    expect(await all).toEqual([
      { id: 1, text: 'otherwise' },
      { id: 2, text: 'otherwise' },
    ]);
    expectToAddUp(run);
  });

  test('a job that waits for its next attempt has the result it has otherwise, after those under way', async () => {
    const told: number[] = [];
    const run = new TestRun({
      finish: (result) => {
        told.push(result.id);
        return result;
      },
    });
    run.source.give(9).end();
    const all = run.takeAll();
    await allReactions();
    await run.end({ ...again(1, 50), ...otherwise(1) });
    await run.end({ ...again(2, 60), ...otherwise(2) });
    expect(run.underWay).toEqual([3, 4]);
    run.engine.stop();
    await run.endAll();
    expect(ids(await all)).toEqual([1, 2, 3, 4]);
    expect(run.taken.map(({ text }) => text)).toEqual(['ok', 'ok', 'otherwise', 'otherwise']);
    expect(told).toEqual(run.taken.map(({ id }) => id));
    expectToAddUp(run);
  });

  test('a job that waits has it though others may still hand jobs over', async () => {
    let isHeld = true;
    const run = new TestRun({ isHeld: () => isHeld });
    run.source.give(2).end();
    const all = run.takeAll();
    await allReactions();
    await run.end({ ...again(1, 50), ...otherwise(1) });
    run.engine.stop();
    await allReactions();
    expect(run.taken).toEqual([]);
    await run.end();
    expect(run.taken.map(({ text }) => text)).toEqual(['ok', 'otherwise']);
    run.engine.adopt({ ...again(3, 50), ...otherwise(3) });
    await allReactions();
    isHeld = false;
    run.lanes.close();
    expect(ids(await all)).toEqual([1, 2, 3]);
  });

  test('more such jobs than results have room wait for the results to be taken', async () => {
    const run = new TestRun({ capacity: 50 });
    run.source.give(20);
    const results = run.engine.results();
    const first = results.next();
    await allReactions();
    for (let id = 1; id <= 20; id += 1) await run.end({ ...again(id, 50), ...otherwise(id) });
    run.engine.stop();
    run.taken.push((await first).value ?? { id: 0, text: '' });
    await allReactions();
    for await (const result of results) run.taken.push(result);
    expect(ids(run.taken)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expectToAddUp(run);
  });

  test('a job that comes again and has no other result is finished', async () => {
    const run = new TestRun();
    run.source.give(2).end();
    const all = run.takeAll();
    await allReactions();
    run.engine.stop();
    await run.end(again(1, 0));
    expect(run.underWay).toEqual([2, 1]);
    await run.endAll();
    expect(ids(await all)).toEqual([1, 2]);
    expectToAddUp(run);
  });

  test('a job on its second attempt, started before the stop, has the result of that attempt', async () => {
    const run = new TestRun();
    run.source.give(1).end();
    const all = run.takeAll();
    await allReactions();
    await run.end({ ...again(1, 50), ...otherwise(1) });
    run.clock.turnTo(50);
    await allReactions();
    run.engine.stop();
    await run.end();
    expect(await all).toEqual([{ id: 1, text: 'ok' }]);
    expectToAddUp(run);
  });

  test('a job that waits without another result is counted, whatever it would have been before', async () => {
    const run = new TestRun();
    run.source.give(1).end();
    const all = run.takeAll();
    await allReactions();
    const job = run.started[0] ?? { id: 0, lane: '' };
    await run.end({ again: job, at: 0, ...otherwise(1) });
    await run.end({ again: job, at: 50 });
    run.engine.stop();
    expect(await all).toEqual([]);
    expect(run.engine.notFetched).toBe(1);
    expectToAddUp(run);
  });

  test('a job that could not be begun is not fetched', async () => {
    const run = new TestRun();
    run.source.give(2).end();
    const all = run.takeAll();
    await allReactions();
    await run.end({ ...again(1, 50), isUntried: true });
    run.engine.stop();
    await run.end({ ...again(2, 50), isUntried: true });
    expect(await all).toEqual([]);
    expect(run.engine.notFetched).toBe(2);
    expectToAddUp(run);
  });

  test('a job whose second attempt could not be begun has the result of its first', async () => {
    const run = new TestRun();
    run.source.give(2).end();
    const all = run.takeAll();
    await allReactions();
    for (const id of [1, 2]) await run.end({ ...again(id, 0), ...otherwise(id) });
    await run.end({ ...again(1, 50), isUntried: true });
    run.engine.stop();
    await run.end({ ...again(2, 50), isUntried: true });
    expect(await all).toEqual([
      { id: 2, text: 'otherwise' },
      { id: 1, text: 'otherwise' },
    ]);
    expectToAddUp(run);
  });
});
