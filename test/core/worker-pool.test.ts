import { spawnSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type JobOutcome, WorkerPool } from '../../src/core/worker-pool.ts';
import { type Deferred, deferred } from './deferred.ts';

/** Work that the test ends job by job. */
function controlledWork() {
  const started: number[] = [];
  const ends = new Map<number, Deferred<void>>();
  const endOf = (job: number) => {
    const end = ends.get(job) ?? deferred();
    ends.set(job, end);
    return end;
  };
  return {
    started,
    end: (...jobs: number[]) => {
      for (const job of jobs) endOf(job).resolve();
    },
    work: async (job: number) => {
      started.push(job);
      await endOf(job).promise;
      return job * 2;
    },
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function values(results: readonly JobOutcome<number, number>[]): number[] {
  return results.map((result) => (result.ok ? result.value : Number.NaN)).sort((a, b) => a - b);
}

/** Whether a promise has settled once all that can happen by itself has happened. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => {
      settled = true;
    },
    () => {
      settled = true;
    },
  );
  for (let i = 0; i < 20; i++) await turn();
  return settled;
}

describe('WorkerPool', () => {
  it('gives every job one result, and works on at most `concurrency` jobs at once', async () => {
    let inFlight = 0;
    let most = 0;
    const pool = new WorkerPool<number, number>({
      concurrency: 3,
      queueSize: 5,
      work: async (job) => {
        most = Math.max(most, ++inFlight);
        await turn();
        inFlight -= 1;
        return job;
      },
    });
    const results = all(pool.results());
    for (let job = 0; job < 100; job++) await pool.submit(job);
    pool.close();
    expect(values(await results)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(most).toBe(3);
  });

  it('starts jobs in the order they were submitted', async () => {
    const { work, started, end } = controlledWork();
    const pool = new WorkerPool({ concurrency: 2, queueSize: 10, work });
    for (let job = 0; job < 6; job++) await pool.submit(job);
    end(0, 1, 2, 3, 4, 5);
    await pool.drain();
    expect(started).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('accepts any value as a job, also undefined', async () => {
    const pool = new WorkerPool<undefined, string>({ concurrency: 1, queueSize: 1, work: () => 'done' });
    await pool.submit(undefined);
    expect(await pool.drain()).toEqual([{ ok: true, job: undefined, value: 'done' }]);
  });

  it('turns exceptions and rejections into results, and loses no worker', async () => {
    const pool = new WorkerPool<number, number>({
      concurrency: 1,
      queueSize: 5,
      work: (job) => {
        if (job === 0) throw new Error('thrown');
        return job === 1 ? Promise.reject(new Error('rejected')) : job;
      },
    });
    for (const job of [0, 1, 2]) await pool.submit(job);
    expect(await pool.drain()).toEqual([
      { ok: false, job: 0, error: new Error('thrown') },
      { ok: false, job: 1, error: new Error('rejected') },
      { ok: true, job: 2, value: 2 },
    ]);
  });

  it('holds submit back while the queue is full', async () => {
    const { work, end } = controlledWork();
    const pool = new WorkerPool({ concurrency: 1, queueSize: 2, work });
    for (const job of [0, 1, 2]) await pool.submit(job);
    const waiting = pool.submit(3);
    expect(await isSettled(waiting)).toBe(false);
    end(0, 1, 2, 3);
    await waiting;
    expect(values(await pool.drain())).toEqual([0, 2, 4, 6]);
  });

  it('holds everything back while results are not taken, and loses none of them', async () => {
    let worked = 0;
    const pool = new WorkerPool<number, number>({ concurrency: 2, queueSize: 3, work: () => ++worked });
    let submitted = 0;
    const submitting = (async () => {
      for (let job = 0; job < 50; job++) {
        await pool.submit(job);
        submitted += 1;
      }
    })();
    expect(await isSettled(submitting)).toBe(false);
    // 2 results wait, 2 workers hold one each, and 3 jobs are queued.
    expect([worked, submitted]).toEqual([4, 7]);
    const results = all(pool.results());
    await submitting;
    pool.close();
    expect(await results).toHaveLength(50);
  });

  it('works ahead of a slow consumer only within its bounds', async () => {
    let worked = 0;
    const pool = new WorkerPool<number, number>({ concurrency: 2, queueSize: 3, work: () => ++worked });
    const submitting = (async () => {
      for (let job = 0; job < 20; job++) await pool.submit(job);
      pool.close();
    })();
    let taken = 0;
    for await (const _ of pool.results()) {
      taken += 1;
      for (let i = 0; i < 10; i++) await turn();
      expect(worked - taken).toBeLessThanOrEqual(4);
    }
    await submitting;
    expect(taken).toBe(20);
  });

  it('does not end its results before it is closed', async () => {
    const pool = new WorkerPool<number, number>({ concurrency: 1, queueSize: 1, work: (job) => job });
    const results = all(pool.results());
    await pool.submit(1);
    expect(await isSettled(results)).toBe(false);
    pool.close();
    expect(await results).toHaveLength(1);
  });

  it('does not keep the process alive when it is never closed', () => {
    const file = fileURLToPath(new URL('../../dist/index.js', import.meta.url));
    const script = `
      const { WorkerPool } = await import(${JSON.stringify(file)});
      const pool = new WorkerPool({ concurrency: 2, queueSize: 2, work: (job) => job });
      await pool.submit(1);
      console.log('submitted');`;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 10_000 });
    expect([run.status, `${run.stdout}`]).toEqual([0, 'submitted\n']);
  });

  it('stops everything if its results are left early', async () => {
    const { work, started, end } = controlledWork();
    const pool = new WorkerPool({ concurrency: 1, queueSize: 1, work });
    await pool.submit(0);
    await pool.submit(1);
    const waiting = pool.submit(2);
    end(0);
    for await (const _ of pool.results()) break;
    await expect(waiting.then(() => pool.submit(3))).rejects.toThrow('the loop over results() was left');
    end(1, 2, 3);
    expect(started.length).toBeLessThanOrEqual(2);
  });

  it('refuses jobs after close(), and works on those that waited', async () => {
    const { work, end } = controlledWork();
    const pool = new WorkerPool({ concurrency: 1, queueSize: 1, work });
    await pool.submit(0);
    await pool.submit(1);
    const waiting = pool.submit(2);
    pool.close();
    await expect(pool.submit(3)).rejects.toThrow('closed');
    end(0, 1, 2);
    expect(values(await pool.drain())).toEqual([0, 2, 4]);
    await waiting;
  });

  it('gives its results to one reader', async () => {
    const pool = new WorkerPool<number, number>({ concurrency: 1, queueSize: 1, work: (job) => job });
    const results = pool.results();
    expect(() => pool.results()).toThrow('results() was called twice');
    pool.close();
    expect(await all(results)).toEqual([]);
  });

  it('drain() collects the rest after some results were taken', async () => {
    const pool = new WorkerPool<number, number>({ concurrency: 1, queueSize: 5, work: (job) => job });
    for (const job of [0, 1, 2]) await pool.submit(job);
    const first = await pool.results().next();
    expect(first.value).toEqual({ ok: true, job: 0, value: 0 });
    expect(values(await pool.drain())).toEqual([1, 2]);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses a concurrency or queue size of %d', (wrong) => {
    const work = (job: number) => job;
    expect(() => new WorkerPool({ concurrency: wrong, queueSize: 1, work })).toThrow(RangeError);
    expect(() => new WorkerPool({ concurrency: 1, queueSize: wrong, work })).toThrow(RangeError);
  });
});

describe('WorkerPool under an abort', () => {
  const reason = new Error('enough');

  it('throws the reason if it was aborted before the start', async () => {
    const pool = new WorkerPool<number, number>({
      concurrency: 1,
      queueSize: 1,
      work: (job) => job,
      signal: AbortSignal.abort(reason),
    });
    await expect(pool.submit(1)).rejects.toBe(reason);
    await expect(all(pool.results())).rejects.toBe(reason);
  });

  it('rejects waiting submits, drops queued jobs, and ends after the work in flight', async () => {
    const controller = new AbortController();
    const { work, started, end } = controlledWork();
    const pool = new WorkerPool({ concurrency: 1, queueSize: 1, work, signal: controller.signal });
    await pool.submit(0);
    await pool.submit(1);
    const waiting = pool.submit(2);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    const results = all(pool.results());
    expect(await isSettled(results)).toBe(false);
    end(0);
    await expect(results).rejects.toBe(reason);
    expect(started).toEqual([0]);
  });

  it('aborts the signal of the work, so that it can end at once', async () => {
    const controller = new AbortController();
    const pool = new WorkerPool<number, void>({
      concurrency: 1,
      queueSize: 1,
      work: (_, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
      signal: controller.signal,
    });
    await pool.submit(0);
    controller.abort(reason);
    await expect(all(pool.results())).rejects.toBe(reason);
  });

  it('releases workers whose results are not taken', async () => {
    const controller = new AbortController();
    const pool = new WorkerPool<number, number>({
      concurrency: 1,
      queueSize: 2,
      work: (job) => job,
      signal: controller.signal,
    });
    for (const job of [0, 1, 2]) await pool.submit(job);
    for (let i = 0; i < 10; i++) await turn();
    controller.abort(reason);
    await expect(all(pool.results())).rejects.toBe(reason);
  });

  it('has no effect after the end, and leaves no listener on the signal', async () => {
    const controller = new AbortController();
    const pool = new WorkerPool<number, number>({
      concurrency: 1,
      queueSize: 1,
      work: (job) => job,
      signal: controller.signal,
    });
    await pool.submit(4);
    expect(values(await pool.drain())).toEqual([4]);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    controller.abort(reason);
  });
});
