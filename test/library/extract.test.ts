import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type FanoutOptions,
  fanout,
  InputError,
  type JobItem,
  type Result,
  UsageError,
} from '../../src/index.ts';
import { anOrigin } from '../cli/an-origin.ts';
import { running } from '../http/client.ts';
import { listen } from '../origin/listen.ts';
import { tempDir } from '../origin/temp-dir.ts';

type Items = Parameters<typeof fanout>[0];

async function fetchAll(items: Items, options: FanoutOptions = {}) {
  const results: Result[] = [];
  const run = fanout(items, { extract: true, ordered: true, retries: 0, ...options });
  for (let next = await run.next(); ; next = await run.next()) {
    if (next.done === true) return { results, summary: next.value };
    results.push(next.value);
  }
}

/** A directory with these files. */
async function aTree(files: Record<string, string>): Promise<string> {
  const top = await tempDir();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(top, name)), { recursive: true });
    await writeFile(join(top, name), text);
  }
  return top;
}

describe('fanout() with extract', () => {
  it('fetches the links of files, directories, patterns and pages, and looks up files', async () => {
    const origin = await anOrigin();
    const server = createServer((_, response) => {
      response.setHeader('content-type', 'text/html').end(`<a href="${origin.url}/ok?3">`);
    });
    const { authority } = await running(listen(server));
    const top = await aTree({
      'a.md': `x [a](${origin.url}/ok?1)\n[b](docs/b.html) [c](gone.md) <mailto:a@b.test>`,
      'docs/b.html': `<a href="${origin.url}/status/404">`,
      'docs/deep/c.rst': `\`d <${origin.url}/ok?2>\`_`,
      'more/d.txt': `${origin.url}/ok?4`,
    });
    const items = [
      join(top, 'a.md'),
      join(top, 'docs'),
      join(top, 'mo*/*.txt'),
      new URL(`http://${authority}/page`),
    ];
    const { results, summary } = await fetchAll(items);
    const found = results.map(({ source, line, column, url, ok }) => {
      const name = source.startsWith('http') ? source : resolve(source).replace(top, '');
      return `${name}:${line}:${column} ${url.replace(/^.*\//, '')} ${ok}`;
    });
    expect(found).toEqual([
      '/a.md:1:7 ok?1 true',
      '/a.md:2:5 b.html true',
      '/a.md:2:22 gone.md false',
      '/docs/b.html:1:10 404 false',
      '/docs/deep/c.rst:1:5 ok?2 true',
      '/more/d.txt:1:1 ok?4 true',
      `http://${authority}/page:1:10 ok?3 true`,
    ]);
    expect([summary.skipped, summary.read]).toEqual([1, 8]);
  });

  it('resolves relative links against baseUrl and rootDir', async () => {
    const origin = await anOrigin();
    const top = await aTree({ 'docs/a.md': '[a](../ok) [b](/ok?2)' });
    const { results } = await fetchAll([join(top, 'docs')], { baseUrl: `${origin.url}/`, rootDir: top });
    expect(results.map(({ url, ok }) => [url, ok])).toEqual([
      [`${origin.url}/ok`, true],
      [`${origin.url}/ok?2`, true],
    ]);
  });

  it('takes an asynchronous list of names, and the options of a list', async () => {
    const origin = await anOrigin();
    const top = await aTree({ 'a.md': `<${origin.url}/ok> <${origin.url}/ok> <${origin.url}/status/500>` });
    async function* names(): AsyncGenerator<string> {
      yield join(top, 'a.md');
    }
    const { results, summary } = await fetchAll(names(), { unique: true, exclude: 'status' });
    expect([results.length, summary.skipped, origin.requests]).toEqual([1, 2, 1]);
  });

  it('continues from a journal', async () => {
    const origin = await anOrigin();
    const top = await aTree({ 'a.md': `<${origin.url}/ok>` });
    for (let run = 0; run < 2; run += 1)
      await fetchAll([join(top, 'a.md')], { journal: join(top, 'run.journal') });
    expect(origin.requests).toBe(1);
  });

  it.each<[readonly unknown[], FanoutOptions, typeof InputError | typeof UsageError, string]>([
    [['no-such-file.md'], {}, InputError, 'cannot read "no-such-file.md": no such file'],
    [['*.nothing'], {}, InputError, 'no file matches'],
    [['-'], {}, UsageError, 'cannot read "-" as a document: with option extract, an item must be a file'],
    [
      [{ url: 'http://a.test/' }],
      {},
      UsageError,
      'as a document: with option extract, an item must be a file',
    ],
    [[1], {}, UsageError, 'as a document: with option extract, an item must be a file'],
    [['a.md'], { rootDir: 'no-such-dir' }, InputError, 'for option rootDir: no such directory'],
    [['http://127.0.0.1:1/'], {}, InputError, 'cannot read http://127.0.0.1:1/: connect ECONNREFUSED'],
  ])('throws in the loop for %j with %j', async (items, options, Type, message) => {
    const given = items as readonly JobItem[]; // JavaScript may pass anything
    const error: unknown = await fetchAll(given, options).catch((reason) => reason);
    expect(error).toBeInstanceOf(Type);
    expect(`${error}`).toContain(message);
  });

  it.each([['at once'], ['while it waits for names']])('ends when its signal is aborted %s', async (when) => {
    const controller = new AbortController();
    async function* names(): AsyncGenerator<string> {
      controller.abort(new Error('enough'));
      await new Promise(() => {});
    }
    const run = fetchAll(names(), { signal: controller.signal });
    if (when === 'at once') controller.abort(new Error('enough'));
    await expect(run).rejects.toThrow('enough');
  });
});
