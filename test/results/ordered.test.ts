import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { inOrder, OrderWindow, ordered } from '../../src/results/ordering.ts';
import { okResult } from '../model/a-result.ts';
import { RecordingSink } from './recording-sink.ts';

const summary = new SummaryFold().summary(0);

function results(...indexes: number[]): Result[] {
  return indexes.map((index) => okResult({ index }));
}

test('an ordered sink gets results in the order of their index', () => {
  const sink = new RecordingSink();
  const inner = ordered(sink, new OrderWindow(4));
  for (const result of results(2, 0, 3, 1)) inner.write(result);
  expect(sink.indexes).toEqual([0, 1, 2, 3]);
});

test('an ordered sink asks for no wait unless the sink behind it does', () => {
  const inner = ordered(new RecordingSink(), new OrderWindow(4));
  expect(results(1, 0).map((result) => inner.write(result))).toEqual([undefined, undefined]);
});

test('a slow sink holds back its caller, the results behind, and the producer', async () => {
  const accepts: (() => void)[] = [];
  const sink = new RecordingSink(() => new Promise((resolve) => accepts.push(resolve)));
  const window = new OrderWindow<Result>(2);
  const inner = ordered(sink, window);
  for (const result of results(1)) expect(inner.write(result)).toBeUndefined();
  const accepted = inner.write(okResult({ index: 0 }));
  expect(sink.indexes).toEqual([0]);
  expect(window.admit(2)).toBeUndefined();
  const fourth = window.admit(3);
  expect(fourth).toBeInstanceOf(Promise);
  accepts.shift()?.();
  await fourth;
  expect(sink.indexes).toEqual([0, 1]);
  accepts.shift()?.();
  await accepted;
});

test('the end of an ordered sink brings what a stopped run left, then the summary, and frees the producer', async () => {
  const sink = new RecordingSink();
  const window = new OrderWindow<Result>(4);
  const inner = ordered(sink, window);
  for (const result of results(3, 1)) inner.write(result);
  const producer = window.admit(9);
  await inner.end(summary);
  await producer;
  expect(sink.indexes).toEqual([1, 3]);
  expect(sink.summaries).toEqual([summary]);
});

test('an ordered sink is ended even if what was left cannot be written', async () => {
  const sink = new RecordingSink(() => {
    throw new Error('full');
  });
  const inner = ordered(sink, new OrderWindow(4));
  for (const result of results(1)) inner.write(result);
  await expect(inner.end(summary)).rejects.toThrow('full');
  expect(sink.summaries).toEqual([summary]);
});

test('inOrder() yields results in the order of their index, those behind a gap last', async () => {
  async function* arriving() {
    yield* results(2, 0, 1, 5, 4);
  }
  const indexes: number[] = [];
  for await (const { index } of inOrder(arriving(), new OrderWindow(4))) indexes.push(index);
  expect(indexes).toEqual([0, 1, 2, 4, 5]);
});

test('leaving inOrder() early closes its source and frees the producer', async () => {
  let isClosed = false;
  async function* arriving() {
    try {
      yield* results(0, 1);
    } finally {
      isClosed = true;
    }
  }
  const window = new OrderWindow<Result>(2);
  const producer = window.admit(7);
  for await (const _ of inOrder(arriving(), window)) break;
  await turn();
  await producer;
  expect(isClosed).toBe(true);
});
