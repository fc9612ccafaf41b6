import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { urlsInFile } from './urls-in.ts';

const COUNT = 1500;

/** URLs and chunks that a worker says it has done. */
function workOf(said: string): number[] {
  return [/fetched (\d+) URLs/, /, (\d+) chunks/].map((pattern) => Number(pattern.exec(said)?.[1]));
}

describe('a run whose workers come and go', { timeout: 120_000 }, () => {
  it('asks for each URL once when one joins and one gets SIGTERM', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = urls(origin, '/ok', COUNT);
    const on = ['--broker', broker.url, '--run', 'members'];
    const feed = ['cluster', 'feed', await aFile(list), ...on, '--chunk', '25'];
    expect((await runInProcess(feed)).code).toBe(0);
    const work = ['cluster', 'work', ...on, '-c', '4', '--rate', '500/s'];
    const leaver = startInProcess(work);
    const store = join(cwd, 'store.jsonl');
    const collect = startInProcess(['cluster', 'collect', ...on, '--manifest', store, '-q']);
    await origin.received(COUNT / 5);
    const joiner = startInProcess(work);
    await origin.received(COUNT / 2);
    leaver.kill('SIGTERM');
    const left = await leaver.done;
    expect([left.code, left.stderr]).toEqual([
      143,
      expect.stringContaining('SIGTERM: finishing the chunks of this worker'),
    ]);
    expect((await collect.done).code).toBe(0);
    const joined = await joiner.done;
    expect(joined.code).toBe(0);
    const [leaverUrls = 0, leaverChunks = 0] = workOf(left.stderr);
    const [joinerUrls = 0, joinerChunks = 0] = workOf(joined.stderr);
    expect([leaverUrls + joinerUrls, leaverChunks + joinerChunks]).toEqual([COUNT, COUNT / 25]);
    expect(joinerUrls).toBeGreaterThan(0);
    expect(origin.requests).toBe(COUNT);
    expect(await urlsInFile(store)).toEqual(list.toSorted());
  });
});
