import { describe, expect, test } from 'vitest';
import { Channel } from '../../src/core/channel.ts';
import { runWorkers } from '../../src/core/worker-pool.ts';
import { expectToAddUp, ids, idsTo, type TestResult, TestRun } from './test-run.ts';
import { allReactions, watch } from './watch.ts';

describe('Pipeline gives one result for each job', () => {
  test('if there are more jobs than workers and than room in the queue', async () => {
    const run = new TestRun();
    run.source.give(20).give(0).give(5, 'b').end();
    const all = run.takeAll();
    await run.endAll();
    expect(ids(await all)).toEqual(idsTo(25));
    expect(run.pipeline.notFetched).toBe(0);
  });

  test('if there are no jobs', async () => {
    const run = new TestRun();
    run.source.end();
    expect(await run.takeAll()).toEqual([]);
  });

  test('as soon as it is done, if jobs come one by one', async () => {
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

  test('and works on at most as many jobs as there are workers', async () => {
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

test('Pipeline opens each job when it is taken, and uses what it becomes from then on', async () => {
  const run = new TestRun({ open: (job) => ({ ...job, id: job.id + 100 }) });
  run.source.give(9).end();
  const all = run.takeAll();
  await allReactions();
  expect(ids(run.started)).toEqual([101, 102]);
  await run.fail(new Error('a bug'));
  run.pipeline.stop();
  await run.endAll();
  expect(ids(await all)).toEqual([101, 102, 103]);
  expect(run.taken).toContainEqual({ id: 101, text: 'crashed: Error: a bug' });
  expect(ids(run.pipeline.dropped).every((id) => id < 100)).toBe(true);
});

describe('Work that calls back before it returns', () => {
  test('gives each job its result, however many there are', async () => {
    const run = new TestRun({ work: ({ id }, settle) => settle({ result: { id, text: 'ok' } }) });
    run.source.give(20_000).end();
    expect(ids(await run.takeAll())).toEqual(idsTo(20_000));
    expectToAddUp(run);
  });

  test('repeats a job, and starts the next one at once', async () => {
    const started: number[] = [];
    const run = new TestRun({
      concurrency: 1,
      work: (job, settle) => {
        started.push(job.id);
        const isFirst = started.filter((id) => id === job.id).length === 1;
        settle(isFirst ? { again: job, at: 0 } : { result: { id: job.id, text: 'ok' } });
      },
    });
    run.source.give(3).end();
    expect(ids(await run.takeAll())).toEqual([1, 2, 3]);
    expect(started).toEqual([1, 1, 2, 2, 3, 3]);
  });
});

test('the next job is started before the callback of the one before it returns', async () => {
  const run = new TestRun({ concurrency: 1 });
  run.source.give(2).end();
  const all = run.takeAll();
  await allReactions();
  expect(ids(run.started)).toEqual([1]);
  const ending = run.end();
  expect(ids(run.started)).toEqual([1, 2]);
  await ending;
  await run.endAll();
  expect(ids(await all)).toEqual([1, 2]);
});

describe('A worker that throws affects only its job', () => {
  test('if it rejects', async () => {
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

  test('if it throws synchronously, for every job', async () => {
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

  test('counts for the key it has now, also if the same object has changed its key', async () => {
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

  test('does not get the result of an earlier attempt unless the run is stopped', async () => {
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

  test('needs no worker, and all others are worked on', async () => {
    const run = new TestRun({ recall });
    run.source.give(9).end();
    const all = run.takeAll();
    await run.endAll();
    expect(ids(await all)).toEqual(idsTo(9));
    expect(ids(run.started)).toEqual([1, 3, 5, 7, 9]);
    expect(run.taken.filter(({ text }) => text === 'earlier')).toHaveLength(4);
    expectToAddUp(run);
  });

  test('waits until results are taken', async () => {
    const run = new TestRun({ recall: ({ id }) => ({ id, text: 'earlier' }) });
    run.source.give(100).end();
    const results = run.pipeline.results();
    await results.next();
    await allReactions();
    expect(run.source.pulled).toBeLessThan(10);
    await results.return();
  });
});

describe('Pipeline calls', () => {
  test('finish() with each result before it is taken, and uses the result that it returns', async () => {
    const called: TestResult[] = [];
    const run = new TestRun({
      finish: (result) => {
        called.push(result);
        return { ...result, text: `${result.text}, finished` };
      },
    });
    run.source.give(2).end();
    const results = run.pipeline.results();
    const first = results.next();
    await run.endAll();
    expect(ids(called)).toEqual([1, 2]);
    expect((await first).value).toEqual({ id: 1, text: 'ok, finished' });
    await results.return();
  });

  test('onEnd() at the end, after it has given the last results', async () => {
    const called: string[] = [];
    const run = new TestRun({
      lastResults: async function* () {
        called.push(`last results after ${run.taken.length}`);
        yield { id: 3, text: 'last' };
      },
      onEnd: () => called.push('end'),
    });
    run.source.give(2).end();
    const all = run.takeAll();
    await run.endAll();
    expect(ids(await all)).toEqual([1, 2, 3]);
    expect(called).toEqual(['last results after 2', 'end']);
  });
});

describe('Pipeline drops unwanted jobs', () => {
  test('that wait when dropUnwanted() is called, and keeps those in flight', async () => {
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

  test('when their turn comes again', async () => {
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
});

describe('An error of the job source', () => {
  const failure = new Error('the disk is gone');

  test('is thrown after the results of all jobs read', async () => {
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

  test('is thrown if nothing was read', async () => {
    const run = new TestRun();
    run.source.fail(failure);
    await expect(run.takeAll()).rejects.toBe(failure);
  });

  test('in the middle of a batch ends reading and is thrown', async () => {
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

interface Job {
  readonly id: number;
}

/** A queue of `count` jobs, as workers see it. */
function queueOf(count: number): { take(): Job | undefined; left: number } {
  return {
    left: count,
    take() {
      if (this.left === 0) return undefined;
      this.left -= 1;
      return { id: count - this.left - 1 };
    },
  };
}

/** Work that the test ends. */
class ControlledWork {
  readonly inFlight = new Map<number, () => void>();
  most = 0;

  readonly run = (job: Job): Promise<void> =>
    new Promise((resolve) => {
      this.inFlight.set(job.id, () => {
        this.inFlight.delete(job.id);
        resolve();
      });
      this.most = Math.max(this.most, this.inFlight.size);
    });
}

describe('runWorkers()', () => {
  test('works on each job once, in the order of the queue', async () => {
    const seen: number[] = [];
    await runWorkers(3, queueOf(10), async (job) => {
      seen.push(job.id);
    });
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('works on at most `concurrency` jobs at a time', async () => {
    const work = new ControlledWork();
    const working = runWorkers(3, queueOf(7), work.run);
    for (let ended = 0; ended < 7; ended += 1) {
      await allReactions();
      expect(work.inFlight.size).toBe(Math.min(3, 7 - ended));
      [...work.inFlight.values()].at(-1)?.();
    }
    await working;
    expect(work.most).toBe(3);
  });

  test('takes a job only when a worker is free', async () => {
    const work = new ControlledWork();
    const queue = queueOf(5);
    const working = runWorkers(2, queue, work.run);
    await allReactions();
    expect(queue.left).toBe(3);
    work.inFlight.get(1)?.();
    await allReactions();
    expect(queue.left).toBe(2);
    while (work.inFlight.size > 0) {
      for (const end of work.inFlight.values()) end();
      await allReactions();
    }
    await working;
  });

  test('resolves only when the last worker has finished', async () => {
    const work = new ControlledWork();
    let isOver = false;
    const working = runWorkers(2, queueOf(2), work.run).then(() => {
      isOver = true;
    });
    await allReactions();
    work.inFlight.get(0)?.();
    await allReactions();
    expect(isOver).toBe(false);
    work.inFlight.get(1)?.();
    await working;
  });

  test('waits for jobs that come later', async () => {
    const channel = new Channel<Job>(1);
    const seen: number[] = [];
    const working = runWorkers(2, { take: () => channel.receive() }, async (job) => {
      seen.push(job.id);
    });
    for (let id = 0; id < 4; id += 1) {
      await allReactions();
      channel.send({ id });
    }
    channel.close();
    await working;
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  test('rejects if the work does, without an unhandled rejection', async () => {
    const failure = new Error('a bug');
    await expect(runWorkers(3, queueOf(3), () => Promise.reject(failure))).rejects.toBe(failure);
    await allReactions();
  });
});
