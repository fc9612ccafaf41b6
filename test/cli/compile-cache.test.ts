import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import module from 'node:module';
import { join } from 'node:path';
import { expect, it, test } from 'vitest';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { anOrigin } from './an-origin.ts';

/** Node 22.1 and newer have one. */
const hasCompileCache = 'enableCompileCache' in module;

/** Runs the program for one URL, and checks that nothing but the result shows. */
async function fetchOne(env: Readonly<Record<string, string>>): Promise<void> {
  const { url } = await anOrigin();
  const { code, stdout, stderr } = await runCli(['fetch', '--template={status}', `${url}/ok`], { env });
  expect({ code, stdout }).toEqual({ code: 0, stdout: '200\n' });
  expect(stderr).toMatch(/^\nDone: 1 succeeded, 0 failed\n/);
}

/** The paths of all files in a directory; none if it is missing. */
async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

it.runIf(hasCompileCache)('keeps compiled code in XDG_CACHE_HOME, or in ~/.cache', async () => {
  const [cache, home] = [await tempDir(), await tempDir()];
  await fetchOne({ XDG_CACHE_HOME: cache, HOME: home });
  expect(await filesIn(join(cache, 'fanout'))).not.toEqual([]);
  expect(await filesIn(home)).toEqual([]);
  await fetchOne({ XDG_CACHE_HOME: 'not/absolute', HOME: home });
  expect(await filesIn(join(home, '.cache', 'fanout'))).not.toEqual([]);
});

it.runIf(hasCompileCache)('uses the compiled code of the run before', async () => {
  const cache = await tempDir();
  await fetchOne({ XDG_CACHE_HOME: cache });
  const written = await Promise.all((await filesIn(cache)).map((file) => stat(file)));
  await fetchOne({ XDG_CACHE_HOME: cache });
  const kept = await Promise.all((await filesIn(cache)).map((file) => stat(file)));
  expect(kept.map(({ ino, mtimeMs }) => [ino, mtimeMs])).toEqual(
    written.map(({ ino, mtimeMs }) => [ino, mtimeMs]),
  );
});

it('runs with compiled code that is damaged or cut off', async () => {
  const cache = await tempDir();
  await fetchOne({ XDG_CACHE_HOME: cache });
  for (const file of await filesIn(cache)) {
    const bytes = await readFile(file);
    await writeFile(file, bytes.fill(0xaa, bytes.length >> 1));
  }
  await fetchOne({ XDG_CACHE_HOME: cache });
  for (const file of await filesIn(cache)) await truncate(file, 10);
  await fetchOne({ XDG_CACHE_HOME: cache });
});

it('runs if the cache directory cannot be made', async () => {
  const file = join(await tempDir(), 'file');
  await writeFile(file, '');
  await fetchOne({ XDG_CACHE_HOME: join(file, 'below') });
  await fetchOne({ HOME: file });
});

test('two runs at once can fill the cache', async () => {
  const cache = await tempDir();
  await Promise.all([fetchOne({ XDG_CACHE_HOME: cache }), fetchOne({ XDG_CACHE_HOME: cache })]);
  await fetchOne({ XDG_CACHE_HOME: cache });
});

it('writes nothing with NODE_DISABLE_COMPILE_CACHE', async () => {
  const cache = await tempDir();
  await fetchOne({ XDG_CACHE_HOME: cache, NODE_DISABLE_COMPILE_CACHE: '1' });
  expect(await filesIn(cache)).toEqual([]);
});
