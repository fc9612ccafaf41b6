import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type FanoutOptions, fanout, OutputError, type Result } from '../../src/index.ts';
import { filesIn } from '../bodies/a-saver.ts';
import { running } from '../http/client.ts';
import { startOrigin } from '../origin/origin.ts';
import { tempDir } from '../origin/temp-dir.ts';

async function scene() {
  const origin = await running(startOrigin());
  const dir = await tempDir();
  const fetchAll = async (paths: readonly string[], options: FanoutOptions = {}) => {
    const results: Result[] = [];
    const urls = paths.map((path) => origin.url + path);
    for await (const result of fanout(urls, { saveDir: dir, retries: 0, concurrency: 1, ...options }))
      results.push(result);
    return results.sort((a, b) => a.index - b.index);
  };
  return { origin, dir, fetchAll, files: () => filesIn(dir) };
}

it('a result has the name, the length and the hash of its file', async () => {
  const { dir, fetchAll } = await scene();
  const [result] = await fetchAll(['/ok'], { saveAs: '{index}.txt' });
  expect(result?.body).toEqual({ path: '0.txt', bytes: 3, sha256: expect.stringMatching(/^dc51b8c9/) });
  expect(await readFile(join(dir, '0.txt'), 'utf8')).toBe('ok\n');
});

it('a body that fails an expectation is not saved, except with saveAll', async () => {
  const { fetchAll, files } = await scene();
  const [result] = await fetchAll(['/ok'], { contains: 'nothing of the kind', saveAs: '{index}' });
  expect(result).toMatchObject({ ok: false, failure: { kind: 'expectation' } });
  expect([result?.body, await files()]).toEqual([undefined, []]);
  const [kept] = await fetchAll(['/ok'], {
    contains: 'nothing of the kind',
    saveAs: '{index}',
    saveAll: true,
  });
  expect([kept?.ok, kept?.body?.path, await files()]).toEqual([false, '0', ['0']]);
});

it('a blocked response is saved if it is not a failure', async () => {
  const { fetchAll, files } = await scene();
  expect(await fetchAll(['/status/429'], { saveAs: '{index}' })).toMatchObject([{ ok: false }]);
  expect(await files()).toEqual([]);
  const [result] = await fetchAll(['/status/429'], {
    saveAs: '{index}',
    blocked: 'warn',
    retryOn: 'network',
  });
  expect(result).toMatchObject({ ok: true, body: { path: '0' } });
});

it('only the last response of several attempts is saved', async () => {
  const { dir, fetchAll } = await scene();
  const [result] = await fetchAll(['/flaky/a/1'], { saveAs: '{status}-{index}', saveAll: true, retries: 1 });
  expect(result).toMatchObject({ ok: true, attempts: 2, body: { path: '200-0' } });
  expect(await filesIn(dir)).toEqual(['200-0']);
});

it('leaving the loop aborts the requests in flight, and leaves no unfinished file', async () => {
  const { origin, dir, files } = await scene();
  const urls = [`${origin.url}/half/a`, `${origin.url}/ok`];
  for await (const result of fanout(urls, { saveDir: dir, saveAs: '{index}' })) {
    expect(result.url).toBe(urls[1]);
    break;
  }
  await origin.abandoned('a');
  expect(await files()).toEqual(['1']);
});

it('a directory that cannot be used is an error before anything is read', async () => {
  const { dir } = await scene();
  const results = fanout([], { saveDir: `${dir}/${'a'.repeat(300)}` });
  await expect(results.next()).rejects.toThrow(OutputError);
});
