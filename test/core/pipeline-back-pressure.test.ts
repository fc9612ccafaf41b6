import { describe, expect, test } from 'vitest';
import { ids, idsTo, TestRun } from './test-run.ts';
import { allReactions, watch } from './watch.ts';

const CAPACITY = 4;
const WORKERS = 2;

describe('Pipeline reads no more than it has room for', () => {
  test('while the workers are busy', async () => {
    const run = new TestRun({ capacity: CAPACITY, concurrency: WORKERS });
    run.source.give(100).end();
    const all = run.takeAll();
    await allReactions();
    expect(run.source.pulled).toBe(WORKERS + CAPACITY + 1);
    await run.end();
    expect(run.source.pulled).toBe(WORKERS + CAPACITY + 2);
    await run.endAll();
    expect(await all).toHaveLength(100);
  });

  test('and asks for the next batch only when the whole last batch is in the queue', async () => {
    const run = new TestRun({ capacity: CAPACITY, concurrency: WORKERS });
    run.source
      .give(CAPACITY + WORKERS + 1)
      .give(1)
      .end();
    const all = run.takeAll();
    await allReactions();
    expect(run.source.requested).toBe(1);
    await run.end();
    expect(run.source.requested).toBeGreaterThan(1);
    await run.endAll();
    await all;
  });

  test('while results are not taken, and continues when they are', async () => {
    const run = new TestRun({ capacity: CAPACITY, concurrency: WORKERS });
    run.source.give(100).end();
    const results = run.pipeline.results();
    const first = results.next();
    await run.endAll();
    await first;
    // One result was taken, one per worker waits, and each worker holds one more.
    expect(run.started).toHaveLength(1 + WORKERS + WORKERS);
    expect(run.source.pulled).toBe(1 + WORKERS + WORKERS + CAPACITY + 1);
    for (let taken = 2; taken <= 50; taken += 1) {
      await results.next();
      await run.endAll();
      expect(run.started).toHaveLength(taken + WORKERS + WORKERS);
      expect(run.source.pulled).toBe(taken + WORKERS + WORKERS + CAPACITY + 1);
    }
    await results.return();
  });

  test('and counts a job whose result is not taken as no longer in flight', async () => {
    const run = new TestRun({ capacity: CAPACITY, concurrency: WORKERS });
    run.source.give(100).end();
    const results = run.pipeline.results();
    await Promise.all([results.next(), run.endAll()]);
    expect(run.scheduler.inFlight).toBe(0);
    await results.return();
  });

  test('while the next job waits for its admission', async () => {
    const admissions: (() => void)[] = [];
    const run = new TestRun({ admit: () => new Promise((resolve) => admissions.push(resolve)) });
    run.source.give(3).end();
    const all = run.takeAll();
    for (const id of idsTo(3)) {
      await allReactions();
      expect(run.source.pulled).toBe(id);
      expect(run.started).toHaveLength(id - 1);
      admissions.shift()?.();
      await run.endAll();
    }
    expect(ids(await all)).toEqual(idsTo(3));
  });

  test('and gives results of fast keys while a slow one is not allowed', async () => {
    const run = new TestRun({ capacity: CAPACITY, concurrency: WORKERS });
    run.limiter.keyAllowedFrom.set('slow', 1_000);
    run.source.giveEach(['slow', 'a', 'b', 'slow', 'c', 'd']).end();
    const all = run.takeAll();
    await run.endAll();
    expect(ids(run.taken)).toEqual([2, 3, 5, 6]);
    run.clock.turnTo(1_000);
    await run.endAll();
    expect(ids(await all)).toEqual(idsTo(6));
  });
});

describe('Leaving the results of a Pipeline early', () => {
  test('stops reading, closes the source, and accounts for every job', async () => {
    const ended: number[] = [];
    const run = new TestRun({ onEnd: () => ended.push(run.source.pulled) });
    run.source.give(100);
    for await (const result of resultsOf(run)) {
      run.taken.push(result);
      break;
    }
    expect(run.source.returned).toBe(1);
    expect(ended).toHaveLength(1);
    await run.endAll();
    expect(run.source.pulled).toBe(ended[0]);
    expect(run.started.length + run.pipeline.notFetched).toBe(run.source.pulled);
    expect(run.scheduler.size).toBe(0);
    expect(run.scheduler.inFlight).toBe(0);
  });

  test('by an error of the consumer does the same, and the error is the consumer’s', async () => {
    const run = new TestRun();
    run.source.give(100);
    const failure = new Error('disk full');
    const consume = async () => {
      for await (const _ of resultsOf(run)) throw failure;
    };
    await expect(consume()).rejects.toBe(failure);
    expect(run.source.returned).toBe(1);
    await run.endAll();
    expect(run.scheduler.inFlight).toBe(0);
  });

  test('while workers wait to hand over their results causes no unhandled rejection', async () => {
    const run = new TestRun();
    run.source.give(100);
    const results = run.pipeline.results();
    await Promise.all([results.next(), run.endAll()]);
    const left = watch(results.return());
    await allReactions();
    expect(left().state).toBe('fulfilled');
    await run.endAll();
    expect(run.started.length + run.pipeline.notFetched).toBe(run.source.pulled);
  });

  test('while a batch is awaited does not wait for it', async () => {
    const run = new TestRun();
    run.source.give(1);
    const results = run.pipeline.results();
    await Promise.all([results.next(), run.endAll()]);
    await results.return();
    expect(run.source.returned).toBe(1);
    run.source.give(5);
    await allReactions();
    expect(run.source.pulled).toBe(1);
  });
});

/** The results; the work of the first job is ended as soon as it is started. */
async function* resultsOf(run: TestRun) {
  const results = run.pipeline.results();
  const first = results.next();
  await allReactions();
  await run.end();
  const { value } = await first;
  try {
    if (value !== undefined) yield value;
    yield* results;
  } finally {
    await results.return();
  }
}
