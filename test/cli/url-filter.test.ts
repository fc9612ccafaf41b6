import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../origin/listen.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

/** An origin that redirects `/to?URL`, and `/hop` to `/login?a`, and is OK otherwise. */
async function aSite() {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push(path);
    const [, target] = path === '/hop' ? ['', '/login?a'] : (/^\/to\?(.*)$/.exec(path) ?? []);
    if (target !== undefined) response.writeHead(301, { location: target });
    response.end('text');
  });
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  return { url: `http://${listening.authority}`, requests };
}

describe('--include and --exclude', () => {
  it.each<[string, readonly string[], readonly string[], string]>([
    ['--exclude', ['--exclude', '/b'], ['/a', '/c'], '2 skipped (2 excluded)'],
    ['several --exclude', ['--exclude', '/b', '--exclude', 'c$'], ['/a'], '3 skipped (3 excluded)'],
    ['--include', ['--include', '/[ab]$'], ['/a', '/b'], '1 skipped (1 excluded)'],
    ['both', ['--include', '/[ab]$', '--exclude', '/b'], ['/a'], '3 skipped (3 excluded)'],
    ['all', ['--exclude', '.'], [], '4 skipped (4 excluded)'],
    ['--unique', ['--unique', '--exclude', '/c'], ['/a', '/b'], '2 skipped (1 excluded, 1 duplicate)'],
  ])('%s', async (_, flags, paths, skipped) => {
    const site = await aSite();
    const list = await aFile(['/a', '/b', '/b', '/c'].map((path) => site.url + path));
    const { code, stderr } = await runInProcess(['fetch', ...flags, list]);
    expect([code, [...new Set(site.requests)].toSorted()]).toEqual([0, paths]);
    expect(stderr).toContain(skipped);
  });

  it('come from the environment and the configuration file too', async () => {
    const site = await aSite();
    const list = await aFile(['/a', '/b', '/c'].map((path) => site.url + path));
    const env = { FANOUT_EXCLUDE: '/a\n/b' };
    expect((await runInProcess(['fetch', list], { env })).code).toBe(0);
    const config = await aFile([JSON.stringify({ include: '/b', exclude: ['x'] })], 'config.json');
    expect((await runInProcess(['fetch', '--config', config, list])).code).toBe(0);
    expect(site.requests).toEqual(['/c', '/b']);
  });

  it('filter the pages of a sitemap, and not the sitemaps', async () => {
    const site = await aSite();
    const map = (path: string) => `<url><loc>${site.url}${path}</loc></url>`;
    const sitemap = await aFile([`<urlset>${map('/draft/1')}${map('/ok')}</urlset>`], 'draft.xml');
    const { code } = await runInProcess(['fetch', '--sitemap', '--exclude', 'draft', sitemap]);
    expect([code, site.requests]).toEqual([0, ['/ok']]);
  });

  it('leave a line that is not a URL a failure, unless --exclude matches it', async () => {
    const site = await aSite();
    const list = await aFile([`${site.url}/a`, 'https://<host>/', 'no URL']);
    const include = await runInProcess(['fetch', '--include', '/a$', list]);
    expect([include.code, include.stdout.match(/FAIL {2}invalid/g)?.length]).toEqual([1, 2]);
    const exclude = await runInProcess(['fetch', '--exclude', '<host>|^no', list]);
    expect(exclude.code).toBe(0);
  });

  it('count other schemes apart', async () => {
    const site = await aSite();
    const list = await aFile([`${site.url}/a`, 'mailto:a@example.com', 'tel:1', `${site.url}/b`]);
    const { stderr } = await runInProcess(['fetch', '--summary', 'json', '--exclude', '/b', list]);
    expect(JSON.parse(stderr)).toMatchObject({
      read: 4,
      skipped: 3,
      skippedByReason: { scheme: 2, excluded: 1 },
    });
  });

  it('are in the counts of reports', async () => {
    const site = await aSite();
    const directory = await tempDir();
    const list = await aFile([`${site.url}/a`, `${site.url}/b`, 'tel:1']);
    const file = (kind: string) => join(directory, kind);
    const reports = ['json', 'markdown', 'html'].flatMap((kind) => ['--report', `${kind}=${file(kind)}`]);
    await runInProcess(['fetch', ...reports, '--exclude', '/b', list]);
    const text = (kind: string) => readFile(file(kind), 'utf8');
    expect(JSON.parse(await text('json')).summary).toMatchObject({
      skipped: 2,
      skippedByReason: { scheme: 1, excluded: 1 },
    });
    expect(await text('markdown')).toContain('2 skipped (1 excluded, 1 other scheme)');
    expect(await text('html')).toContain(
      '<dt>Skipped</dt><dd>2 <small>1 excluded, 1 other scheme</small></dd>',
    );
  });

  it.each([
    ['one thread', []],
    ['several threads', ['--threads', '2']],
  ])('do not follow a redirect to an excluded URL, which is a warning, with %s', async (_, flags) => {
    const site = await aSite();
    const args = ['fetch', '--json', ...flags, '--exclude', '/login', `${site.url}/to?/hop`];
    const { code, stdout } = flags.length === 0 ? await runInProcess(args) : await runCli(args);
    expect([code, site.requests]).toEqual([0, ['/to?/hop', '/hop']]);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      {
        ok: true,
        status: 301,
        finalUrl: `${site.url}/hop`,
        warning: {
          kind: 'redirect',
          code: 'ERR_EXCLUDED',
          message: `not followed: --exclude matches ${site.url}/login?a`,
        },
      },
    ]);
  });

  it('make a run fetch URLs again whose redirects they would not have followed', async () => {
    const site = await aSite();
    const journal = join(await tempDir(), 'journal');
    const run = (...flags: string[]) =>
      runInProcess(['fetch', '--journal', journal, ...flags, `${site.url}/to?/a`, `${site.url}/b`]);
    const requests = async (...flags: string[]) => {
      site.requests.length = 0;
      await run(...flags);
      return site.requests.toSorted();
    };
    expect(await requests()).toEqual(['/a', '/b', '/to?/a']);
    expect(await requests('--exclude', 'x$')).toEqual([]);
    expect(await requests('--exclude', '/a$')).toEqual([]); // the first URL is skipped
    expect(await requests('--exclude', ':\\d+/a$')).toEqual(['/to?/a']);
    expect(await requests()).toEqual(['/a', '/to?/a']);
  });
});

describe('--exclude-file', () => {
  it('adds the expressions of a file', async () => {
    const site = await aSite();
    const file = await aFile(['\ufeff# of this project', '', '  /a$  ', '/b', '\\.pdf$'], '.fanoutignore');
    const list = await aFile(['/a', '/b', '/c', '/d', '/x.pdf'].map((path) => site.url + path));
    const { code } = await runInProcess(['fetch', '--exclude', '/d', '--exclude-file', file, list]);
    expect([code, site.requests]).toEqual([0, ['/c']]);
  });

  it('refuses a bad expression, with its line', async () => {
    const file = await aFile(['/ok', '(?=a)'], 'ignore');
    const { code, stderr } = await runInProcess(['fetch', '--exclude-file', file, 'http://127.0.0.1:9/']);
    const message = `invalid value "(?=a)" in line 2 of "${file}" for --exclude-file: must have no look-around`;
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it('refuses a file that does not exist, and one that is also an output', async () => {
    const missing = await runInProcess(['fetch', '--exclude-file', '/nowhere/x', 'http://127.0.0.1:9/']);
    expect([missing.code, missing.stderr]).toEqual([
      2,
      expect.stringContaining('cannot read "/nowhere/x" for --exclude-file: no such file'),
    ]);
    const file = await aFile(['x'], 'ignore');
    const same = await runInProcess(['fetch', '--exclude-file', file, '-o', file, 'http://127.0.0.1:9/']);
    expect([same.code, same.stderr]).toEqual([2, expect.stringContaining('--exclude-file')]);
  });
});
