import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeDirectory } from '../../src/bodies/save-directory.ts';
import { tempDir } from '../origin/temp-dir.ts';

describe('makeDirectory()', () => {
  it('creates missing parents, and accepts existing directories', async () => {
    const path = join(await tempDir(), 'a', 'b', 'c');
    makeDirectory(`${path}/`);
    makeDirectory(path);
    expect(statSync(path).isDirectory()).toBe(true);
  });

  it('accepts a symbolic link to a directory', async () => {
    const dir = await tempDir();
    mkdirSync(join(dir, 'real'));
    symlinkSync('real', join(dir, 'link'));
    makeDirectory(join(dir, 'link', 'a'));
    expect(statSync(join(dir, 'real', 'a')).isDirectory()).toBe(true);
  });

  it('throws if a file is in the way', async () => {
    const dir = await tempDir();
    writeFileSync(join(dir, 'file'), '');
    symlinkSync('nowhere', join(dir, 'dangling'));
    expect(() => makeDirectory(join(dir, 'file'))).toThrow('EEXIST');
    expect(() => makeDirectory(join(dir, 'file', 'a'))).toThrow('ENOTDIR');
    expect(() => makeDirectory(join(dir, 'dangling'))).toThrow('EEXIST');
  });

  it.skipIf(process.platform !== 'linux')('throws on a file system that refuses directories', () => {
    expect(() => makeDirectory('/proc/fanout')).toThrow('ENOENT');
    expect(() => makeDirectory('/proc/fanout/a/b')).toThrow('ENOENT');
  });
});
