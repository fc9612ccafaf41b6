import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fanout } from '../../src/index.ts';
import { listen } from '../origin/listen.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

const html =
  (text: string, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers });
    response.end(text);
  };
const redirect = (status: number, location: string) => (response: ServerResponse) => {
  response.writeHead(status, { location }).end();
};

const PAGES: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/page': html('<h1 id="here">a</h1><a name="named"></a><p id="user-content-set-up">'),
  '/large': html(`<p id="early">${'.'.repeat(20_000)}<p id="late">`),
  '/coded': html('<p id="here">', { 'content-encoding': 'unknown' }),
  '/scripted': html('<div></div>'),
  '/pdf': html('%PDF', { 'content-type': 'application/pdf' }),
  '/moved': redirect(301, '/page'),
  '/to-own': redirect(302, '/page#named'),
  '/to-none': redirect(302, '/page#none'),
  '/gone': (response) => response.writeHead(404, { 'content-type': 'text/html' }).end('<p id="here">'),
};

/** A server of pages, with the paths that were requested. */
async function pages() {
  const paths: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const { url = '' } = request;
    paths.push(url);
    (PAGES[url.replace(/^\/dir\d+/, '')] ?? html('<p id="here">'))(response);
  });
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  return { url: `http://${listening.authority}`, paths };
}

const records = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('--check-fragments', () => {
  it.each([
    ['/page#here', undefined],
    ['/page#named', undefined],
    ['/page#set-up', undefined],
    ['/page#', undefined],
    ['/page#top', undefined],
    ['/page', undefined],
    ['/page#:~:text=a', undefined],
    ['/page#here:~:text=a', undefined],
    ['/page#gone', 'expectation: no such anchor: "gone"'],
    ['/page#gone:~:text=a', 'expectation: no such anchor: "gone"'],
    ['/page#heer', 'expectation: no such anchor: "heer" (did you mean "here"?)'],
    ['/scripted#a', 'expectation: no such anchor: "a", and no other in the page: a script may add them'],
    ['/pdf#page=2', undefined],
    ['/moved#here', undefined],
    ['/moved#gone', 'expectation: no such anchor: "gone"'],
    ['/to-own#gone', undefined],
    ['/to-none#here', 'expectation: no such anchor: "none"'],
    ['/to-none', undefined],
    ['/gone#here', 'status: Not Found'],
  ])('%s: %s', async (path, failure) => {
    const { url } = await pages();
    const { code, stdout } = await runInProcess(['fetch', '--check-fragments', '--json', url + path]);
    const [record] = records(stdout);
    const found = record.failure && `${record.failure.kind}: ${record.failure.message}`;
    expect([found, code, record.url]).toEqual([failure, failure === undefined ? 0 : 1, url + path]);
  });

  it.each([
    ['late', 'size: cannot check the anchor "late": the page was not read to its end (see --max-size)'],
    ['early', undefined],
  ])('of a page that is cut before or after #%s', async (fragment, warning) => {
    const { url } = await pages();
    const args = ['fetch', '--check-fragments', '--json', '--max-size', '10kb', `${url}/large#${fragment}`];
    const { code, stdout } = await runInProcess(args);
    const [record] = records(stdout);
    expect([code, record.warning && `${record.warning.kind}: ${record.warning.message}`]).toEqual([
      0,
      warning,
    ]);
  });

  it.each([[[]], [['--no-decompress']]])('warns of a page that is not decoded, with %j', async (flags) => {
    const { url } = await pages();
    const { code, stdout } = await runInProcess([
      'fetch',
      '--check-fragments',
      ...flags,
      `${url}/coded#here`,
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^WARN .* cannot check the anchor "here": the body was not decoded/);
  });

  it.each([
    ['in one thread', []],
    ['in threads', ['--threads', '2']],
  ])('fetches a page once for all its fragments, %s', async (_, flags) => {
    const { url, paths } = await pages();
    const many = Array.from({ length: 50 }, (__, at) => `${url}/dir${at % 2}/page#s${at}`);
    const list = [...many, `${url}/dir0/page#here`, `${url}/moved#here`, `${url}/moved#gone`, `${url}/moved`];
    const args = ['fetch', '--check-fragments', '--json', '--ordered', ...flags];
    const { code, stdout } = await runCli([...args, await aFile(list)]);
    const found = records(stdout);
    expect(found.map((record) => [record.url, record.line])).toEqual(list.map((one, at) => [one, at + 1]));
    expect(found.filter(({ ok }) => ok).map((record) => record.url)).toEqual([list[50], list[51], list[53]]);
    expect(found[51]).toMatchObject({
      finalUrl: `${url}/page#here`,
      redirects: [{ status: 301, url: `${url}/moved#here` }],
    });
    expect(paths.sort()).toEqual(['/dir0/page', '/dir1/page', '/moved', '/page']);
    expect(code).toBe(1);
  });

  it('fetches URLs one by one that send something else, or expect something else', async () => {
    const { url, paths } = await pages();
    const jobs = [
      { headers: { 'x-a': '1' } },
      { headers: { 'x-a': '2' } },
      { headers: { 'x-a': '1' } },
      { method: 'POST', body: 'a' },
      { expect: { status: 200 } },
      { expect: { status: 404 } },
    ].map((job, at) => JSON.stringify({ url: `${url}/page#${at % 2 === 0 ? 'here' : 'gone'}`, ...job }));
    const args = ['fetch', '--check-fragments', '--json', '--ordered', '-c', '1', await aFile(jobs)];
    const found = records((await runInProcess(args)).stdout).map(({ failure }) => failure?.message);
    const missing = 'no such anchor: "gone"';
    expect(found).toEqual([undefined, missing, undefined, missing, undefined, 'status 200, expected 404']);
    expect(paths).toHaveLength(5);
  });

  it('checks each fragment with --unique, once', async () => {
    const { url, paths } = await pages();
    const list = await aFile(['here', 'gone', 'gone', 'here'].map((fragment) => `${url}/page#${fragment}`));
    const { stderr } = await runInProcess(['fetch', '--check-fragments', '--unique', list]);
    expect([paths.length, stderr]).toEqual([1, expect.stringMatching('1 succeeded, 1 failed, 2 skipped')]);
  });

  it('saves the bodies of a page for each of its URLs', async () => {
    const { url } = await pages();
    const list = await aFile([`${url}/page#here`, `${url}/page#gone`]);
    const directory = await tempDir();
    const args = ['fetch', '--check-fragments', '--json', '--ordered', '--save-dir', directory, list];
    const [first, second] = records((await runInProcess(args)).stdout);
    expect([first.body.path, second.failure.kind]).toEqual([expect.stringMatching(/\/page/), 'expectation']);
    const [host = ''] = await readdir(directory);
    expect([second.body, await readdir(join(directory, host))]).toEqual([
      undefined,
      [basename(first.body.path)],
    ]);
  });

  it.each([
    ['warn', 0, /^WARN .*\/moved#here .*moved permanently: write \S+\/page#here /m],
    ['fail', 1, /^FAIL .*\/moved#here .*moved permanently: write \S+\/page#here/m],
  ])('judges redirects too: --permanent-redirects %s', async (verdict, code, line) => {
    const { url } = await pages();
    const args = ['fetch', '--check-fragments', '--permanent-redirects', verdict, `${url}/moved`];
    const result = await runInProcess([...args, `${url}/moved#here`]);
    expect([result.code, result.stdout]).toEqual([code, expect.stringMatching(line)]);
  });

  it('continues a journal, and does not take a result that was judged without it', async () => {
    const { url, paths } = await pages();
    const list = await aFile([`${url}/page#here`, `${url}/page#gone`, `${url}/page#named`]);
    const args = ['fetch', list, '--journal', join(await tempDir(), 'journal'), '--keep-failed'];
    expect((await runInProcess(args)).code).toBe(0);
    const checking = [...args, '--check-fragments'];
    expect((await runInProcess(checking)).code).toBe(1);
    const { code, stderr } = await runInProcess(checking);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/2 succeeded \(2 from the journal\), 1 failed/),
    ]);
    expect(paths).toHaveLength(4);
  });

  it('counts and reports the jobs of a page that was not fetched', async () => {
    const { url } = await pages();
    const list = [`${url}/gone#here`, ...Array.from({ length: 30 }, (_, at) => `${url}/dir${at}/page#here`)];
    const args = ['fetch', '--check-fragments', '--fail-fast', '--json', '-c', '1', '--retries', '0'];
    const { code, stdout } = await runInProcess([...args, await aFile([...list, ...list])]);
    const found = records(stdout);
    expect(code).toBe(1);
    expect(found.map(({ index }) => index).sort((a, b) => a - b)).toEqual([...Array(62).keys()]);
    expect(found.filter(({ failure }) => failure?.kind === 'aborted').length).toBeGreaterThan(40);
  });

  it('is wrong usage where no body is read', async () => {
    for (const [flags, reason] of [
      [['-I'], 'cannot use --check-fragments with --head: a HEAD response has no body'],
      [['-X', 'HEAD'], 'cannot use --check-fragments with --method: a HEAD response has no body'],
      [['--max-size', '0'], 'cannot use --check-fragments with --max-size 0: no body is read'],
    ] as const) {
      const { code, stderr } = await runInProcess([
        'fetch',
        '--check-fragments',
        ...flags,
        'http://127.0.0.1:1/',
      ]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(reason)]);
    }
  });

  it('makes a HEAD job with a fragment invalid, and one without it not', async () => {
    const { url } = await pages();
    const jobs = ['#here', ''].map((end) => JSON.stringify({ url: `${url}/page${end}`, method: 'HEAD' }));
    const { stdout } = await runInProcess(['fetch', '--check-fragments', '--ordered', await aFile(jobs)]);
    expect(stdout).toMatch(/^FAIL {2}invalid .*cannot check the body of a HEAD response.*\nOK {4}200 /);
  });

  it('is an option of the library, the environment and the file', async () => {
    const { url, paths } = await pages();
    const results: unknown[] = [];
    const items = [`${url}/page#here`, `${url}/page#gone`];
    for await (const result of fanout(items, { checkFragments: true, ordered: true })) results.push(result);
    expect(results).toMatchObject([{ ok: true }, { ok: false, failure: { kind: 'expectation' } }]);
    expect([paths.length, results.some((result) => Object.hasOwn(result as object, 'anchors'))]).toEqual([
      1,
      false,
    ]);
    const env = { FANOUT_CHECK_FRAGMENTS: '1' };
    expect((await runInProcess(['fetch', `${url}/page#gone`], { env })).code).toBe(1);
    const config = join(await tempDir(), 'fanout.config.json');
    await writeFile(config, '{"checkFragments": true}');
    expect((await runInProcess(['fetch', '--config', config, `${url}/page#gone`])).code).toBe(1);
  });
});

describe('--check-fragments with --extract', () => {
  async function checked(files: Readonly<Record<string, string>>, ...args: readonly string[]) {
    const root = await tempDir();
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(root, path, '..'), { recursive: true });
      await writeFile(join(root, path), text);
    }
    const { stdout } = await runCli(
      ['fetch', '--extract', '--check-fragments', '--json', '--ordered', ...args],
      {
        cwd: root,
      },
    );
    return records(stdout).map(({ url, ok, failure }) =>
      ok ? url : `${url}: ${failure.kind}: ${failure.message}`,
    );
  }
  const MISSING = 'expectation: no such anchor: "b"';

  it('checks links to places in files and in the document itself', async () => {
    const files = {
      'a.md':
        '# A\n[1](#a) [2](#b) [3](sub/c.md#c) [4](sub/c.md#b) [5](d.html#d) [6](d.html#b) [7](#) [8](x.ts#L1)',
      'd.html': '<p id="d"><a href="#d">9</a> <a href="#b">10</a> <a href="sub#e">11</a>',
      'sub/c.md': '# C\n[12](../a.md#A) [13](<#über>) [14](#%C3%BCber)\n## Über',
      'sub/index.html': '<p id="e">',
      'x.ts': '',
    };
    expect(await checked(files, 'a.md', 'd.html', 'sub/c.md')).toEqual([
      'file:a.md#a',
      `file:a.md#b: ${MISSING}`,
      'file:sub/c.md#c',
      `file:sub/c.md#b: ${MISSING}`,
      'file:d.html#d',
      `file:d.html#b: ${MISSING}`,
      'file:x.ts#L1',
      'file:d.html#d',
      `file:d.html#b: ${MISSING}`,
      'file:sub#e',
      'file:a.md#A',
      'file:sub/c.md#%C3%BCber',
      'file:sub/c.md#%C3%BCber',
    ]);
  });

  it.each([
    ['mkdocs.yml', '[1](#a-b) [2](#a--b)', []],
    ['.vitepress/config.ts', '[1](#a-b) [2](#a--b)', []],
    ['docusaurus.config.ts', '[1](#a-b) [2](#a--b)', ['file:docs/x/a.md#a-b']],
    ['other.yml', '[1](#a-b) [2](#a--b)', ['file:docs/x/a.md#a-b']],
  ])('names headings as the tree with %s does', async (config, text, missing) => {
    const found = await checked({ [config]: '', 'docs/x/a.md': `# A & B\n${text}` }, 'docs');
    expect(found.filter((one) => one.includes(': ')).map((one) => one.split(': ')[0])).toEqual(missing);
  });

  it.each([
    ['docusaurus.config.js', 'static', ['file:docs/y.html#b', 'file:img/no.png']],
    ['.vitepress/config.ts', 'public', ['file:docs/y.html#b', 'file:img/no.png']],
    ['mkdocs.yml', 'static', ['file:docs/y', 'file:docs/y.html#b', 'file:img/a.png', 'file:img/no.png']],
  ])('finds the pages and assets that the tree with %s finds', async (config, assets, missing) => {
    const text = '[1](y) [2](y.html#y) [3](y.html#b) [4](/img/a.png) [5](/img/no.png) [6](z#z)';
    const files = {
      'docs/x.md': text,
      'docs/y.md': '# Y',
      'docs/z/index.mdx': '# Z',
      [`${assets}/img/a.png`]: '',
    };
    const found = await checked({ [config]: '', ...files }, 'docs/x.md', '--root-dir', '.');
    const faults = found.filter((one) => one.includes(': ')).map((one) => one.split(': ')[0]);
    expect(faults.sort()).toEqual(missing.sort());
  });

  it.each<[string, Readonly<Record<string, string>>, string]>([
    [
      'HTML in a page of MkDocs',
      { 'mkdocs.yml': '', 'docs/y/z.png': '' },
      '<img src="../y/z.png"> <a href="../x/">x</a>',
    ],
    [
      'documents by the directory of all',
      { 'docusaurus.config.js': '', 'docs/api/Store.md': '' },
      '[1](api/Store.md)',
    ],
    [
      'a tree beside the one of Docusaurus',
      { 'website/docusaurus.config.ts': '', 'docs/y.md': '' },
      '[1](y)',
    ],
    ['ids of Docusaurus, which are not known', { 'docusaurus.config.js': '' }, '[1](some-id#a) [2](x.md)'],
    ['what a snippet may have', { 'docs/y.md': '--8<-- "z.md"', 'docs/z.md': '' }, '[1](y.md#a)'],
    ['what an include may have', { 'docs/y.md': '<!--@include: ./z.md-->' }, '[1](y.md#a)'],
    ['what a component may have', { 'docs/y.md': '<script setup>\n</script>\n\n<Y />' }, '[1](y.md#a)'],
    ['what a partial may have', { 'docs/y.mdx': "import Z from './_z.mdx'\n\n<Z />" }, '[1](y.mdx#a)'],
    [
      'what mkdocstrings makes',
      { 'mkdocs.yml': '', 'docs/y.md': '# Y\n\n::: module.z' },
      '[1](y.md#module.z)',
    ],
    ['footnotes of MkDocs', { 'mkdocs.yml': '', 'docs/y.md': 'a[^1]\n\n[^1]: b' }, '[1](y.md#fn:1)'],
    ['headings with a name', { 'docs/y.md': '<h3 name="z">\nZ\n</h3>' }, '[1](y.md#z)'],
  ])('does not fail %s', async (_, files, text) => {
    const found = await checked({ ...files, 'docs/sub/x.md': '', 'docs/x.md': text }, 'docs/x.md');
    expect(found.filter((one) => one.includes(': '))).toEqual([]);
  });

  it('says where a link is one that ends in a slash by mistake', async () => {
    expect(await checked({ 'a.md': '[1](a.md/#a)' }, 'a.md')).toEqual([
      'file:a.md#a: invalid: no such file: "a.md/" (there is "a.md")',
    ]);
  });

  it('checks the fragments of a page that was fetched, and of its <base>, at their URLs', async () => {
    const { url, paths } = await pages();
    const files = {
      'based.html': `<base href="${url}/page"><a href="#here">1</a> <a href="#b">2</a>`,
    };
    expect(await checked(files, 'based.html', `${url}/other`)).toEqual([
      `${url}/page#here`,
      `${url}/page#b: ${MISSING}`,
    ]);
    expect(paths).toEqual(['/other', '/page']);
  });
});
