import { describe, expect, test } from 'vitest';
import { deferred } from './deferred.ts';
import { expectToAddUp, ids, TestRun } from './test-run.ts';
import { allReactions, watch } from './watch.ts';

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

  test('an admission that fails ends the run with its error, and its job is counted', async () => {
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
