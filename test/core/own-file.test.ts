import { execFileSync } from 'node:child_process';
import { link, mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createOwnFile, openOwnFile, readOwnFile, readSettings } from '../../src/core/own-file.ts';
import { tempDir } from '../origin/temp-dir.ts';

/** What somebody may have put at the name of a file. */
const PLACED: Readonly<Record<string, (path: string, victim: string) => Promise<unknown>>> = {
  'a symbolic link': (path, victim) => symlink(victim, path),
  'a link to nothing': (path) => symlink('nowhere', path),
  'a link to a device': (path) => symlink('/dev/zero', path),
  'a link to itself': (path) => symlink(path, path),
  'a named pipe': async (path) => execFileSync('mkfifo', [path]),
  'a hard link': (path, victim) => link(victim, path),
};

async function placed(what: string): Promise<{ directory: string; path: string; victim: string }> {
  const directory = await tempDir();
  const [path, victim] = [join(directory, 'file'), join(directory, 'victim')];
  await writeFile(victim, 'precious');
  await PLACED[what]?.(path, victim);
  return { directory, path, victim };
}

describe.each([['createOwnFile()', async (path: string) => (await createOwnFile(path)).close()]])(
  '%s',
  (_name, create) => {
    it.each(Object.keys(PLACED))('replaces %s', async (what) => {
      const { directory, path, victim } = await placed(what);
      await create(path);
      expect(await readFile(path, 'utf8')).toBe('');
      expect(await readFile(victim, 'utf8')).toBe('precious');
      expect(await readdir(directory)).toEqual(['file', 'victim']);
    });

    it('throws for a directory, and keeps it', async () => {
      const directory = await tempDir();
      await mkdir(join(directory, 'file'));
      await expect(create(join(directory, 'file'))).rejects.toThrow(/EISDIR|EPERM/);
      expect(await readdir(directory)).toEqual(['file']);
    });
  },
);

describe.each([
  ['openOwnFile()', async (path: string) => (await openOwnFile(path, 'change')).close()],
  ['readOwnFile()', (path: string) => readOwnFile(path, 100)],
])('%s', (_name, open) => {
  it.each([
    ['a symbolic link', 'it is a symbolic link'],
    ['a link to nothing', 'it is a symbolic link'],
    ['a link to a device', 'it is a symbolic link'],
    ['a link to itself', 'it is a symbolic link'],
    ['a named pipe', 'it is not a regular file'],
  ])('refuses %s, and does not wait for it', async (what, message) => {
    const { path, victim } = await placed(what);
    await expect(open(path)).rejects.toThrow(message);
    expect(await readFile(victim, 'utf8')).toBe('precious');
  });

  it('refuses a device and a directory, and throws for a missing file', async () => {
    await expect(open('/dev/zero')).rejects.toThrow('it is not a regular file');
    const directory = await tempDir();
    await expect(open(directory)).rejects.toThrow(/it is not a regular file|EISDIR/);
    await expect(open(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('readOwnFile()', () => {
  it('reads a whole file, and refuses a larger one before it reads it', async () => {
    const path = join(await tempDir(), 'file');
    await writeFile(path, 'é'.repeat(50));
    expect((await readOwnFile(path, 100)).toString()).toBe('é'.repeat(50));
    await truncate(path, 2 ** 40); // sparse
    await expect(readOwnFile(path, 100)).rejects.toThrow(`it has ${2 ** 40} bytes; at most 100 are read`);
  });
});

describe('openOwnFile() with follows', () => {
  it('follows a link to a regular file, and to nothing else', async () => {
    const { path } = await placed('a symbolic link');
    const file = await openOwnFile(path, 'read', { follows: true });
    expect(await file.readFile('utf8')).toBe('precious');
    await file.close();
    const device = await placed('a link to a device');
    await expect(openOwnFile(device.path, 'read', { follows: true })).rejects.toThrow(
      'it is not a regular file',
    );
  });

  it('creates nothing through a link', async () => {
    const { directory, path } = await placed('a link to nothing');
    await expect(openOwnFile(path, 'create', { follows: true })).rejects.toThrow('EEXIST');
    expect(await readdir(directory)).toEqual(['file', 'victim']);
  });
});

describe('readSettings()', () => {
  it('reads a pipe that the user has named, and refuses one that is only found', async () => {
    const { path } = await placed('a named pipe');
    await expect(readSettings(path, false)).rejects.toThrow('it is not a regular file');
    const reading = readSettings(path);
    await writeFile(path, '{}');
    expect(await reading).toBe('{}');
  });

  it.each([true, false])('reads a file, and ends at its limit (named: %s)', async (isNamed) => {
    const path = join(await tempDir(), 'file');
    await writeFile(path, 'é'.repeat(100_000));
    expect(await readSettings(path, isNamed)).toBe('é'.repeat(100_000));
    await expect(readSettings('/dev/zero', isNamed)).rejects.toThrow(/16777216 bytes|not a regular file/);
  });
});
