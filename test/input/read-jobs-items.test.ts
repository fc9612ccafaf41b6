import { describe, expect, it } from 'vitest';
import { type InputCounts, type JobItem, type JobOptions, readItems } from '../../src/input/read-jobs.ts';
import { UsageError } from '../../src/model/errors.ts';
import type { Job } from '../../src/model/job.ts';

const newCounts = (): InputCounts => ({ read: 0, skipped: 0 });

async function jobsOf(
  items: Iterable<JobItem> | AsyncIterable<JobItem>,
  options: JobOptions = {},
  counts = newCounts(),
): Promise<Job[]> {
  const jobs: Job[] = [];
  for await (const batch of readItems(items, options, counts)) jobs.push(...batch);
  return jobs;
}

async function* later<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  for (const item of items) yield item;
}

// JavaScript may hand in anything.
const anything = (items: unknown): Iterable<JobItem> => items as Iterable<JobItem>;

describe('readItems()', () => {
  const items: JobItem[] = [
    'http://a',
    '',
    '# note',
    ' http://b/ ',
    new URL('http://u:p@c/'),
    { url: 'http://d', method: 'post', headers: { X: 'y' }, body: 'text', id: 'mine' },
    '{"url":"http://e/"}',
    'nope',
  ];
  const jobs = [
    { index: 0, source: 'library', line: 1, url: 'http://a/' },
    { index: 3, source: 'library', line: 4, url: 'http://b/' },
    { index: 4, source: 'library', line: 5, url: 'http://c/', headers: { authorization: 'Basic dTpw' } },
    {
      index: 5,
      source: 'library',
      line: 6,
      url: 'http://d/',
      method: 'POST',
      headers: { x: 'y' },
      body: 'text',
      id: 'mine',
    },
    { index: 6, source: 'library', line: 7, url: 'http://e/' },
    { index: 7, source: 'library', line: 8, url: 'nope', invalid: expect.any(String) },
  ];

  it('reads a list', async () => {
    const counts = newCounts();
    expect(await jobsOf(items, {}, counts)).toEqual(jobs);
    expect(counts).toEqual({ read: 6, skipped: 0 });
  });

  it('reads an asynchronous iterable', async () => {
    const counts = newCounts();
    expect(await jobsOf(later(items), {}, counts)).toEqual(jobs);
    expect(counts).toEqual({ read: 6, skipped: 0 });
  });

  it('reads a set, and treats an undefined key as a missing one', async () => {
    const item = { url: 'http://a/', method: undefined, headers: undefined, body: undefined, id: undefined };
    expect(await jobsOf(new Set([item]))).toEqual([
      { index: 0, source: 'library', line: 1, url: 'http://a/' },
    ]);
  });

  it('refuses headers that are not the keys of an object', async () => {
    const item: unknown = { url: 'http://a/', headers: new Headers({ a: 'b' }) };
    const [job] = await jobsOf(anything([item]));
    expect(job?.invalid).toBe('invalid value for "headers": must be an object of strings, not a Headers');
  });

  it('applies `unique` and the default scheme', async () => {
    const counts = newCounts();
    const twice = ['a.example', { url: 'https://a.example/' }, 'http://a.example/'];
    const found = await jobsOf(twice, { unique: true, defaultScheme: 'https' }, counts);
    expect(found.map((job) => job.url)).toEqual(['https://a.example/', 'http://a.example/']);
    expect(counts).toEqual({ read: 3, skipped: 1, skippedByReason: { duplicate: 1 } });
  });

  it('makes one invalid job of a string with several lines', async () => {
    expect(await jobsOf(['http://a/\nhttp://b/'])).toMatchObject([
      { url: 'http://a/\\u{a}http://b/', invalid: expect.any(String) },
    ]);
  });

  it.each([
    [null, 'invalid job: must be a URL or an object with "url", not null'],
    [undefined, 'invalid job: must be a URL or an object with "url", not undefined'],
    [7, 'not a number'],
    [['http://a/'], 'not an array'],
    [() => 'http://a/', 'not a function'],
    [{}, 'invalid job: "url" is missing'],
    [{ url: 'http://a/', retries: 1 }, 'unknown key "retries"'],
  ])('makes an invalid job of the item %j', async (item, reason) => {
    const found = await jobsOf(anything([item, 'http://b/']));
    expect(found).toMatchObject([
      { line: 1, invalid: expect.stringContaining(reason) },
      { line: 2, url: 'http://b/' },
    ]);
  });

  it.each(['http://a/', 7, null, undefined, {}, () => {}])(
    'refuses %j, which is not a list',
    async (list) => {
      const reading = jobsOf(anything(list));
      await expect(reading).rejects.toThrow(UsageError);
      await expect(reading).rejects.toThrow('must be an array, a generator or an async iterable');
    },
  );
});

describe('readItems() on demand', () => {
  it('takes an item from a generator when its job is taken, and closes it', async () => {
    let taken = 0;
    let closed = false;
    function* endless(): Generator<string> {
      try {
        for (;;) yield `http://a/${taken++}`;
      } finally {
        closed = true;
      }
    }
    const counts = newCounts();
    const { value: batch } = await readItems(endless(), {}, counts).next();
    expect(taken).toBe(0);
    for (const job of batch ?? []) if (job.index === 2) break;
    expect(taken).toBe(3);
    expect(counts.read).toBe(3);
    expect(closed).toBe(true);
  });

  it('takes one item at a time from an asynchronous generator, and closes it', async () => {
    let taken = 0;
    let closed = false;
    async function* endless(): AsyncGenerator<string> {
      try {
        for (;;) yield `http://a/${taken++}`;
      } finally {
        closed = true;
      }
    }
    const batches = readItems(endless(), {}, newCounts());
    expect([...((await batches.next()).value ?? [])]).toHaveLength(1);
    expect(taken).toBe(1);
    await batches.return();
    expect(taken).toBe(1);
    expect(closed).toBe(true);
  });

  it('ends when the signal is aborted while it waits for an item', async () => {
    const run = new AbortController();
    async function* stuck(): AsyncGenerator<string> {
      await new Promise(() => {});
      yield 'http://a/';
    }
    const next = readItems(stuck(), { signal: run.signal }, newCounts()).next();
    run.abort();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('rethrows what an iterable throws', async () => {
    async function* failing(): AsyncGenerator<string> {
      yield 'http://a/';
      throw new Error('no more');
    }
    await expect(jobsOf(failing())).rejects.toThrow('no more');
  });
});
