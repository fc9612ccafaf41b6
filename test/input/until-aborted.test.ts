import { describe, expect, it } from 'vitest';
import { untilAborted } from '../../src/input/read-stream.ts';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function* counting(log: string[]): AsyncGenerator<number, void, undefined> {
  try {
    for (let count = 1; count <= 3; count++) yield count;
    log.push('end');
  } finally {
    log.push('closed');
  }
}

describe('untilAborted()', () => {
  it('gives every item, and closes the iterable once', async () => {
    const log: string[] = [];
    expect(await all(untilAborted(counting(log), undefined))).toEqual([1, 2, 3]);
    expect(log).toEqual(['end', 'closed']);
  });

  it('closes the iterable when no more is asked for', async () => {
    const log: string[] = [];
    for await (const _ of untilAborted(counting(log), new AbortController().signal)) break;
    expect(log).toEqual(['closed']);
  });

  it('passes an error on', async () => {
    async function* failing(): AsyncGenerator<number> {
      yield 1;
      throw new Error('no more');
    }
    await expect(all(untilAborted(failing(), undefined))).rejects.toThrow('no more');
  });

  it('does not close an iterable that failed', async () => {
    let closed = 0;
    const items = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error('no more')),
        return: () => Promise.resolve({ done: true as const, value: closed++ }),
      }),
    };
    await expect(all(untilAborted(items, undefined))).rejects.toThrow('no more');
    expect(closed).toBe(0);
  });

  it('ends while it waits for an item that never comes', async () => {
    const run = new AbortController();
    async function* stuck(): AsyncGenerator<number> {
      yield 1;
      await new Promise(() => {});
    }
    const items = untilAborted(stuck(), run.signal);
    expect((await items.next()).value).toBe(1);
    const next = items.next();
    run.abort();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('asks for nothing when the signal was aborted before, and ends after the item under way', async () => {
    const log: string[] = [];
    expect(await all(untilAborted(counting(log), AbortSignal.abort()))).toEqual([]);
    const run = new AbortController();
    const items = untilAborted(counting(log), run.signal);
    await items.next();
    run.abort();
    expect((await items.next()).done).toBe(true);
    expect(log).toEqual(['closed']);
  });
});
