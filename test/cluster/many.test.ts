import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import type { Origin } from '../origin/origin.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';

const COUNT = 10_000;

/** One line of a list with a little of everything: responses, redirects, retries, jobs as JSON, and what is no URL. */
function lineOf(origin: Origin, index: number): string {
  const { url } = origin;
  if (index % 500 === 7) return `${url}/flaky/${index}/1?retry-after=0`;
  if (index % 100 === 3) return `ftp://nowhere/${index}`;
  if (index % 100 === 5)
    return JSON.stringify({ url: `${url}/echo`, method: 'POST', body: `b${index}`, id: `i${index}` });
  if (index % 20 === 1) return `${url}/status/404?n=${index}`;
  if (index % 20 === 2) return `${url}/redirect/2?n=${index}`;
  if (index % 20 === 4) return `${url}/status/204?n=${index}`;
  return `${url}/ok?n=${index}`;
}

/** The records in the order of the list, without what differs from run to run: times, the worker, and the origin. */
function comparable(jsonl: string, origin: Origin): unknown[] {
  const records: Record<string, unknown>[] = jsonl
    .replaceAll(origin.url, 'http://origin')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const record of records) {
    for (const key of ['startedAt', 'durationMs', 'ttfbMs', 'totalMs', 'worker', 'source'])
      delete record[key];
  }
  return records.sort((a, b) => Number(a.index) - Number(b.index));
}

describe('a run over 4 workers', { timeout: 200_000 }, () => {
  it('has the results of fetch, of each of 10,000 lines', async () => {
    const [broker, cwd] = [await aNatsServer(), await tempDir()];
    const [single, shared] = [await anOrigin({ logLimit: 1 }), await anOrigin({ logLimit: 1 })];
    const [first, second] = await Promise.all(
      [single, shared].map((origin) =>
        aFile(Array.from({ length: COUNT }, (_, index) => lineOf(origin, index))),
      ),
    );
    const on = ['--broker', broker.url, '--run', 'many'];
    const fed = await runInProcess(['cluster', 'feed', second ?? '', ...on, '--chunk', '250']);
    expect([fed.code, fed.stderr]).toEqual([0, expect.stringContaining('10000 URLs in 4')]);
    const flags = ['-c', '16', '--retries', '2'];
    const workers = [1, 2, 3, 4].map(() => startInProcess(['cluster', 'work', ...on, ...flags]));
    const outputs = ['many.jsonl', 'one.jsonl'].map((name) => join(cwd, name));
    const [toMany, toOne] = outputs.map((path) => ['--json', '--summary', 'json', '-o', path]);
    const store = ['--manifest', join(cwd, 'store.jsonl')];
    const collected = await runInProcess(['cluster', 'collect', ...on, ...store, ...(toMany ?? [])]);
    const fetched = await runInProcess(['fetch', first ?? '', ...flags, ...(toOne ?? [])]);
    for (const worker of workers) expect((await worker.done).code).toBe(0);
    const counts = { read: COUNT, ok: 9400, failed: 600, skipped: 0, notFetched: 0 };
    for (const { code, stderr } of [collected, fetched]) {
      expect([code, JSON.parse(stderr)]).toEqual([1, expect.objectContaining(counts)]);
    }
    const [many, one] = await Promise.all(outputs.map((path) => readFile(path, 'utf8')));
    expect(comparable(many ?? '', shared)).toEqual(comparable(one ?? '', single));
  });
});
