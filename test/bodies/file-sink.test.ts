import { createHash } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BodyHash } from '../../src/bodies/file-sink.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aSaver, bodyErrorOf } from './a-saver.ts';

const URL = 'https://example.com/a.txt';
const NAME = 'example.com/a.txt';
/** So much that `write` waits for the disk. */
const LARGE = 'x'.repeat(300_000);

describe('a saved body', () => {
  it('gets its final name when it is whole and its response is validated', async () => {
    const { begin, files, root } = await aSaver();
    const { capture, write } = begin(URL);
    expect(await files()).toEqual([]);
    write('hello ');
    await write(LARGE);
    expect(await files()).toEqual([`${NAME}.part`]);
    const text = `hello ${LARGE}`;
    const sha256 = createHash('sha256').update(text).digest('hex');
    expect(await capture.end(true, true)).toEqual({ path: NAME, bytes: text.length, sha256 });
    expect(await files()).toEqual([NAME]);
    expect(await readFile(join(root, NAME), 'utf8')).toBe(text);
  });

  it('has no SHA-256 without checksums', async () => {
    const { save } = await aSaver({ checksums: false });
    expect(await save(URL, 'hello')).toEqual({ path: NAME, bytes: 5 });
  });

  it('is an empty file when it is empty', async () => {
    const { save, root } = await aSaver();
    expect(await save(URL, '')).toMatchObject({ path: NAME, bytes: 0 });
    expect((await stat(join(root, NAME))).size).toBe(0);
  });

  it.each(['interrupted', 'dropped', 'of a failed response'])('leaves no file if it is %s', async (what) => {
    const { begin, files } = await aSaver();
    const { capture, write } = begin(URL);
    write('hello');
    if (what === 'interrupted') capture.interrupt();
    if (what === 'dropped') await capture.drop();
    expect(await capture.end(false, true)).toBeUndefined();
    expect(await files()).toEqual([]);
  });

  it('replaces the file of an earlier run only when it is whole', async () => {
    const { begin, save, root } = await aSaver();
    await save(URL, 'old');
    const { capture, write } = begin(URL);
    write('new');
    capture.interrupt();
    await capture.drop();
    expect(await readFile(join(root, NAME), 'utf8')).toBe('old');
    await save(URL, 'new');
    expect(await readFile(join(root, NAME), 'utf8')).toBe('new');
  });

  it('is whole when the URL is downloaded twice at a time, and the last one remains', async () => {
    const { begin, files, root } = await aSaver();
    const first = begin(URL);
    const second = begin(URL);
    first.write('first');
    second.write('second ');
    first.write(' body');
    second.write('body');
    expect(await second.capture.end(true, true)).toMatchObject({ bytes: 11 });
    expect(await readFile(join(root, NAME), 'utf8')).toBe('second body');
    expect(await first.capture.end(true, true)).toMatchObject({ bytes: 10 });
    expect(await readFile(join(root, NAME), 'utf8')).toBe('first body');
    expect(await files()).toEqual([NAME]);
  });
});

describe('a slow disk', () => {
  it('is waited for without holding the loop, and gets the pieces in order', async () => {
    const { begin, root } = await aSaver();
    const { capture, write } = begin(URL);
    const pieces = Array.from({ length: 40 }, (_, index) => `${index % 10}`.repeat(100_000));
    let waits = 0;
    for (const piece of pieces) {
      const written = write(piece);
      if (written !== undefined) waits += 1;
      await written;
    }
    expect(waits).toBeGreaterThan(0);
    expect(await capture.end(true, true)).toMatchObject({ bytes: 4_000_000 });
    expect(await readFile(join(root, NAME), 'utf8')).toBe(pieces.join(''));
  });

  it('gets everything that was given to it, also if nobody waits', async () => {
    const { begin, root } = await aSaver();
    const { capture, write } = begin(URL);
    const pieces = Array.from({ length: 40 }, (_, index) => `${index % 10}`.repeat(100_000));
    for (const piece of pieces) write(piece);
    expect(await capture.end(true, true)).toMatchObject({ bytes: 4_000_000 });
    expect(await readFile(join(root, NAME), 'utf8')).toBe(pieces.join(''));
  });
});

describe('what is in the directory beforehand', () => {
  it('is not followed if it is a symbolic link to a directory', async () => {
    const outside = await tempDir();
    const { begin, fatal, root } = await aSaver();
    await symlink(outside, join(root, 'example.com'));
    const { write } = begin('https://example.com/sub/a.txt');
    expect(await bodyErrorOf(() => write(LARGE))).toMatchObject({ kind: 'write', code: 'EEXIST' });
    expect(fatal).toEqual([]);
    await expect(stat(join(outside, 'sub'))).rejects.toThrow('ENOENT');
  });

  it.each([NAME, `${NAME}.part`])('is replaced if it is a symbolic link called %s', async (name) => {
    const outside = join(await tempDir(), 'precious');
    await writeFile(outside, 'precious');
    const { save, files, root } = await aSaver();
    await mkdir(join(root, 'example.com'));
    await symlink(outside, join(root, name));
    await save(URL, 'hello');
    expect(await readFile(outside, 'utf8')).toBe('precious');
    expect(await files()).toEqual([NAME]);
    expect(await readFile(join(root, NAME), 'utf8')).toBe('hello');
  });

  it('is not changed through a hard link', async () => {
    const outside = join(await tempDir(), 'precious');
    await writeFile(outside, 'precious');
    const { save, root } = await aSaver();
    await mkdir(join(root, 'example.com'));
    await link(outside, join(root, `${NAME}.part`));
    await save(URL, 'hello');
    expect(await readFile(outside, 'utf8')).toBe('precious');
  });

  it('is replaced if it is a partial file of an earlier run', async () => {
    const { save, files, root } = await aSaver();
    await mkdir(join(root, 'example.com'));
    await writeFile(join(root, `${NAME}.part`), 'longer than what comes now');
    await writeFile(join(root, `${NAME}.part.json`), '{}');
    await save(URL, 'hello');
    expect(await readFile(join(root, NAME), 'utf8')).toBe('hello');
    expect(await files()).toEqual([NAME]);
  });

  it.each([
    ['a file in the place of a directory', 'example.com'],
    ['a directory in the place of the file', `${NAME}/x`],
    ['a directory in the place of the partial file', `${NAME}.part/x`],
  ])('fails only this URL: %s', async (_what, blocker) => {
    const { begin, save, fatal, root } = await aSaver();
    await mkdir(join(root, blocker, '..'), { recursive: true });
    await writeFile(join(root, blocker), 'blocker');
    const { capture, write } = begin(URL);
    const act = async () => {
      write('hello');
      await capture.end(true, true);
    };
    expect(await bodyErrorOf(act)).toMatchObject({
      kind: 'write',
      message: expect.stringMatching(/^cannot (write|save to) "/),
    });
    await capture.drop();
    expect(fatal).toEqual([]);
    expect(await save('https://example.org/a.txt', 'hello')).toBeDefined();
    expect(await readFile(join(root, blocker), 'utf8')).toBe('blocker');
  });
});

describe('a directory that changes while bodies are saved', () => {
  it('is created again when it was removed', async () => {
    const { save, fatal, root } = await aSaver();
    await save(URL, 'hello');
    await rm(join(root, 'example.com'), { recursive: true });
    expect(await save(URL, 'again')).toBeDefined();
    await rm(root, { recursive: true });
    expect(await save(URL, 'hello')).toBeDefined();
    expect(await readFile(join(root, NAME), 'utf8')).toBe('hello');
    expect(fatal).toEqual([]);
  });

  it('does not rename a file that another program put in the place of the partial file', async () => {
    const { begin, root, files } = await aSaver();
    const { capture, write } = begin(URL);
    await write(LARGE);
    await writeFile(join(root, 'theirs'), 'part of it');
    await rename(join(root, 'theirs'), join(root, `${NAME}.part`));
    expect(await bodyErrorOf(() => capture.end(true, true))).toMatchObject({ kind: 'write' });
    expect(await files()).not.toContain(NAME);
  });

  it('is reported when it cannot be used any more', async () => {
    const { begin, save, fatal, root } = await aSaver();
    await save(URL, 'hello');
    await rm(root, { recursive: true });
    await writeFile(root, 'a file');
    const { write } = begin(URL);
    expect(await bodyErrorOf(() => write(LARGE))).toMatchObject({ kind: 'write' });
    expect(fatal[0]?.message).toMatch(
      /^cannot write ".*\/out": .*; stopping, since no more bodies can be saved$/,
    );
  });
});

it('saves files in more directories than it remembers', async () => {
  const { save, files } = await aSaver({ maxRemembered: 3 });
  const names = Array.from({ length: 20 }, (_, number) => `${number % 7}/${number % 2}/${number}.txt`);
  for (const name of names) await save(`https://example.com/${name}`, 'x');
  expect(await files()).toEqual(names.map((name) => `example.com/${name}`).sort());
});

describe('BodyHash', () => {
  it.each([[[]], [[5]], [[5, 5]], [[50_000]], [[50_000, 5]], [[5, 50_000, 5]]])(
    'hashes a body in pieces of %j bytes, and copies what it keeps',
    (lengths) => {
      const hash = new BodyHash();
      for (const length of lengths) {
        const piece = Buffer.alloc(length, 'a');
        hash.update(piece);
        piece.fill('b');
      }
      const whole = Buffer.alloc(
        lengths.reduce((sum, length) => sum + length, 0),
        'a',
      );
      expect(hash.hex()).toBe(createHash('sha256').update(whole).digest('hex'));
    },
  );

  it('continues the hash of the start of a body', () => {
    const hash = new BodyHash(createHash('sha256').update('ab'));
    hash.update(Buffer.from('c'));
    expect(hash.hex()).toBe(createHash('sha256').update('abc').digest('hex'));
  });
});
