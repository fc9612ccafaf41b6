import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ShardFileWriter, ShardReader } from '../../src/cluster/shards.ts';
import { encodeRecord } from '../../src/model/record.ts';
import type { ShardSegment } from '../../src/model/result-line.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { aSegment } from '../model/a-segment.ts';
import { tempDir } from '../origin/temp-dir.ts';

const RESULTS = [okResult({ index: 20 }), failedResult('dns', { index: 21 }), okResult({ index: 25 })];

function packed(results = RESULTS): Buffer {
  return gzipSync(results.map((result) => `${encodeRecord(result)}\n`).join(''));
}

/** A segment of `RESULTS` in a shard of this directory, or of other bytes. */
async function written(directory: string, bytes = packed()): Promise<ShardSegment> {
  const writer = await ShardFileWriter.open(directory, 'host-1');
  await writer.append(Buffer.from('what a killed worker has left'));
  const place = await writer.append(bytes);
  await writer.close();
  return aSegment(place);
}

describe('ShardFileWriter', () => {
  it('resolves to the place of each segment, also of simultaneous writes', async () => {
    const directory = join(await tempDir(), 'made/by/it');
    const writer = await ShardFileWriter.open(directory, 'host-1');
    const places = await Promise.all(['one', 'two', 'three'].map((text) => writer.append(Buffer.from(text))));
    await writer.close();
    const [name = ''] = await readdir(directory);
    expect(name).toMatch(/^host-1-[0-9a-f]{8}\.jsonl\.gz$/);
    expect(await readFile(join(directory, name), 'utf8')).toBe('onetwothree');
    expect(places.map(({ shard, offset, bytes }) => [shard, offset, bytes])).toEqual([
      [name, 0, 3],
      [name, 3, 3],
      [name, 6, 5],
    ]);
    expect(places[2]?.sha256).toBe(createHash('sha256').update('three').digest('hex'));
  });

  it('begins a new file at each start, and when a file is long', async () => {
    const directory = await tempDir();
    const writer = await ShardFileWriter.open(directory, 'host-1', { maxBytes: 5 });
    const names: string[] = [];
    for (const text of ['123', '45', '6']) names.push((await writer.append(Buffer.from(text))).shard);
    await writer.close();
    const again = await ShardFileWriter.open(directory, 'host-1', { maxBytes: 5 });
    names.push((await again.append(Buffer.from('7'))).shard);
    await again.close();
    expect(names[1]).toBe(names[0]);
    expect(new Set(names).size).toBe(3);
    expect((await readdir(directory)).toSorted()).toEqual([...new Set(names)].toSorted());
  });

  it.each([
    [true, 0o600],
    [false, 0o666],
  ])('creates each file for its owner alone if it is private: %s', async (isPrivate, most) => {
    const directory = await tempDir();
    const writer = await ShardFileWriter.open(directory, 'host-1', { maxBytes: 1, isPrivate });
    for (const text of ['1', '2']) await writer.append(Buffer.from(text));
    await writer.close();
    const names = await readdir(directory);
    const modes = names.map((name) => statSync(join(directory, name)).mode & 0o777);
    const mode = most & ~process.umask();
    expect(modes).toEqual([mode, mode]);
  });

  it('deletes an empty file', async () => {
    const directory = await tempDir();
    await (await ShardFileWriter.open(directory, 'host-1')).close();
    expect(await readdir(directory)).toEqual([]);
  });

  it('fails at once if the directory cannot be used', async () => {
    const path = join(await tempDir(), 'file');
    await writeFile(path, '');
    await expect(ShardFileWriter.open(path, 'host-1')).rejects.toThrow(/^cannot create ".*host-1-.*": /);
  });
});

describe('ShardReader', () => {
  it('returns the results of a segment, whatever is before and behind it', async () => {
    const directory = await tempDir();
    const segment = await written(directory);
    await writeFile(join(directory, segment.shard), 'garbage', { flag: 'a' });
    expect(await new ShardReader(directory).read(segment)).toMatchObject(RESULTS);
  });

  it('can be read by zcat if all segments are complete', async () => {
    const directory = await tempDir();
    const writer = await ShardFileWriter.open(directory, 'host-1');
    const { shard } = await writer.append(packed());
    await writer.append(packed());
    await writer.close();
    const text = gunzipSync(await readFile(join(directory, shard))).toString();
    expect(text.trim().split('\n')).toHaveLength(6);
  });

  it('reports a shard that is missing or too short', async () => {
    const directory = await tempDir();
    const segment = await written(directory);
    const reader = new ShardReader(directory);
    expect(await reader.read({ ...segment, shard: 'other.jsonl.gz' })).toEqual({
      fault: 'no such file or directory',
      kind: 'missing',
    });
    await truncate(join(directory, segment.shard), segment.offset + segment.bytes - 1);
    expect(await reader.read(segment)).toEqual({ fault: 'the file is too short', kind: 'missing' });
    expect(await reader.hasAny()).toBe(true);
    expect(await new ShardReader(join(directory, 'none')).hasAny()).toBe(false);
  });

  it.each([
    ['a link', 'it is a symbolic link', (path: string) => symlink('/dev/zero', path)],
    ['a named pipe', 'it is not a regular file', async (path: string) => execFileSync('mkfifo', [path])],
    ['a directory', 'it is not a regular file', (path: string) => mkdir(path)],
  ])(
    'takes %s with the name of a shard for a damaged one, and does not wait for it',
    async (_, fault, place) => {
      const directory = await tempDir();
      const segment = aSegment();
      await place(join(directory, segment.shard));
      expect(await new ShardReader(directory).read(segment)).toEqual({ fault, kind: 'damaged' });
    },
  );

  it('reports any other error of the file system as unreadable', async () => {
    const path = join(await tempDir(), 'file');
    await writeFile(path, '');
    const found = await new ShardReader(path).read(aSegment());
    expect(found).toEqual({ fault: 'not a directory', kind: 'unreadable' });
  });

  it('refuses bytes with another checksum', async () => {
    const directory = await tempDir();
    const segment = await written(directory);
    const path = join(directory, segment.shard);
    const bytes = await readFile(path);
    bytes[segment.offset + 20] = (bytes[segment.offset + 20] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const fault = expect.stringContaining('other bytes');
    expect(await new ShardReader(directory).read(segment)).toEqual({ fault, kind: 'damaged' });
  });

  it.each([
    ['no gzip', Buffer.from('text'), {}],
    ['no records', gzipSync('{"v":1}\n{}\n{}'), {}],
    ['too few records', packed(RESULTS.filter(({ ok }) => ok)), {}],
    ['records of another chunk', packed(), { first: 19 }],
    ['more successes', packed(), { ok: 1, failed: 2 }],
    ['another order', packed(RESULTS.toReversed()), { first: 25 }],
  ])('refuses a segment of %s', async (_, bytes, changes) => {
    const directory = await tempDir();
    const segment = await written(directory, bytes);
    const found = await new ShardReader(directory).read({ ...segment, ...changes });
    expect(found).toEqual({ fault: 'it does not hold what it should', kind: 'damaged' });
  });
});
