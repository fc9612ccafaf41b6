import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ResultStore } from '../../src/cluster/result-store.ts';
import { encodeRecord } from '../../src/model/record.ts';
import { okResult } from '../model/a-result.ts';
import { tempDir } from '../origin/temp-dir.ts';

const LAYOUT = { chunk: 500, partitions: 1 };

async function aPath(): Promise<string> {
  return join(await tempDir(), 'results.jsonl');
}

function line(url: string): string {
  return `${encodeRecord(okResult({ url }))}\n`;
}

async function urlsOf(store: ResultStore): Promise<string[]> {
  const urls: string[] = [];
  for await (const entry of store.entries()) urls.push('url' in entry ? entry.url : entry.shard);
  return urls;
}

describe('ResultStore', () => {
  it('has what was saved when it is opened again', async () => {
    const path = await aPath();
    const store = await ResultStore.open(path, 'r', LAYOUT);
    store.add(7, line('http://a/\u2028') + line('http://b/'), 0);
    await store.save();
    await store.close();
    const again = await ResultStore.open(path, 'r', LAYOUT);
    expect([again.id, again.done.has(7), again.done.count]).toEqual([store.id, true, 1]);
    expect(await urlsOf(again)).toEqual(['http://a/\u2028', 'http://b/']);
    await again.close();
  });

  it('is for its owner alone, since workers may record headers and bodies', async () => {
    const path = await aPath();
    await (await ResultStore.open(path, 'r', LAYOUT)).close();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('cuts off what was written after the last save', async () => {
    const path = await aPath();
    const store = await ResultStore.open(path, 'r', LAYOUT);
    store.add(0, line('http://a/'), 0);
    await store.save();
    await store.close();
    await appendFile(path, `${line('http://half/')}{"v":1,"url":"http://bro`);
    const again = await ResultStore.open(path, 'r', LAYOUT);
    again.add(1, line('http://b/'), 0);
    await again.save();
    await again.close();
    expect(await readFile(path, 'utf8')).toBe(line('http://a/') + line('http://b/'));
  });

  it('saves what is added during a save with the next one', async () => {
    const path = await aPath();
    const store = await ResultStore.open(path, 'r', LAYOUT);
    store.add(0, line('http://a/'), 0);
    const saving = store.save();
    store.add(1, line('http://b/'), 0);
    await saving;
    await store.save();
    await store.close();
    const again = await ResultStore.open(path, 'r', LAYOUT);
    expect(await urlsOf(again)).toEqual(['http://a/', 'http://b/']);
    await again.close();
  });

  it('refuses the file of somebody else, of another run, of another layout, and what is damaged', async () => {
    const path = await aPath();
    await writeFile(path, 'precious');
    await expect(ResultStore.open(path, 'r', LAYOUT)).rejects.toThrow('has no checkpoint');
    expect(await readFile(path, 'utf8')).toBe('precious');
    const mine = await aPath();
    const store = await ResultStore.open(mine, 'r', LAYOUT);
    store.add(0, line('http://a/'), 0);
    await store.save();
    await store.close();
    await expect(ResultStore.open(mine, 'other', LAYOUT)).rejects.toThrow(
      'results of the run "r", and this run is other',
    );
    await expect(ResultStore.open(mine, 'r', { chunk: 1, partitions: 1 })).rejects.toThrow(
      'started with --chunk 500',
    );
    await writeFile(mine, '');
    await expect(ResultStore.open(mine, 'r', LAYOUT)).rejects.toThrow('a part of it is missing');
    await writeFile(`${mine}.checkpoint`, '{"run":"r"}');
    await expect(ResultStore.open(mine, 'r', LAYOUT)).rejects.toThrow('is damaged');
  });
});
