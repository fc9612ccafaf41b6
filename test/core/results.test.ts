import { describe, expect, test } from 'vitest';
import { expectToAddUp, ids, idsTo, type TestResult, TestRun } from './test-run.ts';
import { allReactions } from './watch.ts';

describe('Pipeline gives one result for each job', () => {
  test('when there are more jobs than workers and than room in the queue', async () => {
    const run = new TestRun();
    run.source.give(20).give(0).give(5, 'b').end();
    const all = run.takeAll();
    await run.endAll();
    expect(ids(await all)).toEqual(idsTo(25));
    expect(run.pipeline.notFetched).toBe(0);
  });

  test('when there is no job at all', async () => {
    const run = new TestRun();
    run.source.end();
    expect(await run.takeAll()).toEqual([]);
  });

  test('when jobs come one by one, each as soon as it is done', async () => {
    const run = new TestRun();
    const all = run.takeAll();
    for (let count = 1; count <= 5; count += 1) {
      run.source.give(1);
      await allReactions();
      await run.end();
      expect(run.taken).toHaveLength(count);
    }
    run.source.end();
    await all;
  });

  test('works on as many jobs as there are workers, and on no more', async () => {
    const run = new TestRun();
    run.source.give(9).end();
    const all = run.takeAll();
    await allReactions();
    expect(run.inFlight).toEqual([1, 2]);
    await run.end();
    expect(run.inFlight).toEqual([2, 3]);
    await run.endAll();
    await all;
  });
});

describe('A worker that throws costs its job alone', () => {
  test('when it rejects', async () => {
    const run = new TestRun();
    run.source.give(4).end();
    const all = run.takeAll();
    await allReactions();
    await run.fail(new Error('a bug'));
    await run.fail('not even an error');
    await run.endAll();
    expect((await all).map(({ text }) => text)).toEqual([
      'crashed: Error: a bug',
      'crashed: not even an error',
      'ok',
      'ok',
    ]);
    expect(ids(run.taken)).toEqual(idsTo(4));
  });

  test('when it throws at once, for every job', async () => {
    const run = new TestRun({
      work: () => {
        throw new Error('a bug');
      },
    });
    run.source.give(50).end();
    expect(ids(await run.takeAll())).toEqual(idsTo(50));
    expect(run.scheduler.inFlight).toBe(0);
  });
});

describe('A job that comes again', () => {
  test('has one result in the end', async () => {
    const run = new TestRun();
    run.source.give(1).end();
    const all = run.takeAll();
    await allReactions();
    for (let count = 0; count < 3; count += 1) {
      const job = run.started.at(-1) ?? { id: 0, key: '' };
      await run.end({ again: job, at: 0 });
      expect(run.taken).toEqual([]);
    }
    await run.end();
    expect(await all).toEqual([{ id: 1, text: 'ok' }]);
    expect(ids(run.started)).toEqual([1, 1, 1, 1]);
  });

  test('holds no worker while it waits for its time', async () => {
    const run = new TestRun({ concurrency: 1 });
    run.source.give(2).end();
    const all = run.takeAll();
    await allReactions();
    await run.end({ again: { id: 1, key: 'a' }, at: 50 });
    expect(run.inFlight).toEqual([2]);
    await run.end();
    expect(run.inFlight).toEqual([]);
    run.clock.turnTo(50);
    await allReactions();
    expect(run.inFlight).toEqual([1]);
    await run.end();
    expect(ids(await all)).toEqual([1, 2]);
  });

  test('counts in the lane it belongs to now, also when the same object has changed its lane', async () => {
    const job = { id: 1, key: 'a' };
    const source = (async function* () {
      yield [job];
    })();
    const run = new TestRun({ jobs: source });
    run.limiter.limit = 1;
    const all = run.takeAll();
    await allReactions();
    job.key = 'b';
    await run.end({ again: job, at: 0 });
    expect(run.limiter.dispatched.map(({ key }) => key)).toEqual(['a', 'b']);
    job.key = 'c';
    await run.end();
    expect(await all).toEqual([{ id: 1, text: 'ok' }]);
    expect(run.scheduler.inFlight).toBe(0);
  });

  test('is not given the result of an earlier attempt when the run is not stopped', async () => {
    const run = new TestRun();
    run.source.give(1).end();
    const all = run.takeAll();
    await allReactions();
    run.failures.add(1);
    await run.end({ again: { id: 1, key: 'a' }, at: 0 });
    await run.end();
    expect(await all).toEqual([{ id: 1, text: 'ok' }]);
  });
});

describe('A job with an earlier result', () => {
  const recall = ({ id }: { id: number }) => (id % 2 === 0 ? { id, text: 'earlier' } : undefined);

  test('needs no worker, and the others are worked on as ever', async () => {
    const run = new TestRun({ recall });
    run.source.give(9).end();
    const all = run.takeAll();
    await run.endAll();
    expect(ids(await all)).toEqual(idsTo(9));
    expect(ids(run.started)).toEqual([1, 3, 5, 7, 9]);
    expect(run.taken.filter(({ text }) => text === 'earlier')).toHaveLength(4);
    expectToAddUp(run);
  });

  test('waits for whoever takes the results', async () => {
    const run = new TestRun({ recall: ({ id }) => ({ id, text: 'earlier' }) });
    run.source.give(100).end();
    const results = run.pipeline.results();
    await results.next();
    await allReactions();
    expect(run.source.pulled).toBeLessThan(10);
    await results.return();
  });
});

describe('Pipeline tells', () => {
  test('of each result before it is taken, and takes what it is told for the result', async () => {
    const told: TestResult[] = [];
    const run = new TestRun({
      finish: (result) => {
        told.push(result);
        return { ...result, text: `${result.text}, finished` };
      },
    });
    run.source.give(2).end();
    const results = run.pipeline.results();
    const first = results.next();
    await run.endAll();
    expect(ids(told)).toEqual([1, 2]);
    expect((await first).value).toEqual({ id: 1, text: 'ok, finished' });
    await results.return();
  });

  test('when all is over, after it has waited for what is to be settled', async () => {
    const told: string[] = [];
    const run = new TestRun({
      settle: async () => {
        told.push(`settle after ${run.taken.length}`);
      },
      onEnd: () => told.push('end'),
    });
    run.source.give(2).end();
    const all = run.takeAll();
    await run.endAll();
    await all;
    expect(told).toEqual(['settle after 2', 'end']);
  });
});
