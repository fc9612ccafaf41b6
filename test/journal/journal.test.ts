import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Journal } from '../../src/journal/journal.ts';
import type { FailureKind } from '../../src/model/failure.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { type Fetch, job, journalOptions, run } from './a-journal.ts';

const [A, B, C] = ['https://example.com/a', 'https://example.com/b', 'https://example.com/c'];

async function newPath(): Promise<string> {
  return join(await tempDir(), 'run.journal');
}

function failingOn(bad: string, kind: FailureKind = 'status'): Fetch {
  return ({ index, url }) => (url === bad ? failedResult(kind, { index, url }) : okResult({ index, url }));
}

test('what a run has finished, the next one does not fetch again', async () => {
  const path = await newPath();
  expect((await run(path, [A, B])).fetched).toEqual([A, B]);
  const next = await run(path, [A, B, C]);
  expect(next.fetched).toEqual([C]);
  expect(next.records).toBe(2);
});

test('a recalled result is the one that was written, at the place that its job has now', async () => {
  const path = await newPath();
  const full = okResult({
    index: 7,
    source: 'old.txt',
    line: 70,
    id: 'old',
    url: A,
    finalUrl: B,
    method: 'HEAD',
    redirects: [{ status: 301, url: A }],
    contentType: 'text/plain; a="ü"',
    ttfbMs: 3,
    body: { path: 'a.html', bytes: 3, sha256: 'ff' },
    warning: { kind: 'blocked', message: 'a challenge' },
  });
  await run(path, [A], { fetch: () => ({ ...full, index: 0 }) });
  const journal = await Journal.open(path, journalOptions());
  const recalled = journal.recall(job(3, A, { source: 'new.txt', line: 9, id: 'new' }), 'GET', undefined);
  await journal.end();
  expect(recalled).toMatchObject({ ...full, index: 3, source: 'new.txt', line: 9, id: 'new' });
});

test('a recalled result has no id when its job has none', async () => {
  const path = await newPath();
  await run(path, [A], { fetch: () => okResult({ url: A, id: 'old' }) });
  expect((await run(path, [A])).results[0]?.id).toBeUndefined();
});

test('a recalled result forgets what the baseline of its run said', async () => {
  const path = await newPath();
  const fetch = () => failedResult('status', { url: A, baseline: 'known', badRuns: 1 });
  await run(path, [A], { fetch });
  const { results } = await run(path, [A], { keepFailed: true });
  expect(results[0]).toMatchObject({ ok: false, baseline: undefined, badRuns: undefined });
});

test('a recalled result is not appended again', async () => {
  const path = await newPath();
  await run(path, [A, B]);
  const before = await readFile(path, 'utf8');
  await run(path, [A, B]);
  expect(await readFile(path, 'utf8')).toBe(before);
});

test('a failure is fetched again, and its success stands from then on', async () => {
  const path = await newPath();
  await run(path, [A, B], { fetch: failingOn(A) });
  expect((await run(path, [A, B])).fetched).toEqual([A]);
  expect((await run(path, [A, B], { keepFailed: true })).results.map(({ ok }) => ok)).toEqual([true, true]);
});

test('a failure stands with keepFailed', async () => {
  const path = await newPath();
  await run(path, [A, B], { fetch: failingOn(A) });
  const next = await run(path, [A, B], { keepFailed: true });
  expect(next.fetched).toEqual([]);
  expect(next.results[0]).toMatchObject({ ok: false, failure: { kind: 'status' } });
});

test('a failure after a success stands: the last record is the one that counts', async () => {
  const path = await newPath();
  await run(path, [A]);
  await run(path, [A], { confirm: () => false, fetch: failingOn(A) });
  expect((await run(path, [A])).fetched).toEqual([A]);
});

test('a job that the end of the run has cut off is not finished, not even with keepFailed', async () => {
  const path = await newPath();
  const deadline = { kind: 'timeout', code: 'ERR_DEADLINE', message: 'the deadline has come' } as const;
  const fetch: Fetch = ({ index, url }) =>
    url === A
      ? failedResult('aborted', { index, url })
      : failedResult('timeout', { index, url, failure: deadline });
  await run(path, [A, B], { fetch });
  expect((await run(path, [A, B], { keepFailed: true })).fetched).toEqual([A, B]);
});

test('a timeout of the server is a failure that stands with keepFailed', async () => {
  const path = await newPath();
  await run(path, [A], { fetch: failingOn(A, 'timeout') });
  expect((await run(path, [A], { keepFailed: true })).fetched).toEqual([]);
});

test('confirm() may refuse a recalled result, which is then fetched and written again', async () => {
  const path = await newPath();
  await run(path, [A, B]);
  const next = await run(path, [A, B], { confirm: ({ url }) => url !== A });
  expect(next.fetched).toEqual([A]);
  expect((await run(path, [A, B])).records).toBe(3);
});

test('lines that were added, removed or moved do not matter', async () => {
  const path = await newPath();
  await run(path, [A, B]);
  const next = await run(path, [C, B, A]);
  expect(next.fetched).toEqual([C]);
  expect(next.results.map(({ index, url }) => [index, url])).toEqual([[0, C], [1, B], [2, A]]); // biome-ignore format: a table
  expect((await run(path, [B])).fetched).toEqual([]);
});

test('a URL that stands in the list three times is fetched three times, and each stands for itself', async () => {
  const path = await newPath();
  expect((await run(path, [A, A])).fetched).toEqual([A, A]);
  expect((await run(path, [A, B, A, A])).fetched).toEqual([B, A]);
  expect((await run(path, [A, A, A, A, B])).fetched).toEqual([A]);
});

test('of a URL that stands there twice, the one that failed is fetched again', async () => {
  const path = await newPath();
  const fetch: Fetch = ({ index, url }) =>
    index === 1 ? failedResult('dns', { index, url }) : okResult({ index, url });
  await run(path, [A, A, A], { fetch });
  const journal = await Journal.open(path, journalOptions());
  const recalled = [0, 1, 2].map((index) => journal.recall(job(index, A), 'GET', undefined)?.index);
  await journal.end();
  expect(recalled).toEqual([0, undefined, 2]);
});

test('results may come in any order', async () => {
  const path = await newPath();
  const journal = await Journal.open(path, journalOptions());
  for (const [index, url] of [A, B, A].entries()) journal.recall(job(index, url), 'GET', undefined);
  for (const [index, url] of [
    [2, A],
    [1, B],
    [0, A],
  ] as const) {
    await journal.write(okResult({ index, url, bytes: index }));
  }
  await journal.end();
  expect((await run(path, [A, B, A])).results.map(({ bytes }) => bytes)).toEqual([0, 1, 2]);
});

test('another method or another body is another job', async () => {
  const path = await newPath();
  const jobs = [
    ['GET', undefined],
    ['POST', undefined],
    ['POST', ''],
    ['POST', 'a'],
    ['POST', 'b'],
    ['POST', Uint8Array.of(1)],
    ['POST', Uint8Array.of(2)],
  ] as const;
  for (const expected of ['fetched', 'recalled']) {
    const journal = await Journal.open(path, journalOptions());
    for (const [index, [method, body]] of jobs.entries()) {
      const recalled = journal.recall(job(index, A), method, body);
      expect(recalled?.bytes).toBe(expected === 'fetched' ? undefined : index);
      await journal.write(okResult({ index, url: A, bytes: index }));
    }
    await journal.end();
  }
});

test('an invalid job is journaled as it is shown', async () => {
  const path = await newPath();
  await run(path, ['no url\\u{0}'], { fetch: ({ index, url }) => failedResult('invalid', { index, url }) });
  expect((await run(path, ['no url\\u{0}'], { keepFailed: true })).fetched).toEqual([]);
});

test('a record with a key like that of another URL is not used for that one', async () => {
  const path = await newPath();
  await run(path, [A], { fetch: () => okResult({ url: B }) });
  expect((await run(path, [A])).fetched).toEqual([A]);
});

test('each line is JSON, with the record in it', async () => {
  const path = await newPath();
  await run(path, [A, A], { fetch: failingOn(B) });
  const [header, first, second, rest] = (await readFile(path, 'utf8')).split('\n');
  expect(JSON.parse(header ?? '')).toEqual({
    fanout: 'journal',
    v: 1,
    seed: expect.stringMatching(/^[0-9a-f]{16}$/),
  });
  expect(JSON.parse(first ?? '')).toMatchObject({ ok: 1, n: 0, record: { v: 1, url: A, ok: true } });
  expect(JSON.parse(second ?? '')).toMatchObject({ n: 1, record: { index: 1 } });
  expect(rest).toBe('');
});

test('records are found again in a journal of many pages, in any order, however long they are', async () => {
  const path = await newPath();
  const urls = Array.from({ length: 3000 }, (_, index) => `https://example.com/${index}`);
  const text = (index: number) => 'ü'.repeat(index % 500 === 7 ? 200_000 : index % 97);
  const fetch: Fetch = ({ index, url }) =>
    okResult({ index, url, body: { bytes: index, text: text(index) } });
  await run(path, urls, { fetch });
  for (const order of [urls, urls.toReversed()]) {
    const { fetched, results } = await run(path, order);
    expect(fetched).toEqual([]);
    for (const { url, body } of results) {
      const index = Number(url.split('/').at(-1));
      expect(body).toEqual({ bytes: index, text: text(index) });
    }
  }
});
