import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import {
  chmod,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { constants } from 'node:os';
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

async function fileHandlePrototype(): Promise<FileHandle> {
  const handle = await open('/dev/null');
  const prototype: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  return prototype;
}

/** Calls `onSync` before each fsync through a `FileHandle`, which is then done unless `onSync` throws. */
async function watchSync(onSync: () => void): Promise<void> {
  const prototype = await fileHandlePrototype();
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
      new OutputError(`cannot write to "${path}": no such file or directory`),
    );
  });

  it('refuses a directory, a device and a pipe, and leaves nothing beside them', async () => {
    const directory = await tempDir();
    const state = join(directory, 'state');
    await mkdir(state);
    await expect(AtomicFile.open(state)).rejects.toThrow(
      new OutputError(`cannot write to "${state}": it is a directory`),
    );
    await expect(AtomicFile.open('/dev/null')).rejects.toThrow(
      new OutputError('cannot write to "/dev/null": it is not a regular file'),
    );
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expect(AtomicFile.open(pipe)).rejects.toThrow(
      new OutputError(`cannot write to "${pipe}": it is not a regular file`),
    );
    expect((await readdir(directory)).sort()).toEqual(['pipe', 'state']);
  });

  it.each(['old', 'missing'])('refuses a symbolic link and changes nothing: to %s', async (target) => {
    const directory = await tempDir();
    await writeFile(join(directory, 'old'), 'old\n');
    const link = join(directory, 'link');
    await symlink(target, link);
    await expect(AtomicFile.open(link)).rejects.toThrow(
      new OutputError(`cannot write to "${link}": it is a symbolic link; name the file that it leads to`),
    );
    expect(await readlink(link)).toBe(target);
    expect(await readFile(join(directory, 'old'), 'utf8')).toBe('old\n');
    expect((await readdir(directory)).sort()).toEqual(['link', 'old']);
  });

  it('keeps the permissions of the file that it replaces', async () => {
    const { path } = await oldFile();
    await chmod(path, 0o660);
    const file = await AtomicFile.open(path);
    expect((await stat(`${path}.part`)).mode & 0o777).toBe(0o660);
    await file.commit();
    expect((await stat(path)).mode & 0o777).toBe(0o660);
  });

  it('does not rename what another program has put in the place of the new file', async () => {
    const { path } = await oldFile();
    const file = await AtomicFile.open(path);
    await file.write('new\n');
    await rm(`${path}.part`);
    await writeFile(`${path}.part`, 'foreign\n');
    await expect(file.commit()).rejects.toThrow(
      new OutputError(`cannot write to "${path}": another program writes to it, too`),
    );
    expect(await readFile(path, 'utf8')).toBe('old\n');
    expect(await readFile(`${path}.part`, 'utf8')).toBe('foreign\n');
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

  it('keeps the old file if the disk is full', async () => {
    const { path } = await oldFile();
    const file = await AtomicFile.open(path);
    const errno = -constants.errno.ENOSPC;
    vi.spyOn(await fileHandlePrototype(), 'writeFile').mockRejectedValue(
      Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', errno }),
    );
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
  it.each(['a file', 'a link', 'a dangling link', 'a pipe'])(
    'replaces %s that has the name of the new file, and changes no other file',
    async (placed) => {
      const { directory, path } = await oldFile();
      const victim = join(directory, 'victim');
      await writeFile(victim, 'precious');
      if (placed === 'a file') await writeFile(`${path}.part`, 'left by an earlier run');
      else if (placed === 'a pipe') execFileSync('mkfifo', [`${path}.part`]);
      else await symlink(placed === 'a link' ? 'victim' : 'nowhere', `${path}.part`);
      await replace(path);
      expect(await readFile(path, 'utf8')).toBe('new\n');
      expect(await readFile(victim, 'utf8')).toBe('precious');
      expect((await readdir(directory)).sort()).toEqual(['state', 'victim']);
    },
  );

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
