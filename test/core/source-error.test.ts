import { describe, expect, test } from 'vitest';
import { ids, TestRun } from './test-run.ts';
import { allReactions, watch } from './watch.ts';

describe('An error of the source', () => {
  const failure = new Error('the disk is gone');

  test('is thrown after all results of what was read', async () => {
    const run = new TestRun();
    run.source.give(6).fail(failure);
    const all = watch(run.takeAll());
    await allReactions();
    for (let count = 1; count <= 6; count += 1) {
      expect(all().state).toBe('pending');
      await run.end();
      expect(run.taken).toHaveLength(count);
    }
    expect(all()).toEqual({ state: 'rejected', reason: failure });
    expect(run.pipeline.notFetched).toBe(0);
  });

  test('is thrown when nothing was read', async () => {
    const run = new TestRun();
    run.source.fail(failure);
    await expect(run.takeAll()).rejects.toBe(failure);
  });

  test('in the middle of a batch ends the reading and is thrown', async () => {
    const source = (async function* () {
      yield (function* () {
        yield { id: 1, key: 'a' };
        throw failure;
      })();
    })();
    const run = new TestRun({ jobs: source });
    const all = watch(run.takeAll());
    await run.endAll();
    expect(all()).toEqual({ state: 'rejected', reason: failure });
    expect(ids(run.taken)).toEqual([1]);
  });
});

describe('An error that is a bug', () => {
  test.each(['keyOf', 'crashed'] as const)('in %s ends the run with that error', async (name) => {
    const failure = new Error('a bug');
    const fault = () => {
      throw failure;
    };
    const run = new TestRun({ [name]: fault, work: fault });
    run.source.give(3).end();
    await expect(run.takeAll()).rejects.toBe(failure);
    expect(run.source.returned).toBe(1);
  });
});
