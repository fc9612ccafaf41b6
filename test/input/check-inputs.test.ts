import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { checkInputs } from '../../src/input/input.ts';
import { InputError } from '../../src/model/errors.ts';
import { tempDir } from './temp-dir.ts';

const file = (path: string) => ({ kind: 'file', path }) as const;

describe('checkInputs()', () => {
  it('has nothing against a file, standard input and URLs', async () => {
    const at = await tempDir();
    await writeFile(at('urls.txt'), '');
    const inputs = [file(at('urls.txt')), { kind: 'stdin' }, { kind: 'url', url: 'http://' }] as const;
    await expect(checkInputs(inputs)).resolves.toBeUndefined();
  });

  it('refuses a file that is missing, wherever it stands in the list', async () => {
    const at = await tempDir();
    await writeFile(at('urls.txt'), '');
    const check = checkInputs([file(at('urls.txt')), file(at('gone.txt'))]);
    await expect(check).rejects.toThrow(InputError);
    await expect(check).rejects.toThrow(
      `Cannot read "${at('gone.txt')}": there is no such file; an input must be a file of URLs, - for standard input, or a URL`,
    );
  });

  it('refuses a path through a file', async () => {
    const at = await tempDir();
    await writeFile(at('urls.txt'), '');
    await expect(checkInputs([file(at('urls.txt/x'))])).rejects.toThrow('there is no such file');
  });

  it('refuses a directory', async () => {
    const at = await tempDir();
    await mkdir(at('lists'));
    await expect(checkInputs([file(at('lists'))])).rejects.toThrow('it is a directory');
  });

  it('shows the name of a file without its control characters', async () => {
    await expect(checkInputs([file('no\u001bfile')])).rejects.toThrow('Cannot read "no\\u{1b}file"');
  });

  it('shows no password of a URL that is taken for a file', async () => {
    await expect(checkInputs([file('ftp://me:s3cret@host/')])).rejects.toThrow(
      'Cannot read "ftp://***@host/"',
    );
  });

  it.skipIf(process.getuid?.() === 0)('refuses a file that may not be read', async () => {
    const at = await tempDir();
    await writeFile(at('secret.txt'), '');
    await chmod(at('secret.txt'), 0);
    await expect(checkInputs([file(at('secret.txt'))])).rejects.toThrow('permission is denied');
  });

  it('does not wait for the writer of a named pipe, and takes nothing from it', async () => {
    const at = await tempDir();
    execFileSync('mkfifo', [at('pipe')]);
    await expect(checkInputs([file(at('pipe'))])).resolves.toBeUndefined();
    const written = writeFile(at('pipe'), 'http://example.com/\n');
    await checkInputs([file(at('pipe'))]);
    expect(await readFile(at('pipe'), 'utf8')).toBe('http://example.com/\n');
    await written;
  });
});
