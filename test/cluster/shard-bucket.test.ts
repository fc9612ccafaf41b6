import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { openShardReader, openShardWriter } from '../../src/cluster/shard-bucket.ts';
import { encodeRecord } from '../../src/model/record.ts';
import type { ShardSegment } from '../../src/model/result-line.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { okResult } from '../model/a-result.ts';
import { aSegment } from '../model/a-segment.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { anS3Server, type S3Server } from './s3-server.ts';

const RESULTS = [okResult({ index: 20 }), okResult({ index: 25 })];
const COUNTS = { count: 2, ok: 2, failed: 0 };
const PACKED = gzipSync(RESULTS.map((result) => `${encodeRecord(result)}\n`).join(''));
const PLACE = 's3://shards/runs/may';
const OPEN = { isPrivate: false };

let server: S3Server;
beforeEach(async () => {
  server = await anS3Server();
  for (const [name, value] of Object.entries(server.env)) vi.stubEnv(name, value);
  return () => vi.unstubAllEnvs();
});

/** A segment of `RESULTS` in the bucket. */
async function written(bytes: Uint8Array = PACKED): Promise<ShardSegment> {
  const writer = await openShardWriter(PLACE, 'host-1', OPEN);
  const place = await writer.append(bytes);
  await writer.close();
  return aSegment({ ...place, ...COUNTS });
}

describe('shards in a bucket', () => {
  it('are one object for each segment, with a name that no other has', async () => {
    const segments = [await written(), await written()];
    const keys = [...server.objects.keys()];
    expect(keys.toSorted()).toEqual(segments.map(({ shard }) => `shards/runs/may/${shard}`).toSorted());
    expect(new Set(keys).size).toBe(2);
    expect(segments[0]).toMatchObject({ offset: 0, bytes: PACKED.length });
    for (const key of keys) expect(key).toMatch(/^shards\/runs\/may\/host-1-[0-9a-f]{8}\.jsonl\.gz$/);
  });

  it.each(['shards', 'shards/', 'shards/a', 'shards/a/b/'])('are read again from s3://%s', async (place) => {
    const writer = await openShardWriter(`s3://${place}`, 'host-1', OPEN);
    const segment = aSegment({ ...(await writer.append(PACKED)), ...COUNTS });
    await writer.close();
    const reader = await openShardReader(`s3://${place}`);
    expect(await reader.hasAny()).toBe(true);
    expect(await reader.read(segment)).toMatchObject(RESULTS);
    expect([...server.objects.keys()]).toEqual([`${place.replace(/\/$/, '')}/${segment.shard}`]);
  });

  it('are checked like files', async () => {
    const segment = await written();
    const reader = await openShardReader(PLACE);
    const read = (changes: Partial<ShardSegment>) => reader.read({ ...segment, ...changes });
    expect(await read({ shard: 'other.jsonl.gz' })).toEqual({ fault: 'NoSuchKey it is', kind: 'missing' });
    expect(await read({ bytes: segment.bytes + 1 })).toMatchObject({ kind: 'missing' });
    expect(await read({ offset: 10_000 })).toMatchObject({ kind: 'missing' });
    expect(await read({ sha256: 'ab'.repeat(32) })).toMatchObject({ kind: 'damaged' });
    expect(await read({ ok: 1, failed: 1 })).toMatchObject({ kind: 'damaged' });
    server.refuse = () => 500;
    expect(await read({})).toEqual({ fault: 'Refused it is', kind: 'unreadable' });
  });

  it('do not exist in an empty folder, nor in one with other files', async () => {
    server.objects.set('shards/runs/may/readme.txt', Buffer.from(''));
    server.objects.set('shards/runs/may-2/host-1-0a1b2c3d.jsonl.gz', Buffer.from(''));
    expect(await (await openShardReader(PLACE)).hasAny()).toBe(false);
  });

  it('may be used by somebody who may not ask for the bucket itself', async () => {
    server.refuse = ({ method }) => (method === 'HEAD' ? 403 : undefined);
    expect(await (await openShardReader(PLACE)).read(await written())).toMatchObject(RESULTS);
  });

  it('are refused at the start if there is no such bucket, or nobody can be reached', async () => {
    const message = 'cannot use --store s3://other: there is no such bucket';
    await expect(openShardReader('s3://other')).rejects.toThrow(message);
    await expect(openShardWriter('s3://other', 'host-1', OPEN)).rejects.toThrow(message);
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1');
    await expect(openShardReader(PLACE)).rejects.toThrow(/^cannot use --store s3:.*: .*ECONNREFUSED/);
  });

  it('fail with an OutputError that names the object if it cannot be stored', async () => {
    const writer = await openShardWriter(PLACE, 'host-1', OPEN);
    server.refuse = ({ method }) => (method === 'PUT' ? 507 : undefined);
    const failing = expect(writer.append(PACKED)).rejects;
    await failing.toThrow(/^cannot write to "s3:\/\/shards\/runs\/may\/host-1-.*\.gz": Refused it is$/);
    await failing.toMatchObject({ name: 'OutputError' });
    await writer.close();
  });
});

it('a run whose workers write to a bucket has all results', { timeout: 90_000 }, async () => {
  const [origin, broker, cwd] = [await anOrigin(), await aNatsServer(), await tempDir()];
  const list = [...urls(origin, '/ok', 200), `${origin.url}/status/404`];
  const cli = (...args: readonly string[]) => runCli(args, { cwd, env: server.env, killAfterMs: 60_000 });
  const run = ['--broker', broker.url, '--run', 'r'];
  expect((await cli('cluster', 'feed', await aFile(list), ...run, '--chunk', '50')).code).toBe(0);
  const [collected, worked] = await Promise.all([
    cli('cluster', 'collect', ...run, '--store', PLACE, '--json'),
    cli('cluster', 'work', ...run, '--store', PLACE),
  ]);
  expect([collected.code, worked.code]).toEqual([1, 0]);
  const urlOf = (line: string): unknown => JSON.parse(line).url;
  expect(collected.stdout.trim().split('\n').map(urlOf).toSorted()).toEqual(list.toSorted());
  expect(server.objects.size).toBeGreaterThanOrEqual(5);
});
