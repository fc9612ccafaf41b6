import { describe, expect, test } from 'vitest';
import { Channel } from '../../src/core/channel.ts';
import { runWorkers } from '../../src/core/pipeline.ts';

interface Job {
  readonly id: number;
}

/** A queue as workers see it, with `count` jobs in it. */
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

/** Work that waits for the test to end it. */
class Bench {
  readonly underWay = new Map<number, () => void>();
  most = 0;

  readonly work = (job: Job): Promise<void> =>
    new Promise((resolve) => {
      this.underWay.set(job.id, () => {
        this.underWay.delete(job.id);
        resolve();
      });
      this.most = Math.max(this.most, this.underWay.size);
    });
}

const reactions = () => new Promise((resolve) => setImmediate(resolve));

describe('runWorkers()', () => {
  test('works on each job once, in the order of the queue', async () => {
    const seen: number[] = [];
    await runWorkers(3, queueOf(10), async (job) => {
      seen.push(job.id);
    });
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('works on as many jobs at a time as it was told, and on no more', async () => {
    const bench = new Bench();
    const working = runWorkers(3, queueOf(7), bench.work);
    for (let ended = 0; ended < 7; ended += 1) {
      await reactions();
      expect(bench.underWay.size).toBe(Math.min(3, 7 - ended));
      [...bench.underWay.values()].at(-1)?.();
    }
    await working;
    expect(bench.most).toBe(3);
  });

  test('takes a job only when a worker is free', async () => {
    const bench = new Bench();
    const queue = queueOf(5);
    const working = runWorkers(2, queue, bench.work);
    await reactions();
    expect(queue.left).toBe(3);
    bench.underWay.get(1)?.();
    await reactions();
    expect(queue.left).toBe(2);
    while (bench.underWay.size > 0) {
      for (const end of bench.underWay.values()) end();
      await reactions();
    }
    await working;
  });

  test('resolves only when the last worker has finished', async () => {
    const bench = new Bench();
    let isOver = false;
    const working = runWorkers(2, queueOf(2), bench.work).then(() => {
      isOver = true;
    });
    await reactions();
    bench.underWay.get(0)?.();
    await reactions();
    expect(isOver).toBe(false);
    bench.underWay.get(1)?.();
    await working;
  });

  test('waits for jobs that come later', async () => {
    const channel = new Channel<Job>(1);
    const seen: number[] = [];
    const working = runWorkers(2, { take: () => channel.receive() }, async (job) => {
      seen.push(job.id);
    });
    for (let id = 0; id < 4; id += 1) {
      await reactions();
      channel.send({ id });
    }
    channel.close();
    await working;
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  test('rejects as the work does, without leaving another rejection unheard', async () => {
    const failure = new Error('a bug');
    await expect(runWorkers(3, queueOf(3), () => Promise.reject(failure))).rejects.toBe(failure);
    await reactions();
  });
});
