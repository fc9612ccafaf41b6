import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findDocuments } from '../../src/documents/find-documents.ts';
import { tempDir } from '../origin/temp-dir.ts';

/** A directory with these files; the value of a path is the text of its file. */
async function aTree(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await tempDir();
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

describe('findDocuments()', () => {
  it.each<[string, Readonly<Record<string, string>>, readonly string[], readonly string[]]>([
    [
      'the documents of a directory, sorted',
      { 'd/b.md': '', 'd/a/c.rst': '', 'd/a.html': '', 'd/x.js': '' },
      ['d'],
      ['d/a.html', 'd/a/c.rst', 'd/b.md'],
    ],
    ['the working directory', { 'a.md': '', 'b/c.md': '' }, ['.'], ['a.md', 'b/c.md']],
    [
      'inputs as they are',
      { 'a.js': '' },
      ['a.js', '-', 'https://x.example/', 'missing.md'],
      ['a.js', '-', 'https://x.example/', 'missing.md'],
    ],
    ['a pattern', { 'a.md': '', 'b/c.md': '', 'b/d.txt': '' }, ['**/*.md'], ['a.md', 'b/c.md']],
    ['a file whose name is like a pattern', { '[a].md': '', 'a.md': '' }, ['[a].md'], ['[a].md']],
    [
      'no hidden files, and none of packages',
      { '.a.md': '', '.b/c.md': '', 'node_modules/d/e.md': '', '.github/f.md': '' },
      ['.'],
      ['.github/f.md'],
    ],
    [
      'nothing that .gitignore excludes',
      { '.gitignore': '/out\n*.tmp.md\n', 'a.md': '', 'out/b.md': '', 'c.tmp.md': '', 'd/out/e.md': '' },
      ['.'],
      ['a.md', 'd/out/e.md'],
    ],
    [
      'the rules of directories above and below',
      {
        '.git/HEAD': '',
        '.gitignore': '*.txt\nbuild/\n',
        'd/.gitignore': '!keep.txt\n/x.md\n',
        'd/keep.txt': '',
        'd/no.txt': '',
        'd/x.md': '',
        'd/e/x.md': '',
        'd/build/y.md': '',
      },
      ['d'],
      ['d/e/x.md', 'd/keep.txt'],
    ],
    [
      'nothing below an excluded directory, whatever its own rules are',
      { '.gitignore': 'out/\n', 'out/.gitignore': '!a.md\n', 'out/a.md': '', 'b.md': '' },
      ['**/*.md'],
      ['b.md'],
    ],
    [
      'the same for a pattern',
      { '.gitignore': 'out\n', 'out/a.md': '', 'node_modules/b.md': '', 'c.md': '' },
      ['**/*.md'],
      ['c.md'],
    ],
    ['a named file, though it is excluded', { '.gitignore': 'a.md\n', 'a.md': '' }, ['a.md'], ['a.md']],
  ])('finds %s', async (_, files, args, expected) => {
    expect(await findDocuments(args, await aTree(files))).toEqual(expected);
  });

  it('follows no symbolic links', async () => {
    const root = await aTree({ 'd/a.md': '' });
    await symlink(join(root, 'd'), join(root, 'd', 'again'));
    expect(await findDocuments(['d'], root)).toEqual(['d/a.md']);
  });

  it('refuses a pattern that matches nothing', async () => {
    await expect(findDocuments(['x*.md'], await aTree({ 'a.md': '' }))).rejects.toThrow(
      'no file matches "x*.md"',
    );
  });
});
