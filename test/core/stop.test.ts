import { describe, expect, test } from 'vitest';
import { expectToAddUp, ids, TestRun } from './test-run.ts';
import { allReactions, watch } from './watch.ts';

describe('Pipeline.stop() ends a run', () => {
  test('before it has begun', async () => {
    const run = new TestRun();
    run.source.give(3);
    run.pipeline.stop();
    expect(await run.takeAll()).toEqual([]);
    expect(run.source.pulled).toBe(0);
    expect(run.source.returned).toBe(1);
  });

  test('whose source never gives another batch', async () => {
    const run = new TestRun();
    const all = run.takeAll();
    run.source.give(2);
    await run.endAll();
    expect(run.taken).toHaveLength(2);
    run.pipeline.stop();
    expect(ids(await all)).toEqual([1, 2]);
    expect(run.source.returned).toBe(1);
    expectToAddUp(run);
  });

  test('whose workers are busy, when they have finished', async () => {
    const run = new TestRun();
    run.source.give(2);
    const all = run.takeAll();
    const state = watch(all);
    await allReactions();
    run.pipeline.stop();
    await run.end();
    expect(state().state).toBe('pending');
    await run.end();
    expect(ids(await all)).toEqual([1, 2]);
    expect(run.pipeline.notFetched).toBe(0);
  });

  test('whose queue is full: what it holds and what waits to enter is counted', async () => {
    const run = new TestRun({ capacity: 4 });
    run.source.give(20);
    const all = run.takeAll();
    await allReactions();
    expect(run.source.pulled).toBe(7); // two under way, four held, one that waits
    run.pipeline.stop();
    expect(run.pipeline.notFetched).toBe(5);
    await run.endAll();
    expect(ids(await all)).toEqual([1, 2]);
    expect(run.source.pulled).toBe(7);
    expectToAddUp(run);
  });

  test('whose results nobody takes: they can be taken later', async () => {
    const run = new TestRun();
    run.source.give(20);
    const results = run.pipeline.results();
    const first = results.next();
    await run.endAll();
    expect((await first).value).toEqual({ id: 1, text: 'ok' });
    run.pipeline.stop();
    await allReactions();
    for await (const result of results) run.taken.push(result);
    expect(run.taken.length).toBeGreaterThan(2);
    expect(run.taken.length + 1 + run.pipeline.notFetched).toBe(run.source.pulled);
  });

  test('whose gate is closed for ever', async () => {
    const run = new TestRun();
    run.limiter.allowedFrom = 1_000_000;
    run.source.give(3).end();
    const all = run.takeAll();
    await allReactions();
    run.pipeline.stop();
    expect(await all).toEqual([]);
    expect(run.pipeline.notFetched).toBe(3);
    expectToAddUp(run);
  });

  test('that has ended already: nothing changes', async () => {
    const run = new TestRun();
    run.source.give(3).end();
    const all = run.takeAll();
    await run.endAll();
    await all;
    run.pipeline.stop();
    run.pipeline.stop();
    expect(run.pipeline.notFetched).toBe(0);
    expectToAddUp(run);
  });

  test('and starts nothing more', async () => {
    const run = new TestRun();
    run.source.give(5);
    const all = run.takeAll();
    await allReactions();
    run.pipeline.stop();
    run.source.give(5);
    await run.endAll();
    await all;
    expect(ids(run.started)).toEqual([1, 2]);
    expectToAddUp(run);
  });

  test('from within the telling of a result', async () => {
    const run: TestRun = new TestRun({
      finish: (result) => {
        run.pipeline.stop();
        return result;
      },
    });
    run.source.give(9).end();
    const all = run.takeAll();
    await run.endAll();
    expect(ids(await all)).toEqual([1, 2]);
    expectToAddUp(run);
  });

  test('while results that need no work wait for their turn', async () => {
    const run = new TestRun({ recall: ({ id }) => ({ id, text: 'known' }) });
    run.source.give(9).end();
    const results = run.pipeline.results();
    const first = await results.next();
    await allReactions();
    run.pipeline.stop();
    const rest: unknown[] = [];
    for await (const result of results) rest.push(result);
    expect(first.value).toEqual({ id: 1, text: 'known' });
    expect(1 + rest.length + run.pipeline.notFetched).toBe(run.source.pulled);
  });

  test('from within the source, as it gives a job', async () => {
    const run: TestRun = new TestRun({ jobs: stopping(() => run.pipeline.stop()) });
    const all = run.takeAll();
    await run.endAll();
    expect(await all).toEqual([{ id: 1, text: 'ok' }]);
    expect(run.pipeline.notFetched).toBe(1);
  });

  test('and an error of the source, as it is let go, no longer matters', async () => {
    const run = new TestRun();
    const all = run.takeAll();
    await allReactions();
    run.pipeline.stop();
    run.source.fail(new Error('aborted'));
    expect(await all).toEqual([]);
    await allReactions();
  });
});

async function* stopping(stop: () => void) {
  yield (function* () {
    yield { id: 1, key: 'a' };
    stop();
    yield { id: 2, key: 'a' };
    yield { id: 3, key: 'a' };
  })();
}
