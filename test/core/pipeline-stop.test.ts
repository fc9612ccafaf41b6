import { describe, expect, test } from 'vitest';
import { deferred } from './deferred.ts';
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

  test('whose workers are busy, once they have finished', async () => {
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

  test('whose queue is full, and counts the jobs that it holds and the one that waits to enter', async () => {
    const run = new TestRun({ capacity: 4 });
    run.source.give(20);
    const all = run.takeAll();
    await allReactions();
    expect(run.source.pulled).toBe(7); // two in flight, four held, one that waits
    run.pipeline.stop();
    expect(run.pipeline.notFetched).toBe(5);
    expect(run.pipeline.dropped.map(({ id }) => id)).toEqual([3, 4, 5, 6, 7]);
    await run.endAll();
    expect(ids(await all)).toEqual([1, 2]);
    expect(run.source.pulled).toBe(7);
    expectToAddUp(run);
  });

  test('whose results are not taken, which can be taken later', async () => {
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

  test('whose limiter allows nothing', async () => {
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

  test('that has ended already, without any change', async () => {
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

  test('when called by finish()', async () => {
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

  test('when called by the source while it gives a job', async () => {
    const run: TestRun = new TestRun({ jobs: stopping(() => run.pipeline.stop()) });
    const all = run.takeAll();
    await run.endAll();
    expect(await all).toEqual([{ id: 1, text: 'ok' }]);
    expect(run.pipeline.notFetched).toBe(1);
  });

  test('and ignores an error of the source after that', async () => {
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

describe('Pipeline.stop() and admission', () => {
  test('does not wait for an admission that never comes, and counts its job', async () => {
    const run = new TestRun({ admit: (job) => (job.id === 2 ? new Promise(() => {}) : undefined) });
    run.source.give(5);
    const all = run.takeAll();
    await run.endAll();
    run.pipeline.stop();
    expect(ids(await all)).toEqual([1]);
    expect(run.pipeline.notFetched).toBe(1);
    expectToAddUp(run);
  });

  test('counts a job that is admitted afterwards once, and does not start it', async () => {
    const { promise, resolve } = deferred();
    const run = new TestRun({ admit: () => promise });
    run.source.give(5);
    const all = run.takeAll();
    await allReactions();
    run.pipeline.stop();
    resolve();
    expect(await all).toEqual([]);
    await allReactions();
    expect(run.started).toEqual([]);
    expectToAddUp(run);
  });

  test('counts a job whose admission is refused because of the stop', async () => {
    const { promise, reject } = deferred();
    const run = new TestRun({ admit: () => promise });
    run.source.give(5);
    const all = run.takeAll();
    await allReactions();
    run.pipeline.stop();
    reject(new Error('stopped'));
    expect(await all).toEqual([]);
    await allReactions();
    expectToAddUp(run);
  });

  test('ends a run with the error of a failed admission, and counts its job', async () => {
    const failure = new Error('a bug');
    const run = new TestRun({ admit: (job) => (job.id === 3 ? Promise.reject(failure) : undefined) });
    run.source.give(5).end();
    const all = watch(run.takeAll());
    await run.endAll();
    expect(all()).toEqual({ state: 'rejected', reason: failure });
    expect(ids(run.taken)).toEqual([1, 2]);
    expectToAddUp(run);
  });
});

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

  test('results of waiting jobs that exceed the room for results wait to be taken', async () => {
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
  test('begins a job that is not listed under its key', async () => {
    const run = new TestRun();
    const all = run.takeAll();
    await allReactions();
    run.pipeline.accept({ again: { id: 7, key: 'b' }, at: 50 });
    run.source.end();
    expect(run.inFlight).toEqual([]);
    run.clock.turnTo(50);
    await allReactions();
    expect(run.inFlight).toEqual([7]);
    await run.end();
    expect(await all).toEqual([{ id: 7, text: 'ok' }]);
  });
});
