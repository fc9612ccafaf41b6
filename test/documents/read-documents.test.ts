import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type DocumentOptions, readDocumentJobs, readDocuments } from '../../src/documents/read-documents.ts';
import { classifyInput } from '../../src/input/input.ts';
import type { Job } from '../../src/model/job.ts';
import { tempDir } from '../origin/temp-dir.ts';

const FILES = {
  'docs/other.md': '',
  'docs/a b.md': '',
  'top.md': '',
  'site/page.html': '',
  'site/dir/index.html': '',
};

async function aTree(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const root = await tempDir();
  for (const [path, text] of Object.entries({ ...FILES, ...files })) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

/** Where the links of the first file lead: `url`, `url: fault`, or the kind of what is not checked. */
async function targets(
  name: string,
  text: string | Uint8Array,
  options: Partial<DocumentOptions> = {},
  input = name,
): Promise<readonly string[]> {
  const directory = await aTree({ [name]: text });
  const warnings: string[] = [];
  const parts = {
    directory,
    stdin: Readable.from([Buffer.from(text)]),
    warn: (warning: string) => warnings.push(warning),
  };
  const given = classifyInput(input);
  const inputs = given.kind === 'file' ? [{ ...given, path: join(directory, given.path) }] : [given];
  const found: string[] = [];
  for await (const { links } of readDocuments(inputs, { ...parts, ...options })) {
    for (const { target } of links) {
      if (target.kind === 'web') found.push(target.url);
      else if (target.kind === 'file')
        found.push(target.fault === undefined ? target.url : `${target.url}: ${target.fault}`);
      else found.push(target.kind);
    }
  }
  return [...found, ...warnings.map((warning) => warning.replace(directory, ''))];
}

describe('readDocuments()', () => {
  it.each([
    ['other.md', 'file:docs/other.md'],
    ['./other.md?raw=true#a', 'file:docs/other.md#a'],
    ['../top.md', 'file:top.md'],
    ['/top.md', 'file:top.md'],
    ['..', 'file:.'],
    ['<a b.md>', 'file:docs/a%20b.md'],
    ['a%20b.md', 'file:docs/a%20b.md'],
    ['missing.md', 'file:docs/missing.md: no such file: "docs/missing.md"'],
    ['other', 'file:docs/other: no such file: "docs/other" (there is "docs/other.md")'],
    ['other.md/x', 'file:docs/other.md/x: no such file: "docs/other.md/x"'],
    [
      '/no.md',
      'file:no.md: no such file: "no.md" (use --root-dir for the directory of links that start with /)',
    ],
    ['a%00b', 'file:docs/a%00b: no such file: "docs/a\\u{0}b"'],
    ['%zz.md', 'file:docs/%25zz.md: no such file: "docs/%zz.md"'],
    ['#top', 'page'],
    ['mailto:a@b.example', 'other'],
    ['file:///etc/passwd', 'other'],
    ['{{page}}.md', 'other'],
    ['//x.example/a', 'https://x.example/a'],
    ['https://x.example/a', 'https://x.example/a'],
    ['http://', 'http://'],
  ])('resolves %s in Markdown to %s', async (href, expected) => {
    expect(await targets('docs/a.md', `[a](${href})`)).toEqual([expected]);
  });

  it.each<[string, Partial<DocumentOptions>, string]>([
    ['b', { baseUrl: 'https://x.example/d/' }, 'https://x.example/d/b'],
    ['../b?c#d', { baseUrl: 'https://x.example/d/e/' }, 'https://x.example/d/b?c#d'],
    ['/b', { baseUrl: 'https://x.example/d/' }, 'https://x.example/b'],
    ['b', { baseUrl: 'https://x.example/d', rootDir: '.' }, 'https://x.example/d/docs/b'],
    ['../b', { baseUrl: 'https://x.example/d/', rootDir: '.' }, 'https://x.example/d/b'],
    ['/other.md', { rootDir: 'docs' }, 'file:docs/other.md'],
    ['/no.md', { rootDir: 'docs' }, 'file:docs/no.md: no such file: "docs/no.md"'],
  ])('resolves %s with %j to %s', async (href, options, expected) => {
    expect(await targets('docs/a.md', `[a](${href})`, options)).toEqual([expected]);
  });

  it.each([
    ['<a href="page">', 'file:site/page'],
    ['<a href="dir">', 'file:site/dir'],
    ['<base href="/site/"><a href="dir/">', 'file:site/dir'],
    ['<base href="dir/index.html"><a href="index.html">', 'file:site/dir/index.html'],
    ['<base href="https://x.example/d/"><a href="b">', 'https://x.example/d/b'],
    ['<base href="//x.example"><a href="b">', 'https://x.example/b'],
  ])('resolves %s in HTML to %s', async (text, expected) => {
    expect(await targets('site/a.html', text)).toEqual([expected]);
  });

  it.each<[string, string | Uint8Array, readonly string[]]>([
    ['a.txt', Buffer.from('\ufeffhttps://x.example/é', 'utf16le'), ['https://x.example/é']],
    ['a.txt', Buffer.from('https://x.example/é', 'latin1'), ['https://x.example/é']],
    ['a.md.gz', gzipSync('[a](https://x.example/a)'), ['https://x.example/a']],
    ['a.bin', Buffer.from('\0\x01https://x.example'), ['skipping "/a.bin": it is a binary file']],
    ['empty.md', '', []],
  ])('reads %s', async (name, bytes, expected) => {
    expect(await targets(name, bytes)).toEqual(expected);
  });

  it('reads standard input, whose links are relative to the working directory', async () => {
    expect(await targets('docs/a.md', '[a](top.md) [b](docs/no.md)', {}, '-')).toEqual([
      'file:top.md',
      'file:docs/no.md: no such file: "docs/no.md"',
    ]);
  });

  it('resolves the links of a fetched document against its URL, and reads it by its media type', async () => {
    const fetchDocument = async () => ({
      bytes: Buffer.from('<a href="b">'),
      url: 'https://x.example/d/',
      contentType: 'text/html',
    });
    expect(await targets('a', '', { fetchDocument }, 'https://x.example/')).toEqual([
      'https://x.example/d/b',
    ]);
  });

  it('refuses a file that is not there', async () => {
    await expect(targets('a.md', '', {}, 'no.md')).rejects.toThrow('no such file');
  });
});

describe('readDocumentJobs()', () => {
  it('gives links their places, skips those that cannot be checked, and fetches no files', async () => {
    const directory = await aTree({
      'a.md': '[a](https://x.example/)\n[b](top.md) [c](no.md)\n<m@x.example> [d](#a) https://x.example/',
    });
    const counts = { read: 0, skipped: 0 };
    const options = { directory, stdin: Readable.from([]), warn: () => {}, unique: true };
    const jobs: Job[] = [];
    const inputs = [{ kind: 'file' as const, path: join(directory, 'a.md') }];
    for await (const batch of readDocumentJobs(inputs, options, counts)) jobs.push(...batch);
    expect(jobs.map(({ source, ...job }) => job)).toEqual([
      { index: 0, line: 1, column: 5, url: 'https://x.example/' },
      { index: 1, line: 2, column: 5, url: 'file:top.md', isLocal: true },
      { index: 2, line: 2, column: 17, url: 'file:no.md', isLocal: true, invalid: 'no such file: "no.md"' },
    ]);
    expect(counts).toMatchObject({ read: 5, skipped: 2 });
  });
});
