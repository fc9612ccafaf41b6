import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packResults, unpackResults } from '../../src/cluster/result-log.ts';
import { toFailedRequest } from '../../src/output/failed-list.ts';
import { aFile, anOrigin } from '../cli/an-origin.ts';
import { runInProcess } from '../cli/run-in-process.ts';
import { failedResult } from '../model/a-result.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';

describe('a list of --failed of a cluster', { timeout: 120_000 }, () => {
  it.each([[[]], [['--store']], [['--ordered']]])('is that of fetch, with %j', async (flags) => {
    const [broker, origin, directory] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const url = `${origin.url}/status/500`;
    const jobs = [
      { url: `${url}?1`, method: 'PUT', headers: { 'Content-Type': 'a/b', 'X-Key': 'secret' }, body: 'one' },
      { url: `${url}?2`, json: { a: [1, 'b'] }, id: 'mine', save: 'a/b.txt' },
      { url: `${origin.url}/ok`, expect: { contains: ['z'], matches: ['b+'], time: '2s', status: 201 } },
      { url: `${origin.url}/ok?3`, method: 'A B', headers: { 'X-Key': 'secret' } },
      { url: 'ftp://h/', method: 'POST', body: 'two', id: '2' },
      { url: `${origin.url}/ok?4`, metod: 'PUT', body: 'three' },
      { url: `${origin.url}/ok?5`, body: 'not failed' },
    ];
    const list = await aFile([...jobs.map((job) => JSON.stringify(job)), 'nonsense']);
    const [alone, cluster] = [join(directory, 'alone.txt'), join(directory, 'cluster.txt')];
    const common = ['--retries', '0', '--json', '-o', join(directory, 'records.jsonl'), list];
    const first = await runInProcess(['fetch', ...common, '--failed', alone]);
    const more = flags.flatMap((flag) => (flag === '--store' ? [flag, join(directory, 'shards')] : [flag]));
    const on = ['--broker', broker.url, '--run', 'failed', '--manifest', join(directory, 'store.jsonl')];
    const second = await runInProcess(['cluster', 'fetch', ...on, ...common, '--failed', cluster, ...more]);
    expect([first.code, second.code]).toEqual([1, 1]);
    const [wanted, found] = [await readFile(alone, 'utf8'), await readFile(cluster, 'utf8')];
    expect(found.split('\n').sort()).toEqual(wanted.split('\n').sort());
    expect(second.stderr).toContain('headers that may be secret; pass them again with -H: x-key\n');
    // Bodies of requests are for this list only.
    expect(await readFile(join(directory, 'records.jsonl'), 'utf8')).not.toContain('"request"');
    if (!flags.includes('--store')) return;
    const [shard = ''] = await readdir(join(directory, 'shards'));
    expect((await stat(join(directory, 'shards', shard))).mode & 0o777).toBe(0o600);
  });

  it('has the URL of a job whose body does not fit into a message with its result', () => {
    const body = Array.from({ length: 20_000 }, (_, at) => (at * 7919) % 10_007).join('-');
    const results = [{ ...failedResult('dns'), request: { keys: { body } } }];
    const unpacked = unpackResults(packResults(results, 10_000));
    expect(unpacked?.[0]).toMatchObject({ failure: { kind: 'dns' }, request: { isTooLarge: true } });
  });

  it.each([
    [{ line: 'http://another/' }, undefined],
    [{ line: '{}\nhttp://another/' }, undefined],
    [{ keys: { url: 'http://another/', body: 'x' } }, { keys: { body: 'x' } }],
    ['text', {}],
  ])('takes nothing else from a message: %j', (value, taken) => {
    expect(toFailedRequest(value)).toEqual(taken);
  });
});
