import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { aNatsServer } from '../../cluster/nats-server.ts';
import { tempDir } from '../../origin/temp-dir.ts';
import { runInProcess } from '../run-in-process.ts';

test('fanout cluster collect leaves no partial file of a baseline behind if it cannot start', async () => {
  const { url } = await aNatsServer();
  const directory = await tempDir();
  const list = join(directory, 'urls.txt');
  const store = join(directory, 'shards');
  await writeFile(list, 'http://127.0.0.1:9/\n');
  await writeFile(store, 'not a directory\n');
  const run = ['--broker', url, '--run', 'a'];
  expect((await runInProcess(['cluster', 'feed', ...run, list])).code).toBe(0);
  const files = ['--store', store, '--baseline', join(directory, 'known'), '--update-baseline'];
  expect((await runInProcess(['cluster', 'collect', ...run, ...files])).code).toBe(2);
  expect((await readdir(directory)).sort()).toEqual(['shards', 'urls.txt']);
});
