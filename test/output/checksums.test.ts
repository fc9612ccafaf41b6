import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import { Checksums, checksumLine, parseChecksumLine } from '../../src/output/checksums.ts';
import { okResult } from '../model/a-result.ts';
import { tempDir } from '../origin/temp-dir.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const ONE = sha256('one');

test.each([
  ['a.txt', `${ONE}  a.txt`],
  ['  two  spaces ', `${ONE}    two  spaces `],
  ['*star', `${ONE}  *star`],
  ['Größe/日本.html', `${ONE}  Größe/日本.html`],
  ['a\\b', `\\${ONE}  a\\\\b`],
  ['a\nb', `\\${ONE}  a\\nb`],
  ['a\rb\\n', `\\${ONE}  a\\rb\\\\n`],
])('checksumLine() of %j is the line of sha256sum, and is read back', async (name, line) => {
  expect(checksumLine(name, ONE)).toBe(line);
  expect(parseChecksumLine(line)).toEqual([name, ONE]);
  if (name.includes('/')) return;
  const dir = await tempDir();
  await writeFile(join(dir, name), 'one');
  expect(execFileSync('sha256sum', ['--', name], { cwd: dir, encoding: 'utf8' })).toBe(`${line}\n`);
});

test.each(['', 'x', `${ONE}`, `${ONE} a`, `${ONE.toUpperCase()}  a`, `# ${ONE}  a`, `${ONE.slice(1)}  a`])(
  'parseChecksumLine() refuses %j',
  (line) => {
    expect(parseChecksumLine(line)).toBeUndefined();
  },
);

describe('Checksums', () => {
  const saved = (path: string, text: string): Result =>
    okResult({ body: { path, bytes: text.length, sha256: sha256(text) } });

  it('writes the saved files by name, the last hash of each, and nothing of other results', async () => {
    const dir = await tempDir();
    const sums = await Checksums.open(join(dir, 'SUMS'), dir);
    for (const result of [saved('b', 'old'), saved('a/x', 'x'), okResult(), saved('b', 'new')])
      sums.write(result);
    sums.write(okResult({ body: { path: 'unhashed', bytes: 1 } }));
    sums.write(okResult({ body: { bytes: 1, text: 'x' } }));
    await sums.end();
    expect(await readFile(join(dir, 'SUMS'), 'utf8')).toBe(`${sha256('x')}  a/x\n${sha256('new')}  b\n`);
  });

  it('keeps the lines of files that are still there', async () => {
    const dir = await tempDir();
    const path = join(dir, 'SUMS');
    await writeFile(join(dir, 'kept'), 'kept');
    await writeFile(join(dir, 'again'), 'new');
    const before = ['gone', 'kept', 'again'].map((name) => `${sha256(name)} *${name}\n`).join('');
    await writeFile(path, before);
    const sums = await Checksums.open(path, dir);
    sums.write(saved('again', 'new'));
    expect(await readFile(path, 'utf8')).toBe(before);
    await sums.end();
    expect(await readFile(path, 'utf8')).toBe(`${sha256('new')}  again\n${sha256('kept')}  kept\n`);
  });

  it('leaves the file as it was if it is discarded', async () => {
    const dir = await tempDir();
    const path = join(dir, 'SUMS');
    await (await Checksums.open(path, dir)).discard();
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });

  it('writes many lines', async () => {
    const dir = await tempDir();
    const sums = await Checksums.open(join(dir, 'SUMS'), dir);
    for (let at = 0; at < 5_500; at += 1) sums.write(saved(`${at}`, 'x'));
    await sums.end();
    const lines = (await readFile(join(dir, 'SUMS'), 'utf8')).split('\n');
    expect([lines.length, new Set(lines).size]).toEqual([5_501, 5_501]);
  });

  it('refuses a file that has something else, and changes nothing of it', async () => {
    const path = join(await tempDir(), 'notes.txt');
    await writeFile(path, `${ONE}  a\nnotes\n`);
    await expect(Checksums.open(path, '.')).rejects.toThrow(
      `${path}:2 is not a line of sha256sum, so --checksums does not replace the file; name another one`,
    );
    expect(await readFile(path, 'utf8')).toBe(`${ONE}  a\nnotes\n`);
  });

  it('refuses a directory and a missing directory', async () => {
    const dir = await tempDir();
    await expect(Checksums.open(dir, dir)).rejects.toThrow('cannot read --checksums');
    await expect(Checksums.open(join(dir, 'no/SUMS'), dir)).rejects.toThrow('cannot write');
  });
});
