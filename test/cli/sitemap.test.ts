import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../origin/listen.ts';
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
    ['a list', async () => aFile(['http://127.0.0.1/']), /as a sitemap/],
    ['what is not there', async () => `${(await aSite({})).url}/sitemap.xml`, /sitemap\.xml: Not Found/],
  ])('%s is an input that cannot be read', async (_, input, message) => {
    const { code, stderr } = await runInProcess(['fetch', '--sitemap', await input()]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});
