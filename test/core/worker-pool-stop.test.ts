import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WorkerPool, type WorkerPoolOptions } from '../../src/core/worker-pool.ts';
import { deferred } from './deferred.ts';
import { allReactions, watch } from './watch.ts';

const reason = new Error('enough');

/** A pool whose work waits until `letGo` is called. */
function testPool(options: Partial<WorkerPoolOptions<number, number>> = {}) {
  const controller = new AbortController();
  const started: number[] = [];
  const signals = new Set<AbortSignal>();
  const release = deferred();
  const pool = new WorkerPool<number, number>({
    concurrency: 1,
    queueSize: 1,
    signal: controller.signal,
    work: async (job, signal) => {
      started.push(job);
      signals.add(signal);
      await release.promise;
      return job;
    },
    ...options,
  });
  const listeners = () => getEventListeners(controller.signal, 'abort').length;
  return { pool, controller, started, signals, letGo: release.resolve, listeners };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('An abort of a WorkerPool', () => {
  it('does not start a job that was handed to a worker at the same time', async () => {
    const { pool, controller, started } = testPool();
    await allReactions();
    const submitted = pool.submit(0);
    controller.abort(reason);
    await submitted;
    await expect(all(pool.results())).rejects.toBe(reason);
    expect(started).toEqual([]);
  });

  it('rejects waiting and later submits with the reason, also after close()', async () => {
    const { pool, controller, letGo } = testPool();
    const submits = [0, 1, 2, 3].map((job) => watch(pool.submit(job)));
    await allReactions();
    pool.close();
    controller.abort(reason);
    await allReactions();
    expect(submits.map((submit) => submit().state)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    await expect(pool.submit(4)).rejects.toBe(reason);
    letGo();
    await expect(pool.drain()).rejects.toBe(reason);
  });

  it('aborts the signal of the work, with the same reason', async () => {
    const { pool, controller, signals, letGo } = testPool();
    await pool.submit(0);
    await allReactions();
    controller.abort(reason);
    letGo();
    await expect(all(pool.results())).rejects.toBe(reason);
    expect([...signals].map((signal) => signal.reason)).toEqual([reason]);
  });

  it('between two results drops waiting results and ends the loop', async () => {
    const { pool, controller } = testPool({ concurrency: 2, queueSize: 9, work: (job) => job });
    for (let job = 0; job < 9; job += 1) await pool.submit(job);
    await allReactions();
    const taken: number[] = [];
    const loop = (async () => {
      for await (const { job } of pool.results()) {
        taken.push(job);
        controller.abort(reason);
      }
    })();
    await expect(loop).rejects.toBe(reason);
    expect(taken).toEqual([0]);
  });

  it('after all work is done keeps waiting results', async () => {
    const { pool, controller, letGo } = testPool({ queueSize: 2 });
    await pool.submit(0);
    pool.close();
    letGo();
    await allReactions();
    controller.abort(reason);
    expect(await all(pool.results())).toEqual([{ ok: true, job: 0, value: 0 }]);
  });
});

describe('A WorkerPool listens to the signal', () => {
  it('until it was aborted', () => {
    const { controller, listeners } = testPool();
    expect(listeners()).toBe(1);
    controller.abort(reason);
    expect(listeners()).toBe(0);
  });

  it('until the last worker is done', async () => {
    const { pool, letGo, listeners } = testPool();
    await pool.submit(0);
    pool.close();
    await allReactions();
    expect(listeners()).toBe(1);
    letGo();
    await allReactions();
    expect(listeners()).toBe(0);
  });

  it('until its results are left and the busy workers are done', async () => {
    const { pool, listeners } = testPool({ work: (job) => job });
    await pool.submit(0);
    for await (const _ of pool.results()) break;
    await allReactions();
    expect(listeners()).toBe(0);
  });
});

describe('Leaving the results of a WorkerPool early', () => {
  it('releases waiting submits, drops queued jobs, and aborts the signal of the work', async () => {
    const first = deferred();
    const { pool, started, signals } = testPool({
      queueSize: 2,
      work: async (job, signal) => {
        started.push(job);
        signals.add(signal);
        await (job === 0 ? first.promise : new Promise(() => {}));
        return job;
      },
    });
    const submits = [0, 1, 2, 3, 4, 5].map((job) => watch(pool.submit(job)));
    first.resolve();
    for await (const { job } of pool.results()) {
      expect(job).toBe(0);
      break;
    }
    await allReactions();
    expect(submits.filter((submit) => submit().state === 'pending')).toEqual([]);
    expect(submits[5]?.()).toMatchObject({ state: 'rejected' });
    expect(started).toEqual([0, 1]);
    expect([...signals].map((signal) => signal.aborted)).toEqual([true]);
  });

  it('by an error of the consumer stops the pool, and the error is the consumer’s', async () => {
    const { pool } = testPool({ work: (job) => job });
    await pool.submit(0);
    const consume = async () => {
      for await (const _ of pool.results()) throw reason;
    };
    await expect(consume()).rejects.toBe(reason);
    await expect(pool.submit(1)).rejects.toThrow('the loop over results() was left');
    await expect(pool.drain()).rejects.toThrow('the loop over results() was left');
  });
});

describe('WorkerPool refuses', () => {
  it('a submit after close()', async () => {
    const { pool } = testPool();
    pool.close();
    await expect(pool.submit(0)).rejects.toThrow('cannot add a job: the pool is closed');
  });

  it.each([
    ['concurrency', 0, RangeError, 'invalid value "0" for concurrency: must be a positive integer'],
    ['queueSize', 1.5, RangeError, 'invalid value "1.5" for queueSize: must be a positive integer'],
    ['queueSize', null, RangeError, 'invalid value "null" for queueSize: must be a positive integer'],
    [
      'concurrency',
      undefined,
      RangeError,
      'invalid value "undefined" for concurrency: must be a positive integer',
    ],
    ['concurrency', '8', RangeError, 'invalid value "8" for concurrency: must be a positive integer'],
    ['work', undefined, TypeError, 'invalid type "undefined" for work: must be a function'],
    ['signal', {}, TypeError, 'invalid type "object" for signal: must be an AbortSignal'],
  ])('an invalid option, %s: %j', (name, value, Kind, message) => {
    expect(() => testPool({ [name]: value })).toThrow(new Kind(message));
  });
});
