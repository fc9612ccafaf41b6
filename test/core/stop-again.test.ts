import { describe, expect, test } from 'vitest';
import { expectToAddUp, ids, TestRun } from './test-run.ts';
import { allReactions } from './watch.ts';

describe('Pipeline.stop() and jobs that come again', () => {
  const again = (id: number, at: number) => ({ again: { id, key: 'a' }, at });

  test('a waiting job ends in its last failure, after those in flight', async () => {
    const finished: number[] = [];
    const run = new TestRun({
      finish: (result) => {
        finished.push(result.id);
        return result;
      },
    });
    run.source.give(9).end();
    const all = run.takeAll();
    await allReactions();
    run.failures.add(1).add(2);
    await run.end(again(1, 50));
    await run.end(again(2, 60));
    expect(run.inFlight).toEqual([3, 4]);
    run.pipeline.stop();
    await run.endAll();
    expect(ids(await all)).toEqual([1, 2, 3, 4]);
    expect(run.taken.map(({ text }) => text)).toEqual(['ok', 'ok', 'failed', 'failed']);
    expect(finished).toEqual(run.taken.map(({ id }) => id));
    expectToAddUp(run);
  });

  test('a waiting job ends so though jobs of other pipelines may still come', async () => {
    let isKeptOpen = true;
    const run = new TestRun({ isKeptOpen: () => isKeptOpen });
    run.source.give(2).end();
    const all = run.takeAll();
    await allReactions();
    run.failures.add(1);
    await run.end(again(1, 50));
    run.pipeline.stop();
    await allReactions();
    expect(run.taken).toEqual([]);
    await run.end();
    expect(run.taken.map(({ text }) => text)).toEqual(['ok', 'failed']);
    run.pipeline.accept({ result: { id: 3, text: 'from elsewhere' } });
    await allReactions();
    isKeptOpen = false;
    run.scheduler.close();
    expect(ids(await all)).toEqual([1, 2, 3]);
  });

  test('more such jobs than results have room wait for the results to be taken', async () => {
    const run = new TestRun({ capacity: 50 });
    run.source.give(20);
    const results = run.pipeline.results();
    const first = results.next();
    await allReactions();
    for (let id = 1; id <= 20; id += 1) {
      run.failures.add(id);
      await run.end(again(id, 50));
    }
    run.pipeline.stop();
    run.taken.push((await first).value ?? { id: 0, text: '' });
    await allReactions();
    for await (const result of results) run.taken.push(result);
    expect(ids(run.taken)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expectToAddUp(run);
  });

  test('a job in flight that comes again is finished', async () => {
    const run = new TestRun();
    run.source.give(2).end();
    const all = run.takeAll();
    await allReactions();
    run.pipeline.stop();
    await run.end(again(1, 0));
    expect(run.inFlight).toEqual([2, 1]);
    await run.endAll();
    expect(ids(await all)).toEqual([1, 2]);
    expectToAddUp(run);
  });

  test('a job on its second attempt, started before the stop, ends in the result of that attempt', async () => {
    const run = new TestRun();
    run.source.give(1).end();
    const all = run.takeAll();
    await allReactions();
    run.failures.add(1);
    await run.end(again(1, 50));
    run.clock.turnTo(50);
    await allReactions();
    run.pipeline.stop();
    await run.end();
    expect(await all).toEqual([{ id: 1, text: 'ok' }]);
    expectToAddUp(run);
  });

  test('a waiting job without a failure is counted as not fetched', async () => {
    const run = new TestRun();
    run.source.give(1).end();
    const all = run.takeAll();
    await allReactions();
    const job = run.started[0] ?? { id: 0, key: '' };
    run.failures.add(1);
    await run.end({ again: job, at: 0 });
    run.failures.delete(1);
    await run.end({ again: job, at: 50 });
    run.pipeline.stop();
    expect(await all).toEqual([]);
    expect(run.pipeline.notFetched).toBe(1);
    expectToAddUp(run);
  });

  test('a job in flight that is dropped is counted as not fetched', async () => {
    const run = new TestRun();
    run.source.give(2).end();
    const all = run.takeAll();
    await allReactions();
    await run.end(again(1, 50));
    run.pipeline.stop();
    await run.end({ isDropped: true });
    expect(await all).toEqual([]);
    expect(run.pipeline.notFetched).toBe(2);
    expectToAddUp(run);
  });
});

describe('Pipeline.accept()', () => {
  test('continues a job of another pipeline, which counts as this one knows it', async () => {
    let isKeptOpen = true;
    const run = new TestRun({ isKeptOpen: () => isKeptOpen });
    run.source.end();
    const all = run.takeAll();
    await allReactions();
    run.pipeline.accept({ again: { id: 7, key: 'b' }, at: 50 });
    expect(run.inFlight).toEqual([]);
    run.clock.turnTo(50);
    await allReactions();
    expect(run.inFlight).toEqual([7]);
    isKeptOpen = false;
    await run.end();
    run.scheduler.close();
    expect(await all).toEqual([{ id: 7, text: 'ok' }]);
  });
});
