import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fanout, type JobItem, type Result, UsageError } from '../../src/index.ts';
import { anOrigin, urls } from '../cli/an-origin.ts';
import type { Origin } from '../origin/origin.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';

async function all(results: AsyncIterable<Result>): Promise<Result[]> {
  const taken: Result[] = [];
  for await (const result of results) taken.push(result);
  return taken;
}

/** Endless URLs, the number of URLs that were read, and whether the source was closed. */
function endless(origin: Origin, path = '/ok') {
  const seen = { pulled: 0, closed: false };
  function* items(): Generator<string> {
    try {
      for (;;) yield `${origin.url}${path}?n=${seen.pulled++}`;
    } finally {
      seen.closed = true;
    }
  }
  return { seen, items };
}

describe('fanout() takes', () => {
  it.each<[string, (origin: Origin) => Parameters<typeof fanout>[0]]>([
    ['a list', (origin) => urls(origin, '/ok', 3)],
    ['a set of URL objects', (origin) => new Set(urls(origin, '/ok', 3).map((url) => new URL(url)))],
    [
      'a generator',
      function* (origin) {
        yield* urls(origin, '/ok', 3);
      },
    ],
    [
      'an asynchronous generator',
      async function* (origin) {
        yield* urls(origin, '/ok', 3);
      },
    ],
    ['jobs', (origin) => urls(origin, '/ok', 3).map((url) => ({ url }))],
  ])('%s', async (_, items) => {
    const origin = await anOrigin();
    const results = await all(fanout(items(origin)));
    expect(results.map(({ ok, status, source }) => [ok, status, source])).toEqual(
      Array(3).fill([true, 200, 'library']),
    );
    expect(results.map(({ url }) => url).sort()).toEqual(urls(origin, '/ok', 3));
    expect(results.map(({ index }) => index).sort()).toEqual([0, 1, 2]);
  });

  it('a job with its method, headers, body and id', async () => {
    const origin = await anOrigin();
    const job = {
      url: `${origin.url}/echo`,
      method: 'put',
      headers: { 'X-Mine': 'yes' },
      body: 'text',
      id: 'one',
    };
    expect(await all(fanout([job]))).toMatchObject([{ ok: true, id: 'one', method: 'PUT' }]);
    expect(origin.log[0]).toMatchObject({
      method: 'PUT',
      headers: { 'x-mine': 'yes', 'content-length': '4' },
    });
  });

  it.each<[string, unknown]>([
    ['a single string', 'https://example.com/'],
    ['a URL', new URL('https://example.com/')],
    ['a number', 7],
    ['nothing', undefined],
  ])('no list but %s: throws a UsageError at once', (_, items) => {
    // A caller without types may pass this.
    expect(() => fanout(items as JobItem[])).toThrow(/^cannot read URLs from .*: must be an array/);
    // @ts-expect-error: a string is iterable, but most likely one URL is meant
    expect(() => fanout('https://example.com/')).toThrow(UsageError);
  });

  it('an empty list', async () => {
    expect(await all(fanout([]))).toEqual([]);
  });

  it('bad items, which do not affect the others', async () => {
    const origin = await anOrigin();
    // A caller without types may pass this.
    const items = ['nonsense', 7, null, { url: 1 }, `${origin.url}/ok`] as JobItem[];
    const results = await all(fanout(items));
    const kinds = results.sort((a, b) => a.index - b.index).map(({ failure }) => failure?.kind);
    expect(kinds).toEqual(['invalid', 'invalid', 'invalid', 'invalid', undefined]);
  });
});

describe('fanout() gives', () => {
  it('a failed URL as a value', async () => {
    const origin = await anOrigin();
    const [result] = await all(fanout([`${origin.url}/status/404`]));
    expect(result).toMatchObject({ ok: false, status: 404, failure: { kind: 'status' } });
  });

  it('results as they finish', async () => {
    const origin = await anOrigin();
    const results = fanout([`${origin.url}/gate/a`, `${origin.url}/ok`]);
    expect((await results.next()).value).toMatchObject({ url: `${origin.url}/ok` });
    origin.open('a');
    expect((await results.next()).value).toMatchObject({ url: `${origin.url}/gate/a` });
    expect((await results.next()).done).toBe(true);
  });

  it.each([
    [{ concurrency: 0 }, /concurrency/],
    [{ timeout: 'soon' }, /soon/],
    [{ concurency: 3 }, /concurency/],
    [{ headers: { 'bad name': 'x' } }, /header name must/],
  ])('a UsageError at once for %j', (options, message) => {
    // A caller without types may pass this.
    const call = () => fanout([], options as object);
    expect(call).toThrow(UsageError);
    expect(call).toThrow(message);
  });

  it('the error of the source, after the results of its items', async () => {
    const origin = await anOrigin();
    async function* broken(): AsyncGenerator<string> {
      yield `${origin.url}/ok`;
      throw new Error('the source broke');
    }
    const results = fanout(broken());
    expect((await results.next()).value).toMatchObject({ ok: true });
    await expect(results.next()).rejects.toThrow('the source broke');
  });
});

describe('back-pressure', () => {
  it('reads no more from an endless source than queue and workers hold', async () => {
    const origin = await anOrigin();
    const { seen, items } = endless(origin);
    const results = fanout(items(), { concurrency: 2, queueSize: 8 });
    await results.next();
    // A second run gives the first one time to continue, if it wrongly could.
    await all(fanout(urls(origin, '/ok', 500)));
    // The queue; for each worker one job, one result sent and one waiting; one job being added.
    expect(seen.pulled).toBeLessThanOrEqual(1 + 8 + 3 * 2 + 1);
    for await (const _ of results) break;
    expect(seen.closed).toBe(true);
  });
});

describe('leaving the loop', () => {
  it('aborts the requests in flight and closes the source', async () => {
    const origin = await anOrigin();
    const { seen, items } = endless(origin, '/hang');
    function* withFirst(): Generator<string> {
      yield `${origin.url}/ok`;
      yield* items();
    }
    for await (const result of fanout(withFirst(), { concurrency: 4 })) {
      expect(result.ok).toBe(true);
      await origin.waiting('hang', 4);
      break;
    }
    await origin.abandoned('hang', 4);
    await origin.disconnected(origin.connections);
    expect([seen.closed, origin.hits('/hang')]).toEqual([true, 4]);
  });

  it('closes an asynchronous source that never gives another item', async () => {
    const origin = await anOrigin();
    let returned = false;
    const source: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => {
        let first = true;
        return {
          next: () => {
            if (!first) return new Promise<never>(() => {});
            first = false;
            return Promise.resolve({ done: false, value: `${origin.url}/ok` });
          },
          return: () => {
            returned = true;
            return Promise.resolve({ done: true, value: undefined });
          },
        };
      },
    };
    for await (const _ of fanout(source)) break;
    await origin.disconnected(origin.connections);
    expect(returned).toBe(true);
  });
});

describe('signal', () => {
  const reason = new Error('no longer wanted');

  it('that is already aborted: throws its reason, and reads nothing', async () => {
    const origin = await anOrigin();
    const { seen, items } = endless(origin);
    await expect(all(fanout(items(), { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
    expect([seen.pulled, origin.connections]).toEqual([0, 0]);
  });

  it('while requests are in flight: aborts them and throws its reason', async () => {
    const origin = await anOrigin();
    const controller = new AbortController();
    const { seen, items } = endless(origin, '/hang');
    const end = all(fanout(items(), { concurrency: 4, signal: controller.signal }));
    await origin.waiting('hang', 4);
    controller.abort(reason);
    await expect(end).rejects.toBe(reason);
    await origin.abandoned('hang', 4);
    expect([seen.closed, origin.requests]).toEqual([true, 4]);
  });

  it('while a URL waits for its retry', async () => {
    const origin = await anOrigin();
    const controller = new AbortController();
    const list = [`${origin.url}/status/503?retry`, `${origin.url}/flaky/a/5?retry-after=50`];
    const end = all(fanout(list, { signal: controller.signal, retries: 9 }));
    await origin.received(2);
    controller.abort(reason);
    await expect(end).rejects.toBe(reason);
  });

  it('while the source is silent', async () => {
    const controller = new AbortController();
    let onRead = (): void => {};
    const read = new Promise<void>((resolve) => {
      onRead = resolve;
    });
    const source: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          onRead();
          return new Promise<never>(() => {});
        },
      }),
    };
    const end = all(fanout(source, { signal: controller.signal }));
    await read;
    controller.abort(reason);
    await expect(end).rejects.toBe(reason);
  });

  it('between two results: the next one is its reason', async () => {
    const origin = await anOrigin();
    const controller = new AbortController();
    const { items } = endless(origin);
    const results = fanout(items(), { signal: controller.signal });
    await results.next();
    controller.abort(reason);
    await expect(results.next()).rejects.toBe(reason);
    expect((await results.next()).done).toBe(true);
  });

  it('after the end: changes nothing', async () => {
    const origin = await anOrigin();
    const controller = new AbortController();
    expect(await all(fanout([`${origin.url}/ok`], { signal: controller.signal }))).toHaveLength(1);
    controller.abort(reason);
  });
});

describe('the process ends by itself', () => {
  it.each([
    ['after the loop', ''],
    ['after the loop was left', 'break;'],
  ])('%s', async (_, leave) => {
    const origin = await anOrigin();
    const library = fileURLToPath(new URL('../../dist/index.js', import.meta.url));
    const bin = join(await tempDir(), 'program.mjs');
    await writeFile(
      bin,
      `import { fanout } from ${JSON.stringify(library)};
      const list = ${JSON.stringify(urls(origin, '/ok', 20))};
      let count = 0;
      for await (const { ok } of fanout(list, { concurrency: 4 })) { count += ok; ${leave} }
      console.log(count > 0);`,
    );
    expect(await runCli([], { bin })).toMatchObject({ code: 0, stdout: 'true\n', stderr: '' });
  });
});
