import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLogRecord } from '../../src/cluster/result-log.ts';
import { ShardWriter } from '../../src/cluster/shards.ts';
import { encodeRecord } from '../../src/model/record.ts';
import type { Result } from '../../src/model/result.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { lines } from './records.ts';

const RESULTS: readonly Result[] = [
  okResult({ url: 'https://example.com/0', worker: 'host-1' }),
  failedResult('dns', { index: 1, url: 'https://example.com/1', worker: 'host-1' }),
  okResult({ index: 2, url: 'https://example.com/2' }),
];

/** A manifest beside its shard: a segment with the first two results, and the record of the third. */
async function aManifest(results = RESULTS): Promise<{ readonly path: string; readonly shard: string }> {
  const directory = await tempDir();
  const shards = await ShardWriter.open(directory, 'host-1');
  const finished = { chunk: 0, results: results.slice(0, 2), worker: 'host-1' };
  await shards.append(Buffer.from('what the manifest does not name'));
  const { body } = await createLogRecord(finished, { maxBytes: 1000, shards });
  await shards.close();
  const path = join(directory, 'manifest.jsonl');
  await writeFile(path, [body, ...results.slice(2).map(encodeRecord), ''].join('\n'));
  return { path, shard: join(directory, JSON.parse(body.toString()).shard) };
}

describe('a file of results with shards', () => {
  it('is read by fanout report, which finds them beside it and makes plain JSONL of it', async () => {
    const { path } = await aManifest();
    const { code, stdout, stderr } = await runCli(['report', path, '--format', 'jsonl']);
    expect([code, stderr, stdout.trim().split('\n')]).toEqual([0, '', lines(RESULTS)]);
    expect((await runCli(['report', path])).stdout).toContain('Done: 2 succeeded, 1 failed');
  });

  it('is read with --shards where they are elsewhere, and from standard input', async () => {
    const { path, shard } = await aManifest();
    const other = await tempDir();
    await rename(shard, join(other, shard.slice(shard.lastIndexOf('/'))));
    const named = await runCli(['report', path, '--format', 'jsonl', '--shards', other]);
    expect([named.code, named.stdout.trim().split('\n')]).toEqual([0, lines(RESULTS)]);
    const alone = await runCli(['report', path, '--format', 'jsonl']);
    expect([alone.code, alone.stdout.trim()]).toEqual([2, lines(RESULTS)[2]]);
    expect(alone.stderr).toMatch(
      /Cannot read the results of chunk 0 at 31 of host-1-.* in \/.*: no such file/,
    );
    const piped = await runCli(['report'], { stdin: `${lines(RESULTS)[2]}\n` });
    expect(piped.code).toBe(0);
    const refused = await runCli(['report'], { stdin: '{"v":1,"shard":"a"}\n' });
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('its "chunk" is missing')]);
  });

  it('is compared by fanout diff', async () => {
    const old = await aManifest();
    const now = await aManifest(
      RESULTS.map((result) => okResult({ ...result, ok: true, failure: undefined })),
    );
    const { code, stdout } = await runCli(['diff', old.path, now.path]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('MENDED   200  https://example.com/1')]);
  });

  it('is a baseline, and none without its shards', async () => {
    const { path, shard } = await aManifest();
    const fetch = [
      'fetch',
      'https://example.com/1',
      '--resolve',
      'example.com:443:127.0.0.1',
      '--retries',
      '0',
    ];
    const known = await runCli([...fetch, '--baseline', path]);
    expect([known.code, known.stdout]).toEqual([0, expect.stringContaining('(known)')]);
    await rm(shard);
    const { code, stderr } = await runCli([...fetch, '--baseline', path]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(`${path}:1 as a result record: the results of chunk 0`),
    ]);
  });
});
