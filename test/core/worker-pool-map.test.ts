import { spawnSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { WorkerPool } from '../../src/core/worker-pool.ts';
import { deferred } from './deferred.ts';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function* numbers(count: number): Generator<number> {
  for (let job = 0; job < count; job++) yield job;
}

function doubling(concurrency = 2): WorkerPool<number, number> {
  return new WorkerPool({ concurrency, work: async (job: number) => job * 2 });
}

describe('map()', () => {
  it.each<[string, () => Iterable<number> | AsyncIterable<number>]>([
    ['an array', () => [...numbers(100)]],
    ['a generator', () => numbers(100)],
    [
      'an asynchronous generator',
      async function* () {
        yield* numbers(100);
      },
    ],
  ])('gives one result for each job of %s, although there are more than fit', async (_, jobs) => {
    const pool = new WorkerPool({ concurrency: 2, queueSize: 1, work: (job: number) => job * 2 });
    const results = await all(pool.map(jobs()));
    expect(results.map((result) => result.ok && result.value).sort((a, b) => Number(a) - Number(b))).toEqual(
      [...numbers(100)].map((job) => job * 2),
    );
  });

  it('of an empty list gives nothing', async () => {
    expect(await all(doubling().map([]))).toEqual([]);
  });

  it('works on `concurrency` jobs at once', async () => {
    let inFlight = 0;
    let most = 0;
    const work = async (job: number) => {
      most = Math.max(most, ++inFlight);
      await turn();
      inFlight -= 1;
      return job;
    };
    expect(await all(new WorkerPool({ concurrency: 3, work }).map(numbers(50)))).toHaveLength(50);
    expect(most).toBe(3);
  });

  it('gives the error of a job as a result, and goes on', async () => {
    const error = new Error('bad job');
    const work = (job: number) => {
      if (job === 1) throw error;
      return job;
    };
    const results = await all(new WorkerPool({ concurrency: 1, work }).map(numbers(3)));
    expect(results).toEqual([
      { ok: true, job: 0, value: 0 },
      { ok: false, job: 1, error },
      { ok: true, job: 2, value: 2 },
    ]);
  });

  it('reads an endless list at most two jobs per worker ahead', async () => {
    let read = 0;
    function* endless() {
      for (;;) yield read++;
    }
    let taken = 0;
    for await (const _ of doubling(2).map(endless())) {
      taken += 1;
      for (let i = 0; i < 10; i++) await turn();
      expect(read - taken).toBeLessThanOrEqual(4);
      if (taken === 20) break;
    }
  });

  it('may be called inside its own loop, together with run()', async () => {
    const pool = doubling(1);
    const seen: number[] = [];
    for await (const result of pool.map(numbers(10))) {
      if (!result.ok) throw result.error;
      const inner = await all(pool.map([result.value]));
      const [first] = inner;
      if (first?.ok === true) seen.push(await pool.run(first.value));
    }
    expect(seen).toEqual([...numbers(10)].map((job) => job * 8));
  });

  it('throws the error of the list after the results of its jobs', async () => {
    function* broken() {
      yield 1;
      throw new Error('the list broke');
    }
    const results = doubling().map(broken());
    expect(await results.next()).toMatchObject({ value: { job: 1, value: 2 } });
    await expect(results.next()).rejects.toThrow('the list broke');
  });

  it('refuses what is not iterable', async () => {
    // A caller without types may pass this.
    const wrong = 7 as unknown as Iterable<number>;
    await expect(all(doubling().map(wrong))).rejects.toThrow('must be iterable');
  });

  it('after close() rejects', async () => {
    const pool = doubling();
    pool.close();
    await expect(all(pool.map([1]))).rejects.toThrow('the pool is closed');
  });

  it('left early: closes the list, drops waiting jobs, aborts those in progress, and leaves the pool usable', async () => {
    let isClosed = false;
    const signals: AbortSignal[] = [];
    const work = async (job: number, signal: AbortSignal) => {
      signals.push(signal);
      if (job === 1) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return job;
    };
    function* jobs() {
      try {
        yield* numbers(100);
      } finally {
        isClosed = true;
      }
    }
    const pool = new WorkerPool({ concurrency: 2, work });
    for await (const _ of pool.map(jobs())) if (signals.length > 1) break;
    expect([isClosed, signals[1]?.aborted]).toEqual([true, true]);
    expect(signals.length).toBeLessThanOrEqual(6);
    expect(await pool.run(7)).toBe(7);
  });

  it('left early while the list is silent: ends', async () => {
    async function* silent() {
      yield 1;
      await new Promise<never>(() => {});
    }
    for await (const _ of doubling().map(silent())) break;
  });

  it.each([
    ['before', true],
    ['during', false],
  ])('throws the reason of an abort %s the loop', async (_, isBefore) => {
    const reason = new Error('enough');
    const controller = new AbortController();
    if (isBefore) controller.abort(reason);
    const work = () => new Promise<never>(() => {});
    const pool = new WorkerPool<number, never>({ concurrency: 1, work, signal: controller.signal });
    const end = expect(all(pool.map(numbers(5)))).rejects.toBe(reason);
    await turn();
    controller.abort(reason);
    await end;
  });
});

describe('run()', () => {
  it('resolves to the value of one job, also for more jobs than fit', async () => {
    const pool = new WorkerPool({ concurrency: 2, queueSize: 1, work: (job: number) => job * 2 });
    const values = await Promise.all([...numbers(50)].map((job) => pool.run(job)));
    expect(values).toEqual([...numbers(50)].map((job) => job * 2));
  });

  it('rejects with the error of the job', async () => {
    const error = new Error('bad job');
    const pool = new WorkerPool({ concurrency: 1, work: () => Promise.reject(error) });
    await expect(pool.run(undefined)).rejects.toBe(error);
    await expect(pool.run(undefined)).rejects.toBe(error);
  });

  it('rejects after close()', async () => {
    const pool = doubling();
    pool.close();
    await expect(pool.run(1)).rejects.toThrow('the pool is closed');
  });

  it('rejects with the reason of an abort: in progress, queued, waiting for the queue, and afterwards', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const { promise: never } = deferred<number>();
    const pool = new WorkerPool({
      concurrency: 1,
      queueSize: 1,
      work: () => never,
      signal: controller.signal,
    });
    const runs = [pool.run(0), pool.run(1), pool.run(2)];
    await turn();
    controller.abort(reason);
    for (const run of [...runs, pool.run(3)]) await expect(run).rejects.toBe(reason);
  });

  it('gives no result to results()', async () => {
    const pool = doubling();
    await pool.submit(1);
    expect(await pool.run(2)).toBe(4);
    expect(await pool.drain()).toEqual([{ ok: true, job: 1, value: 2 }]);
  });
});

describe('submit() that waits while the results are not read', () => {
  const MESSAGE =
    'deadlock: submit() waits for room, but the results are not read: read results() while you submit, or use map() or run()';

  it('rejects when the process has nothing left to do', async () => {
    const events = new EventEmitter();
    const pool = new WorkerPool({ concurrency: 1, work: (job: number) => job }, events);
    const submits = [...numbers(20)].map((job) => pool.submit(job));
    await turn();
    expect(events.listenerCount('beforeExit')).toBe(1);
    events.emit('beforeExit');
    const rejected = (await Promise.allSettled(submits)).filter(({ status }) => status === 'rejected');
    expect(rejected.map((result) => String(Object(result).reason.message))).toContain(MESSAGE);
    expect(events.listenerCount('beforeExit')).toBe(0);
  });

  it('does not reject while it waits for the work', async () => {
    const events = new EventEmitter();
    const { promise, resolve } = deferred<number>();
    const pool = new WorkerPool({ concurrency: 1, queueSize: 1, work: () => promise }, events);
    const submits = [0, 1, 2].map((job) => pool.submit(job));
    await turn();
    events.emit('beforeExit');
    resolve(1);
    expect(await pool.drain()).toHaveLength(3);
    await Promise.all(submits);
  });

  it('ends a program with this message', () => {
    const file = fileURLToPath(new URL('../../dist/index.js', import.meta.url));
    const script = `
      const { WorkerPool } = await import(${JSON.stringify(file)});
      const pool = new WorkerPool({ concurrency: 1, queueSize: 2, work: (job) => job });
      for (let job = 0; job < 20; job++) await pool.submit(job);
      pool.close();
      await pool.drain();`;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 10_000 });
    expect([run.status, `${run.stderr}`]).toEqual([1, expect.stringContaining(MESSAGE)]);
  });
});
