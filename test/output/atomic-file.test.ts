import { existsSync, readFileSync } from 'node:fs';
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { OutputError } from '../../src/model/errors.ts';
import { AtomicFile, replaceFile } from '../../src/output/atomic-file.ts';
import { tempDir } from '../origin/temp-dir.ts';

/** A directory with a file `state` that has the contents `old`. */
async function oldFile(): Promise<{ directory: string; path: string }> {
  const directory = await tempDir();
  const path = join(directory, 'state');
  await writeFile(path, 'old\n');
  return { directory, path };
}

/** Calls `onSync` before each fsync through a `FileHandle`, which is then done unless `onSync` throws. */
async function watchSync(onSync: () => void): Promise<void> {
  const handle = await open('/dev/null');
  const prototype: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  const { sync } = prototype;
  vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
    onSync();
    await sync.call(this);
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('AtomicFile', () => {
  it('replaces the old file on commit and not before', async () => {
    const { directory, path } = await oldFile();
    const file = await AtomicFile.open(path);
    await file.write('new\n');
    await vi.waitFor(async () => expect(await readFile(`${path}.part`, 'utf8')).toBe('new\n'));
    expect(await readFile(path, 'utf8')).toBe('old\n');
    await file.commit();
    expect(await readFile(path, 'utf8')).toBe('new\n');
    expect(await readdir(directory)).toEqual(['state']);
  });

  it('compresses a file whose name ends in .gz', async () => {
    const path = join(await tempDir(), 'state.gz');
    const file = await AtomicFile.open(path);
    await file.write('new\n');
    await file.commit();
    expect(gunzipSync(await readFile(path)).toString()).toBe('new\n');
  });

  it('keeps the old file and removes the new one on discard', async () => {
    const { directory, path } = await oldFile();
    const file = await AtomicFile.open(path);
    await file.write('new\n');
    await file.discard();
    expect(await readFile(path, 'utf8')).toBe('old\n');
    expect(await readdir(directory)).toEqual(['state']);
  });

  it('refuses a directory that is missing before anything is written', async () => {
    const path = join(await tempDir(), 'missing', 'state');
    await expect(AtomicFile.open(path)).rejects.toThrow(
      new OutputError(`cannot write to "${path}.part": no such file or directory`),
    );
  });

  it('refuses a directory, a device and a pipe, and leaves nothing beside them', async () => {
    const directory = await tempDir();
    const state = join(directory, 'state');
    await mkdir(state);
    await expect(AtomicFile.open(state)).rejects.toThrow(
      new OutputError(`cannot write to "${state}": it is a directory`),
    );
    const link = join(directory, 'link');
    await symlink('/dev/null', link);
    await expect(AtomicFile.open(link)).rejects.toThrow(
      new OutputError(`cannot write to "${link}": it is not a regular file`),
    );
    expect((await readdir(directory)).sort()).toEqual(['link', 'state']);
  });

  it.each(['old', 'missing'])('replaces the file that a symbolic link leads to: %s', async (target) => {
    const directory = await tempDir();
    await writeFile(join(directory, 'old'), 'old\n');
    const link = join(directory, 'link');
    await symlink(target, link);
    const file = await AtomicFile.open(link);
    await file.write('new\n');
    await file.commit();
    expect(await readlink(link)).toBe(target);
    expect(await readFile(join(directory, target), 'utf8')).toBe('new\n');
    expect((await readdir(directory)).sort()).toEqual([...new Set(['link', 'old', target])].sort());
  });

  it('leaves no partial file behind if it cannot replace the old one', async () => {
    const { directory, path } = await oldFile();
    const file = await AtomicFile.open(path);
    await file.write('new\n');
    await rm(path);
    await mkdir(path);
    await expect(file.commit()).rejects.toThrow(
      new OutputError(`cannot write to "${path}": illegal operation on a directory`),
    );
    expect(await readdir(directory)).toEqual(['state']);
  });

  it.skipIf(process.platform !== 'linux')('keeps the old file if the disk is full', async () => {
    const { path } = await oldFile();
    await symlink('/dev/full', `${path}.part`);
    const file = await AtomicFile.open(path);
    await file.write('new\n');
    await expect(file.commit()).rejects.toThrow(
      new OutputError(`cannot write to "${path}": no space left on device`),
    );
    expect(await readFile(path, 'utf8')).toBe('old\n');
  });

  it('keeps the old file if the new one cannot be flushed', async () => {
    const { path } = await oldFile();
    const file = await AtomicFile.open(path);
    await file.write('new\n');
    await watchSync(() => {
      throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' });
    });
    await expect(file.commit()).rejects.toThrow(OutputError);
    expect(await readFile(path, 'utf8')).toBe('old\n');
  });
});

const WAYS: readonly (readonly [string, (path: string) => Promise<void>])[] = [
  [
    'AtomicFile',
    async (path) => {
      const file = await AtomicFile.open(path);
      await file.write('new\n');
      await file.commit();
    },
  ],
  ['replaceFile()', (path) => replaceFile(path, 'new\n')],
];

describe.each(WAYS)('%s', (_name, replace) => {
  it('flushes the new file before the rename, and the directory after it', async () => {
    const { path } = await oldFile();
    const seen: (readonly [state: string, part: string | undefined])[] = [];
    await watchSync(() => {
      const part = existsSync(`${path}.part`) ? readFileSync(`${path}.part`, 'utf8') : undefined;
      seen.push([readFileSync(path, 'utf8'), part]);
    });
    await replace(path);
    expect(seen).toEqual([
      ['old\n', 'new\n'],
      ['new\n', undefined],
    ]);
  });

  it('accepts a directory that cannot be flushed', async () => {
    const { path } = await oldFile();
    await watchSync(() => {
      if (existsSync(`${path}.part`)) return;
      throw Object.assign(new Error('EINVAL: invalid argument, fsync'), { code: 'EINVAL' });
    });
    await replace(path);
    expect(await readFile(path, 'utf8')).toBe('new\n');
  });
});

describe('replaceFile()', () => {
  it('creates a file that is missing', async () => {
    const path = join(await tempDir(), 'state');
    await replaceFile(path, 'new\n');
    expect(await readFile(path, 'utf8')).toBe('new\n');
  });

  it('throws the error of the file system', async () => {
    const path = join(await tempDir(), 'missing', 'state');
    await expect(replaceFile(path, 'new\n')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
