import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkInputs, classifyInput, inputName } from '../../src/input/input.ts';
import { InputError } from '../../src/model/errors.ts';
import { tempDir } from '../origin/temp-dir.ts';

describe('classifyInput()', () => {
  it('takes a dash for standard input', () => {
    expect(classifyInput('-')).toEqual({ kind: 'stdin' });
  });

  it.each(['http://example.com', 'https://example.com/x', 'HTTPS://example.com', 'http://'])(
    'takes %s for a URL',
    (url) => {
      expect(classifyInput(url)).toEqual({ kind: 'url', url });
    },
  );

  it.each(['urls.txt', '/dev/stdin', 'http', 'http:/x', 'ftp://x', './-', '', 'example.com'])(
    'takes %j for a file',
    (path) => {
      expect(classifyInput(path)).toEqual({ kind: 'file', path });
    },
  );
});

it.each([
  ['-', '-'],
  ['dir/urls.txt', 'dir/urls.txt'],
  ['https://example.com/sitemap.xml', 'https://example.com/sitemap.xml'],
  ['https://me:s3cret@example.com/sitemap.xml', 'https://example.com/sitemap.xml'],
  ['https://me:s3cret@example.com:99999/', 'https://***@example.com:99999/'],
])('inputName() of %s is %s, without a password', (argument, name) => {
  expect(inputName(classifyInput(argument))).toBe(name);
});

describe('checkInputs()', () => {
  const file = (path: string) => ({ kind: 'file', path }) as const;

  it('accepts a file, standard input and URLs', async () => {
    const dir = await tempDir();
    await writeFile(join(dir, 'urls.txt'), '');
    const inputs = [file(join(dir, 'urls.txt')), { kind: 'stdin' }, { kind: 'url', url: 'http://' }] as const;
    await expect(checkInputs(inputs)).resolves.toBeUndefined();
  });

  it('refuses a missing file at any position', async () => {
    const dir = await tempDir();
    await writeFile(join(dir, 'urls.txt'), '');
    const check = checkInputs([file(join(dir, 'urls.txt')), file(join(dir, 'gone.txt'))]);
    await expect(check).rejects.toThrow(InputError);
    await expect(check).rejects.toThrow(`cannot read "${join(dir, 'gone.txt')}": no such file`);
  });

  it('refuses a path through a file', async () => {
    const dir = await tempDir();
    await writeFile(join(dir, 'urls.txt'), '');
    await expect(checkInputs([file(join(dir, 'urls.txt/x'))])).rejects.toThrow('no such file');
  });

  it('refuses a directory', async () => {
    const dir = await tempDir();
    await mkdir(join(dir, 'lists'));
    await expect(checkInputs([file(join(dir, 'lists'))])).rejects.toThrow('it is a directory');
  });

  it('shows the name of a file without its control characters', async () => {
    await expect(checkInputs([file('no\u001bfile')])).rejects.toThrow('cannot read "no\\u{1b}file"');
  });

  it('shows no password of a URL that is taken for a file', async () => {
    await expect(checkInputs([file('ftp://me:s3cret@host/')])).rejects.toThrow(
      'cannot read "ftp://***@host/"',
    );
  });

  it.skipIf(process.getuid?.() === 0)('refuses a file that is not readable', async () => {
    const dir = await tempDir();
    await writeFile(join(dir, 'secret.txt'), '');
    await chmod(join(dir, 'secret.txt'), 0);
    await expect(checkInputs([file(join(dir, 'secret.txt'))])).rejects.toThrow('permission denied');
  });

  it('does not wait for the writer of a named pipe, and reads nothing from it', async () => {
    const dir = await tempDir();
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    await expect(checkInputs([file(join(dir, 'pipe'))])).resolves.toBeUndefined();
    const written = writeFile(join(dir, 'pipe'), 'http://example.com/\n');
    await checkInputs([file(join(dir, 'pipe'))]);
    expect(await readFile(join(dir, 'pipe'), 'utf8')).toBe('http://example.com/\n');
    await written;
  });
});
