import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { forEach } from '../../src/core/channel.ts';
import { OutputError } from '../../src/model/errors.ts';
import type { Result } from '../../src/model/result.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { collect, type Sink } from '../../src/results/sink.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { RecordingSink } from './recording-sink.ts';

/** Node gives access to the garbage collector only by a flag. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

/** Yields `count` results, and records how many were pulled and whether it was closed. */
class Source implements AsyncIterable<Result> {
  pulled = 0;
  closed = false;
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Result> {
    try {
      for (; this.pulled < this.#count; ) {
        this.pulled += 1;
        yield okResult({ index: this.pulled - 1 });
      }
    } finally {
      this.closed = true;
    }
  }
}

function run(results: AsyncIterable<Result>, sinks: Sink[], fold = new SummaryFold()) {
  let now = 0;
  return collect(
    (use) => forEach(results, use),
    sinks,
    fold,
    () => {
      now += 500;
      return now;
    },
  );
}

test('collect() hands every result to every sink, in order, and ends each with the summary', async () => {
  const sinks = [new RecordingSink(), new RecordingSink()];
  const summary = await run(new Source(3), sinks);
  for (const sink of sinks) {
    expect(sink.indexes).toEqual([0, 1, 2]);
    expect(sink.summaries).toEqual([summary]);
  }
  expect(summary).toMatchObject({ ok: 3, failed: 0, wallMs: 500 });
});

test('collect() folds each result before the sinks see it', async () => {
  const fold = new SummaryFold();
  const seen: number[] = [];
  const sink = new RecordingSink(() => void seen.push(fold.ok + fold.failed));
  async function* results() {
    yield okResult();
    yield failedResult('dns');
  }
  await run(results(), [sink], fold);
  expect(seen).toEqual([1, 2]);
  expect(fold.failed).toBe(1);
});

test('collect() includes counts that were set while it ran in the summary', async () => {
  const fold = new SummaryFold();
  const sink = new RecordingSink(() => {
    fold.read += 1;
  });
  expect(await run(new Source(4), [sink], fold)).toMatchObject({ read: 4 });
});

test('a slow sink holds back the next result and the sinks after it', async () => {
  const source = new Source(3);
  const accepts: (() => void)[] = [];
  const slow = new RecordingSink(() => new Promise((resolve) => accepts.push(resolve)));
  const behind = new RecordingSink();
  const running = run(source, [slow, behind]);
  for (const expected of [1, 2, 3]) {
    await turn();
    expect(source.pulled).toBe(expected);
    expect(behind.indexes).toHaveLength(expected - 1);
    accepts.shift()?.();
  }
  await running;
  expect(behind.indexes).toEqual([0, 1, 2]);
});

test.each([
  [
    'throws',
    () => {
      throw new OutputError('full');
    },
  ],
  ['rejects', () => Promise.reject(new OutputError('full'))],
])('a sink that %s ends the run, closes the results, and every sink is still ended', async (_name, fail) => {
  const source = new Source(9);
  const sinks = [
    new RecordingSink(),
    new RecordingSink((result) => (result.index === 2 ? fail() : undefined)),
  ];
  await expect(run(source, sinks)).rejects.toThrow('full');
  expect(source).toMatchObject({ pulled: 3, closed: true });
  for (const sink of sinks) expect(sink.summaries).toHaveLength(1);
});

test('results that throw end every sink, and collect() throws their error', async () => {
  async function* broken(): AsyncGenerator<Result> {
    yield okResult();
    throw new Error('a bug');
  }
  const sink = new RecordingSink();
  await expect(run(broken(), [sink])).rejects.toThrow('a bug');
  expect(sink.indexes).toEqual([0]);
  expect(sink.summaries).toHaveLength(1);
});

test('a sink that fails to end does not keep the next from being ended', async () => {
  const broken: Sink = { write() {}, end: () => Promise.reject(new OutputError('cannot flush')) };
  const sink = new RecordingSink();
  await expect(run(new Source(1), [broken, sink])).rejects.toThrow('cannot flush');
  expect(sink.summaries).toHaveLength(1);
});

test('the first of several errors is the one that is thrown', async () => {
  const broken: Sink = {
    write: () => {
      throw new OutputError('first');
    },
    end: () => {
      throw new OutputError('second');
    },
  };
  await expect(run(new Source(1), [broken])).rejects.toThrow('first');
});

test('sinks are ended one after the other, so that the summary comes after the last flushed line', async () => {
  const order: string[] = [];
  const slow: Sink = {
    write() {},
    async end() {
      await turn();
      order.push('lines');
    },
  };
  const last: Sink = { write() {}, end: () => void order.push('summary') };
  await run(new Source(1), [slow, last]);
  expect(order).toEqual(['lines', 'summary']);
});

test('holds no result while it waits for the next one, which may be long', async () => {
  let last: WeakRef<Result> | undefined;
  let end: (step: IteratorResult<Result>) => void = () => {};
  const waiting = new Promise<IteratorResult<Result>>((resolve) => {
    end = resolve;
  });
  const steps = [
    () => Promise.resolve({ value: okResult({ url: 'http://a.test/' }), done: false as const }),
    () => waiting,
  ];
  const source = { [Symbol.asyncIterator]: () => ({ next: () => (steps.shift() ?? (() => waiting))() }) };
  const sink: Sink = {
    write: (result) => {
      last = new WeakRef(result);
    },
    end: () => {},
  };
  const collecting = run(source, [sink]);
  await turn();
  collectGarbage();
  expect(last).toBeDefined();
  expect(last?.deref()).toBeUndefined();
  end({ value: undefined, done: true });
  expect((await collecting).ok).toBe(1);
});
