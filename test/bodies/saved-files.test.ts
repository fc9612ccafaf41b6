import { createHash } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BodyError } from '../../src/bodies/body-sink.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aSaver } from './a-saver.ts';

const URL = 'https://example.com/a.txt';
const NAME = 'example.com/a.txt';

function failure(act: () => unknown): BodyError {
  try {
    act();
  } catch (error) {
    if (error instanceof BodyError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a saved body', () => {
  it('has its final name when it is whole and judged, and not before', async () => {
    const { begin, files, root } = await aSaver();
    const { keep, write } = begin(URL);
    expect(await files()).toEqual([]);
    write('hello ');
    write('world');
    expect(await files()).toEqual([`${NAME}.part`]);
    const sha256 = createHash('sha256').update('hello world').digest('hex');
    expect(keep.end(true, true)).toEqual({ path: NAME, bytes: 11, sha256 });
    expect(await files()).toEqual([NAME]);
    expect(await readFile(join(root, NAME), 'utf8')).toBe('hello world');
  });

  it('has no hash where nobody is told', async () => {
    const { save } = await aSaver({ hashes: false });
    expect(save(URL, 'hello')).toEqual({ path: NAME, bytes: 5 });
  });

  it('is an empty file when it is empty', async () => {
    const { save, root } = await aSaver();
    expect(save(URL, '')).toMatchObject({ path: NAME, bytes: 0 });
    expect((await stat(join(root, NAME))).size).toBe(0);
  });

  it.each(['broken off', 'dropped', 'judged not OK'])('leaves nothing when it is %s', async (what) => {
    const { begin, files } = await aSaver();
    const { keep, write } = begin(URL);
    write('hello');
    if (what === 'broken off') keep.breakOff();
    if (what === 'dropped') keep.drop();
    expect(keep.end(false, true)).toBeUndefined();
    expect(await files()).toEqual([]);
  });

  it('leaves the file of an earlier run as it was until it is whole', async () => {
    const { begin, save, root } = await aSaver();
    save(URL, 'old');
    const { keep, write } = begin(URL);
    write('new');
    keep.breakOff();
    expect(await readFile(join(root, NAME), 'utf8')).toBe('old');
    save(URL, 'new');
    expect(await readFile(join(root, NAME), 'utf8')).toBe('new');
  });

  it('of an answer that is not OK is saved when all are', async () => {
    const { begin, files } = await aSaver({ keepsFailed: true });
    const { keep, write } = begin(URL, { status: 404 });
    write('gone');
    expect(keep.end(false, true)).toMatchObject({ path: NAME, bytes: 4 });
    const large = begin('https://example.com/large', { status: 404 });
    large.write('x');
    expect(large.keep.end(false, false)).toBeUndefined();
    expect(await files()).toEqual([NAME]);
  });

  it.each([
    ['a redirect that is followed', { status: 302 }],
    ['an answer to HEAD', { hop: { method: 'HEAD' } }],
    ['a status that is not OK', { status: 404 }],
  ])('there is none of %s', async (_what, head) => {
    const { begin, files } = await aSaver();
    const { keep, taker } = begin(URL, head);
    expect(taker).toBeUndefined();
    expect(keep.end(true, true)).toBeUndefined();
    expect(await files()).toEqual([]);
  });

  it('is a failure when it is larger than wanted', async () => {
    const { begin, files } = await aSaver();
    const { keep, write } = begin(URL);
    write('hello');
    expect(failure(() => keep.end(true, false))).toMatchObject({ kind: 'size' });
    expect(await files()).toEqual([]);
  });

  it('is a failure when it is a part that nobody asked for', async () => {
    const { begin, files } = await aSaver();
    const { keep, write } = begin(URL, { status: 206 });
    write('hello');
    expect(failure(() => keep.end(true, true))).toMatchObject({ kind: 'protocol' });
    expect(await files()).toEqual([]);
    const wished = begin(URL, { status: 206, hop: { headers: { range: 'bytes=0-4' } } });
    wished.write('hello');
    expect(wished.keep.end(true, true)).toMatchObject({ path: NAME });
  });

  it('of a URL that is fetched twice at a time is whole, and the last one stays', async () => {
    const { begin, files, root } = await aSaver();
    const first = begin(URL);
    const second = begin(URL);
    first.write('first');
    second.write('second ');
    first.write(' body');
    second.write('body');
    expect(second.keep.end(true, true)).toMatchObject({ bytes: 11 });
    expect(await readFile(join(root, NAME), 'utf8')).toBe('second body');
    expect(first.keep.end(true, true)).toMatchObject({ bytes: 10 });
    expect(await readFile(join(root, NAME), 'utf8')).toBe('first body');
    expect(await files()).toEqual([NAME]);
  });
});

describe('what stands in the directory beforehand', () => {
  it('is no way out of it when it is a symbolic link to a directory', async () => {
    const outside = await tempDir();
    const { begin, fatal, root } = await aSaver();
    await symlink(outside, join(root, 'example.com'));
    const { write } = begin('https://example.com/sub/a.txt');
    expect(failure(() => write('hello'))).toMatchObject({ kind: 'write', code: 'EEXIST' });
    expect(fatal).toEqual([]);
    await expect(stat(join(outside, 'sub'))).rejects.toThrow('ENOENT');
  });

  it.each([NAME, `${NAME}.part`])('is replaced when it is a symbolic link called %s', async (name) => {
    const outside = join(await tempDir(), 'precious');
    await writeFile(outside, 'precious');
    const { save, files, root } = await aSaver();
    await mkdir(join(root, 'example.com'));
    await symlink(outside, join(root, name));
    save(URL, 'hello');
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
    save(URL, 'hello');
    expect(await readFile(outside, 'utf8')).toBe('precious');
  });

  it('is replaced when an earlier run has left it unfinished', async () => {
    const { save, files, root } = await aSaver();
    await mkdir(join(root, 'example.com'));
    await writeFile(join(root, `${NAME}.part`), 'longer than what comes now');
    await writeFile(join(root, `${NAME}.part.json`), '{}');
    save(URL, 'hello');
    expect(await readFile(join(root, NAME), 'utf8')).toBe('hello');
    expect(await files()).toEqual([NAME]);
  });

  it.each([
    ['a file in the place of a directory', 'example.com'],
    ['a directory in the place of the file', `${NAME}/x`],
    ['a directory in the place of the unfinished file', `${NAME}.part/x`],
  ])('makes this URL a failure alone: %s', async (_what, blocker) => {
    const { begin, save, fatal, root } = await aSaver();
    await mkdir(join(root, blocker, '..'), { recursive: true });
    await writeFile(join(root, blocker), 'blocker');
    const { keep, write } = begin(URL);
    const act = () => {
      write('hello');
      keep.end(true, true);
    };
    expect(failure(act)).toMatchObject({
      kind: 'write',
      message: expect.stringMatching(/^Cannot (write|use) "/),
    });
    keep.drop();
    expect(fatal).toEqual([]);
    expect(save('https://example.org/a.txt', 'hello')).toBeDefined();
    expect(await readFile(join(root, blocker), 'utf8')).toBe('blocker');
  });
});

describe('a directory that changes while bodies are saved', () => {
  it('is made again when it has vanished', async () => {
    const { save, fatal, root } = await aSaver();
    save(URL, 'hello');
    await rm(join(root, 'example.com'), { recursive: true });
    expect(save(URL, 'again')).toBeDefined();
    await rm(root, { recursive: true });
    expect(save(URL, 'hello')).toBeDefined();
    expect(await readFile(join(root, NAME), 'utf8')).toBe('hello');
    expect(fatal).toEqual([]);
  });

  it('gives no file its final name that another program has put in the place of ours', async () => {
    const { begin, root, files } = await aSaver();
    const { keep, write } = begin(URL);
    write('hello');
    await writeFile(join(root, 'theirs'), 'part of it');
    await rename(join(root, 'theirs'), join(root, `${NAME}.part`));
    expect(failure(() => keep.end(true, true))).toMatchObject({ kind: 'write' });
    expect(await files()).not.toContain(NAME);
  });

  it('ends everything when it cannot be used any more', async () => {
    const { begin, save, fatal, root } = await aSaver();
    save(URL, 'hello');
    await rm(root, { recursive: true });
    await writeFile(root, 'a file');
    const { write } = begin(URL);
    expect(failure(() => write('hello'))).toMatchObject({ kind: 'write' });
    expect(fatal[0]?.message).toMatch(/^Cannot write ".*\/out": .*; no body can be saved any more$/);
  });
});

it('a body goes to its file and to its record when both are wanted', async () => {
  const { save } = await aSaver({ inlineBytes: 100 });
  expect(save(URL, 'hello')).toMatchObject({ path: NAME, bytes: 5, text: 'hello' });
});

it('files in more directories than are remembered are saved', async () => {
  const { save, files } = await aSaver({ maxKnown: 3 });
  const names = Array.from({ length: 20 }, (_, number) => `${number % 7}/${number % 2}/${number}.txt`);
  for (const name of names) save(`https://example.com/${name}`, 'x');
  expect(await files()).toEqual(names.map((name) => `example.com/${name}`).sort());
});
