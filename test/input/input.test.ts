import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkInputs,
  classifyInput,
  foreignFormat,
  inputName,
  looksLikeHost,
} from '../../src/input/input.ts';
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

describe('looksLikeHost()', () => {
  it.each([
    'example.com',
    'www.example.com/x?y',
    'bücher.example',
    'localhost',
    'localhost:8080/x',
    '127.0.0.1',
    '127.0.0.1:80',
    '[::1]:80/x',
    'example.com/urls.txt',
    'example.gz:80',
  ])('is true for %s', (argument) => {
    expect(looksLikeHost(argument)).toBe(true);
  });

  it.each([
    'urls.txt',
    'my.urls.csv',
    'list.jsonl.gz',
    'page.html',
    'urls',
    './example.com',
    'dir/example.com',
    '/example.com',
    'a b.example',
    '',
    '.txt',
    '1.2',
    'me:secret@example.com',
  ])('is false for %j', (argument) => {
    expect(looksLikeHost(argument)).toBe(false);
  });
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
    await expect(checkInputs([file(join(dir, 'url.txt'))])).rejects.toThrow(
      `cannot read "${join(dir, 'url.txt')}": no such file; did you mean "${join(dir, 'urls.txt')}"?`,
    );
  });

  it('refuses a directory', async () => {
    const dir = await tempDir();
    await mkdir(join(dir, 'lists'));
    await expect(checkInputs([file(join(dir, 'lists'))])).rejects.toThrow('it is a directory');
  });

  it('shows the name of a file without its control characters', async () => {
    await expect(checkInputs([file('no\u001bfile')])).rejects.toThrow('cannot read "no\\u{1b}file"');
  });

  it.each([
    ['ftp://me:s3cret@host/', 'cannot read "ftp://***@host/": must start with http:// or https://'],
    ['me:s3cret@host', 'cannot read "***@host": no such file'],
  ])('shows no password of %s, which is taken for a file', async (path, message) => {
    await expect(checkInputs([file(path)])).rejects.toThrow(message);
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

describe('foreignFormat()', () => {
  it.each([
    ['HTML', '<!DOCTYPE html>\n<html>', '--sitemap'],
    ['HTML without a doctype', '\n  <html lang="en">', '--sitemap'],
    ['XML', '<?xml version="1.0"?>\n<urlset>', '--sitemap'],
    ['a sitemap without a declaration', '<urlset xmlns="x">', '--sitemap'],
    ['a result file', '{"v":1,"index":0,"url":"http://a/","ok":true,"attempts":1}', 'fanout report'],
    ['results as text', 'FAIL  404  http://a/  12ms  Not Found', 'fanout report'],
    ['results of bad lines as text', 'FAIL  invalid  ftp://a/   0ms  invalid URL', 'fanout report'],
    ['a JSON array', '["http://a/",', 'one URL or JSON job per line'],
    ['a JSON array over several lines', '[\n  {"url":"http://a/"}', 'one URL or JSON job per line'],
    ['pretty-printed JSON', '{\n  "url": "http://a/"\n}', '"jq -c"'],
    ['JSON that starts in the first line', '{"urls": [\n  "http://a/"', '"jq -c"'],
    ['a JSON object over several lines', '{ "url": "http://a/",\n  "id": "x" }', '"jq -c"'],
    ['a baseline', '{"url":"http://a/","method":"GET","kind":"dns"}', 'jq -r .url'],
    ['bodies of jobs', '{"n":1}\n{"n":2}', 'make a job of each line'],
    ['one body of a job', '{"URL":"http://a/"}', 'JSON without a "url"'],
    ['a JSON report', '{"v":1,"findings":[\n{"v":1', 'the list of --failed'],
    ['a PDF file', '%PDF-1.7\n1 0 obj', 'binary data'],
    ['a ZIP file', 'PK\x03\x04\x14\n', 'binary data'],
    ['UTF-16 without a byte-order mark', 'h\0t\0t\0p\0:\0/\0/\0', 'binary data'],
    ['CSV with names', 'id,url,title\n1,http://a/,x', 'use --column url'],
    ['CSV with another name', 'id,where to,title\n1,http://a/,x', 'use --column "where to"'],
    ['CSV without names', '1,"http://a/",x', 'use --column 2'],
    ['CSV with quotes', '"http://a/","x"', 'use --column 1'],
    ['CSV of a spreadsheet', 'Name;URL\nx;http://a/', 'use --column URL'],
    ['TSV', 'url\ttitle', 'use --column url'],
    ['TSV without names', 'http://a/\tx\nhttp://b/\ty', 'use --column 1'],
  ])('recognises %s and tells what to do', (_, text, hint) => {
    expect(foreignFormat(text.split('\n'))).toContain(hint);
  });

  it('recognises binary data that is not UTF-8', () => {
    const png = ['\x89PNG', '\x1a', '\0\0\0\rIHDR'].map((text) => ({ bytes: Buffer.from(text, 'latin1') }));
    expect(foreignFormat(png)).toContain('binary data');
  });

  it('recognises HTML in a line over 1 MiB, and CSV that is not UTF-8', () => {
    expect(foreignFormat([{ start: '<!doctype html><html>' }])).toContain('HTML');
    expect(foreignFormat([{ bytes: Buffer.from('num\xe9ro,url', 'latin1') }, '1,http://a/'])).toBeUndefined();
    expect(foreignFormat([{ bytes: Buffer.from('1,http://a/,\xe9', 'latin1') }])).toContain('--column 2');
  });

  it.each([
    '<http://a/>',
    '<mailto:a@b.example>',
    '"http://a/"',
    '{"url":"http://a/"}',
    '{"url":"http://a/","ok":1}',
    '{"url',
    '{"url\nhttp://a/',
    '{"n":1}\nhttp://a/',
    '{"n":1}\n{"url":"http://a/"}',
    '{"url": "http://a/"\n{"url": "http://b/"}',
    'http://a/\x01\nhttp://b/',
    'http://a/\0http://b/\0',
    'http://a/\n\x01',
    'http://a/?x,y\nhttp://b/',
    'http://a/;x\nhttp://b/',
    'http://a/?u=1,http://b/',
    'http://a/\tx\nhttp://b/',
    'example.com',
    'nonsense, as some people write it',
    '# <html>',
    'OK computer',
    'OK 200 computers for 3s',
    '',
  ])('takes %j for a list', (text) => {
    expect(foreignFormat(text.split('\n'))).toBeUndefined();
  });
});
