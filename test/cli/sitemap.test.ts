import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../origin/listen.ts';
import { runCli } from '../origin/run-cli.ts';
import { aFile } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

/** A site whose sitemaps list its own pages; `{}` in a document is replaced by its origin. */
async function aSite(documents: Readonly<Record<string, string | Buffer>>) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push(`${request.method} ${path}`);
    const document = documents[path];
    response.statusCode = document === undefined ? 404 : 200;
    response.end(typeof document === 'string' ? document.replaceAll('{}', url) : document);
  });
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  const url = `http://${listening.authority}`;
  return { url, requests };
}

const MAP = '<urlset><url><loc>{}/a</loc></url>\n<url><loc>{}/b</loc></url></urlset>';

describe('--sitemap', () => {
  it('fetches the pages of a sitemap that is given by its URL', async () => {
    const site = await aSite({ '/sitemap.xml': MAP, '/a': 'a', '/b': 'b' });
    const { code, stdout } = await runInProcess(['fetch', '--sitemap', '--json', `${site.url}/sitemap.xml`]);
    expect([code, site.requests.toSorted()]).toEqual([0, ['GET /a', 'GET /b', 'GET /sitemap.xml']]);
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toMatchObject({
      source: `${site.url}/sitemap.xml`,
      line: 1,
    });
  });

  it('is named in a note if the only input is the URL of a sitemap', async () => {
    const site = await aSite({ '/sitemap.xml': MAP, '/a': 'a', '/b': 'b', '/sitemaps': 'x' });
    const notes = async (...args: string[]) =>
      (await runInProcess(['fetch', ...args])).stderr.match(/^note: .*/gm);
    expect(await notes(`${site.url}/sitemap.xml`)).toEqual([
      'note: this fetches only the sitemap itself; to fetch its URLs use --sitemap',
    ]);
    expect(await notes('--sitemap', `${site.url}/sitemap.xml`)).toBeNull();
    expect(await notes(`${site.url}/sitemap.xml`, `${site.url}/a`)).toBeNull();
    expect(await notes(`${site.url}/sitemaps`)).toBeNull();
    expect(await notes('--silent', `${site.url}/sitemap.xml`)).toBeNull();
  });

  it('fetches the sitemap with GET and whole, whatever the options for the pages are', async () => {
    const site = await aSite({ '/sitemap.xml': MAP, '/a': 'a', '/b': 'b' });
    const flags = ['--sitemap', '--head', '--max-size', '1b', '--accept', '404'];
    const { code } = await runInProcess(['fetch', ...flags, `${site.url}/sitemap.xml`]);
    expect([code, site.requests.toSorted()]).toEqual([1, ['GET /sitemap.xml', 'HEAD /a', 'HEAD /b']]);
  });

  it('fetches no sitemap from an address that --deny-private refuses, and reads no file that a sitemap names', async () => {
    const site = await aSite({ '/sitemap.xml': MAP });
    const locs = [`${site.url}/sitemap.xml`, 'file:///etc/hostname'].map(
      (url) => `<sitemap><loc>${url}</loc></sitemap>`,
    );
    const index = await aFile([`<sitemapindex>${locs.join('')}</sitemapindex>`], 'index.xml');
    const { code, stdout } = await runInProcess(['fetch', '--sitemap', '--deny-private', '--json', index]);
    const messages = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).failure.message);
    expect([code, messages]).toEqual([
      1,
      [
        expect.stringContaining('which --deny-private refuses'),
        expect.stringContaining('the scheme must be http or https'),
      ],
    ]);
    expect(site.requests).toEqual([]);
  });

  it('goes through an index, and a sitemap in it that is missing is a failure', async () => {
    const site = await aSite({
      '/map.xml.gz': gzipSync('<urlset><url><loc>http://127.0.0.1:1/</loc></url></urlset>'),
    });
    const index = ['map.xml.gz', 'gone.xml'].map(
      (name) => `<sitemap><loc>${site.url}/${name}</loc></sitemap>`,
    );
    const file = await aFile([`<sitemapindex>${index.join('')}</sitemapindex>`], 'index.xml');
    const { code, stdout } = await runInProcess(['fetch', '--sitemap', '--retries', '0', file]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAIL {2}connect {2}http:\/\/127\.0\.0\.1:1\/ /m);
    expect(stdout).toMatch(
      /^FAIL {2}invalid {2}http:\S+\/gone\.xml .*cannot read \S+\/gone\.xml: Not Found$/m,
    );
  });

  it.each([
    [
      'a list',
      async () => aFile(['http://127.0.0.1/']),
      /as a sitemap: it is not XML; .* leave out --sitemap/,
    ],
    ['what is not there', async () => `${(await aSite({})).url}/sitemap.xml`, /sitemap\.xml: Not Found/],
  ])('%s is an input that cannot be read', async (_, input, message) => {
    const { code, stderr } = await runInProcess(['fetch', '--sitemap', await input()]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});

/** A site with an index of sitemaps. Each document waits until `wanted` of them are requested at a time. */
async function aBusySite(sitemaps: number, wanted: number) {
  let inFlight = 0;
  let most = 0;
  const connections = new Set<Socket>();
  const waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path === '/index.xml') {
      const locs = Array.from(
        { length: sitemaps },
        (_, n) => `<sitemap><loc>${url}/map${n}.xml</loc></sitemap>`,
      );
      response.end(`<sitemapindex>${locs.join('')}</sitemapindex>`);
      return;
    }
    if (!path.endsWith('.xml')) {
      response.end('page');
      return;
    }
    inFlight += 1;
    most = Math.max(most, inFlight);
    waiting.push(() => {
      inFlight -= 1;
      response.end(`<urlset><url><loc>${url}${path.replace('.xml', '')}/page</loc></url></urlset>`);
    });
    if (inFlight >= wanted) for (const respond of waiting.splice(0)) respond();
  });
  server.on('connection', (socket) => connections.add(socket));
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  const url = `http://${listening.authority}`;
  return { url, most: () => most, connections };
}

describe('--sitemap with an index', () => {
  it.each([[['-c', '4']], [['-c', '4', '--threads', '2']]])(
    'fetches its sitemaps in parallel, in the same run, with %j',
    async (flags) => {
      const site = await aBusySite(8, 4);
      const args = [
        'fetch',
        '--sitemap',
        '--json',
        '--ordered',
        '-c',
        '4',
        ...flags,
        `${site.url}/index.xml`,
      ];
      const { code, stdout } = await runCli(args);
      const pages = stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line).url);
      const wanted = Array.from({ length: 8 }, (_, n) => `${site.url}/map${n}/page`);
      expect([code, pages, site.most()]).toEqual([0, wanted, 4]);
      // The connections of the sitemaps are those of the pages.
      expect(site.connections.size).toBeLessThanOrEqual(4);
    },
  );

  it('keeps the limit of the host', async () => {
    const site = await aBusySite(6, 1);
    const args = ['fetch', '--sitemap', '--per-host', '1', `${site.url}/index.xml`];
    const { code } = await runInProcess(args);
    expect([code, site.most(), site.connections.size]).toEqual([0, 1, 1]);
  });

  it('sends the user and password of a sitemap as credentials', async () => {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('<urlset></urlset>');
    });
    const listening = await listen(server);
    onTestFinished(() => listening.close());
    const url = `http://u:pw@${listening.authority}/`;
    await runInProcess(['fetch', '--sitemap', '--allow-empty', url]);
    expect(seen).toEqual([`Basic ${btoa('u:pw')}`]);
  });

  it('ends the run while a sitemap does not come, and counts nothing for it', async () => {
    const site = await aBusySite(3, 9);
    const args = ['fetch', '--sitemap', '--deadline', '1s', '--summary', 'json', `${site.url}/index.xml`];
    const { stderr } = await runCli(args);
    expect(JSON.parse(stderr.split('\n')[0] ?? '')).toMatchObject({
      read: 0,
      notFetched: 0,
      isListComplete: false,
    });
  });

  it('shows with --dry-run the pages, with the sitemaps fetched', async () => {
    const site = await aBusySite(4, 2);
    const { code, stdout } = await runInProcess(['fetch', '--sitemap', '--dry-run', `${site.url}/index.xml`]);
    expect([code, stdout.match(/\/page"/g)?.length]).toEqual([0, 4]);
  });
});
