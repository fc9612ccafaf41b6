import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { classifyInput } from '../../src/input/input.ts';
import { readSitemaps } from '../../src/input/sitemap.ts';
import { InputError } from '../../src/model/errors.ts';
import type { Job } from '../../src/model/job.ts';
import { deferred } from '../core/deferred.ts';

const NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"';

function sitemap(...locs: readonly string[]): string {
  const urls = locs.map((loc) => `<url>\n<loc>${loc}</loc>\n</url>`);
  return `<?xml version="1.0"?>\n<urlset ${NAMESPACE}>\n${urls.join('\n')}\n</urlset>\n`;
}

function index(...locs: readonly string[]): string {
  return `<sitemapindex ${NAMESPACE}>${locs.map((loc) => `<sitemap><loc>${loc}</loc></sitemap>`).join('')}</sitemapindex>`;
}

interface Setup {
  readonly stdin?: string | Uint8Array;
  /** Bytes per chunk of standard input. */
  readonly cut?: number;
  /** The documents that can be fetched, by URL. */
  readonly web?: Readonly<Record<string, string | Uint8Array>>;
  readonly unique?: boolean;
}

/** Reads the input that an argument names, standard input by default. */
async function read({ stdin = '', cut = 1e9, web = {}, unique = false }: Setup, input = '-') {
  const bytes = Buffer.from(stdin);
  const pieces = Array.from({ length: Math.ceil(bytes.length / cut) }, (_, at) =>
    bytes.subarray(at * cut, (at + 1) * cut),
  );
  const fetched: string[] = [];
  const fetchDocument = async ({ url }: { readonly url: string }) => {
    fetched.push(url);
    const document = web[url];
    if (document === undefined) throw new InputError(`cannot read ${url}: 404 Not Found`);
    return Buffer.from(document);
  };
  const counts = { read: 0, skipped: 0 };
  const options = { stdin: Readable.from(pieces), fetchDocument, unique };
  const jobs: Job[] = [];
  for await (const batch of readSitemaps([classifyInput(input)], options, counts)) jobs.push(...batch);
  return { jobs, urls: jobs.map(({ url }) => url), counts, fetched };
}

/** A sitemap with these URLs that names an encoding, or none, in its declaration. */
function declared(encoding: string | undefined, ...locs: readonly string[]): string {
  const declaration = encoding === undefined ? '' : ` encoding="${encoding}"`;
  return sitemap(...locs).replace('version="1.0"', `version="1.0"${declaration}`);
}

const MARK = '\ufeff';
const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();
const koi8 = (text: string) => Buffer.from(text.replace('б', '\xc2'), 'latin1');

describe('the encoding of a sitemap', () => {
  it.each([
    ['UTF-8', declared('UTF-8', 'http://h/ü'), 'http://h/%C3%BC'],
    ['UTF-8 without a declaration', declared(undefined, 'http://h/ü'), 'http://h/%C3%BC'],
    [
      'UTF-8 with a mark, whatever is declared',
      MARK + declared('ISO-8859-1', 'http://h/ü'),
      'http://h/%C3%BC',
    ],
    ['ISO-8859-1', Buffer.from(declared('ISO-8859-1', 'http://h/ü'), 'latin1'), 'http://h/%C3%BC'],
    ['windows-1252', Buffer.from(declared('windows-1252', 'http://h/ü'), 'latin1'), 'http://h/%C3%BC'],
    ['KOI8-R', koi8(declared('koi8-r', 'http://h/б')), 'http://h/%D0%B1'],
    [
      'UTF-16 with a mark',
      Buffer.from(MARK + declared('UTF-16', 'http://h/ü'), 'utf16le'),
      'http://h/%C3%BC',
    ],
    ['UTF-16BE with a mark', utf16be(MARK + declared('utf-16', 'http://h/ü')), 'http://h/%C3%BC'],
    ['UTF-16LE', Buffer.from(declared('UTF-16LE', 'http://h/ü'), 'utf16le'), 'http://h/%C3%BC'],
    ['UTF-16BE', utf16be(declared('UTF-16BE', 'http://h/ü')), 'http://h/%C3%BC'],
    ['UTF-8, declared as UTF-16', declared('UTF-16', 'http://h/ü'), 'http://h/%C3%BC'],
    [
      'ISO-8859-1, gzipped',
      gzipSync(Buffer.from(declared('latin1', 'http://h/ü'), 'latin1')),
      'http://h/%C3%BC',
    ],
  ])('is read: %s', async (_, stdin, url) => {
    for (const cut of [1, 3, 1e9]) expect((await read({ stdin, cut })).urls).toEqual([url]);
  });

  it('must be known', async () => {
    await expect(read({ stdin: declared('klingon', 'http://h/') })).rejects.toThrow(
      'cannot read standard input as a sitemap: its encoding "klingon" is unknown',
    );
  });

  it.each([undefined, 'UTF-8', 'UTF-16'])('is UTF-8 if %s is declared', async (encoding) => {
    const { jobs } = await read({ stdin: Buffer.from(declared(encoding, 'http://h/ü'), 'latin1') });
    expect(jobs[0]?.invalid).toContain('must be UTF-8, or in the encoding');
  });
});

describe('readSitemaps()', () => {
  it.each([1, 7, 1e9])(
    'yields the URLs of a sitemap with their lines, in chunks of %i bytes',
    async (cut) => {
      const { jobs, counts } = await read({ stdin: sitemap('http://h/1', ' http://h/ü?a=1&amp;b=2 '), cut });
      expect(jobs).toEqual([
        { index: 0, source: '-', line: 4, url: 'http://h/1' },
        { index: 1, source: '-', line: 7, url: 'http://h/%C3%BC?a=1&b=2' },
      ]);
      expect(counts).toEqual({ read: 2, skipped: 0 });
    },
  );

  it('reads only the <loc> of pages, with any prefix and in CDATA', async () => {
    const stdin =
      '<s:urlset><s:url><s:loc><![CDATA[http://h/1?a&b]]></s:loc><image:image><image:loc>http://h/i.png</image:loc>' +
      '</image:image><s:lastmod>2026-01-01</s:lastmod></s:url></s:urlset>';
    expect((await read({ stdin })).urls).toEqual(['http://h/1?a&b']);
  });

  it('makes an invalid job of a <loc> that is not UTF-8', async () => {
    const stdin = Buffer.from(sitemap('http://h/\xe9', 'http://h/2'), 'latin1');
    const { jobs } = await read({ stdin });
    expect(jobs.map(({ url, invalid }) => [url, invalid])).toEqual([
      ['http://h/\ufffd', expect.stringContaining('"http://h/\ufffd": must be UTF-8, or')],
      ['http://h/2', undefined],
    ]);
  });

  it('unpacks gzip, whatever its name', async () => {
    const packed = gzipSync(sitemap('http://h/1'));
    const plain = sitemap('http://h/2');
    const web = { 'http://h/a.xml.gz': packed, 'http://h/b.xml.gz': plain };
    expect((await read({ stdin: packed })).urls).toEqual(['http://h/1']);
    expect((await read({ web }, 'http://h/a.xml.gz')).urls).toEqual(['http://h/1']);
    expect((await read({ web }, 'http://h/b.xml.gz')).urls).toEqual(['http://h/2']);
  });

  it('fetches the sitemaps that an index names, each once', async () => {
    const web = {
      'http://h/index.xml': index('http://h/a.xml', 'http://h/b.xml', 'http://h/a.xml', 'http://h/index.xml'),
      'http://h/a.xml': sitemap('http://h/1'),
      'http://h/b.xml': sitemap('http://h/2'),
    };
    const { jobs, fetched } = await read({ web }, 'http://h/index.xml');
    expect(jobs.map(({ url, source }) => [url, source])).toEqual([
      ['http://h/1', 'http://h/a.xml'],
      ['http://h/2', 'http://h/b.xml'],
    ]);
    expect(fetched).toEqual(['http://h/index.xml', 'http://h/a.xml', 'http://h/b.xml']);
  });

  it('makes an invalid job of a sitemap in an index that cannot be read, and continues', async () => {
    const web = { 'http://h/b.xml': sitemap('http://h/2'), 'http://h/c.xml': '<html></html>' };
    const stdin = index('http://h/a.xml', 'ftp://h/x', 'http://h/c.xml', 'http://h/b.xml');
    const { jobs } = await read({ stdin, web });
    expect(jobs.map(({ url, invalid }) => [url, invalid])).toEqual([
      ['http://h/a.xml', 'cannot read http://h/a.xml: 404 Not Found'],
      ['ftp://h/x', expect.stringContaining('http')],
      ['http://h/c.xml', expect.stringContaining('the root element is <html>')],
      ['http://h/2', undefined],
    ]);
  });

  it('follows at most three levels of indexes', async () => {
    const web = Object.fromEntries(
      [1, 2, 3, 4, 5].map((level) => [`http://h/${level}.xml`, index(`http://h/${level + 1}.xml`)]),
    );
    const { jobs, fetched } = await read({ web }, 'http://h/1.xml');
    expect(jobs.map(({ invalid }) => invalid)).toEqual([
      expect.stringContaining('nested more than 3 levels deep'),
    ]);
    expect(fetched).toHaveLength(3);
  });

  it('skips duplicates with `unique`', async () => {
    const { urls, counts } = await read({ stdin: sitemap('http://h/1', 'http://h/1'), unique: true });
    expect([urls, counts]).toEqual([
      ['http://h/1'],
      { read: 2, skipped: 1, skippedByReason: { duplicate: 1 } },
    ]);
  });

  it('makes an invalid job of a <loc> that is not a URL', async () => {
    const { jobs } = await read({ stdin: sitemap('nonsense', '') });
    expect(jobs.map(({ invalid }) => invalid)).toEqual([expect.any(String), expect.any(String)]);
  });

  it.each([
    ['a list of URLs', 'http://h/1\nhttp://h/2\n', /^cannot read standard input as a sitemap: .*\(line 1\)$/],
    ['an empty document', '', /as a sitemap/],
    [
      'an HTML page',
      '<!doctype html><html>',
      /the root element is <html>, not <urlset> or <sitemapindex> \(line 1\)$/,
    ],
    ['a document that is cut off', sitemap('http://h/1').slice(0, -20), /as a sitemap/],
    [
      'entities of its own',
      '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>',
      /as a sitemap: Invalid character entity/,
    ],
    ['a long <loc>', sitemap(`http://h/${'x'.repeat(2 ** 21)}`), /longer than 1 MiB/],
  ])('refuses %s', async (_, stdin, message) => {
    await expect(read({ stdin })).rejects.toThrow(message);
    await expect(read({ stdin })).rejects.toBeInstanceOf(InputError);
  });

  it.each([
    [
      'elements that are nested too deep',
      `<urlset>${'<a>'.repeat(100)}`,
      'its elements are nested more than 100 deep',
    ],
    [
      'millions of open elements in some kB',
      gzipSync(`<urlset>${'<a>'.repeat(3e6)}`),
      'nested more than 100 deep',
    ],
    [
      'an element with too many attributes',
      `<urlset><a ${Array.from({ length: 101 }, (_, n) => `a${n}=""`).join(' ')}/></urlset>`,
      'an element has over 100 attributes',
    ],
    [
      'more than 50 MiB',
      gzipSync(`<urlset>${' '.repeat(50 * 1024 ** 2)}</urlset>`),
      'it is larger than 50mb',
    ],
    ['a comment without an end', `<urlset><!--${'x'.repeat(200_000)}`, 'Max buffer length exceeded: comment'],
    ['a name without an end', `<urlset><${'x'.repeat(200_000)}`, 'Max buffer length exceeded: tagName'],
  ])('refuses %s', async (_, stdin, message) => {
    await expect(read({ stdin })).rejects.toThrow(message);
  });

  it('accepts many elements with a few attributes', async () => {
    const url = `<url><loc>http://h/</loc>${'<a b="" c=""/>'.repeat(200)}</url>`;
    expect((await read({ stdin: `<urlset>${url.repeat(3)}</urlset>` })).urls).toHaveLength(3);
  });

  it('follows at most 50,000 sitemaps', async () => {
    const locs = Array.from({ length: 50_010 }, (_, n) => `http://h/${n}.xml`);
    const { jobs, fetched } = await read({ stdin: index(...locs) });
    expect(fetched).toHaveLength(50_000);
    expect(jobs.slice(50_000)).toMatchObject([
      { url: 'http://h/50000.xml', invalid: 'sitemap indexes name more than 50000 sitemaps' },
    ]);
  });

  it('fetches at most eight sitemaps ahead, and yields their jobs in order', async () => {
    const locs = Array.from({ length: 20 }, (_, n) => `http://h/${n}.xml`);
    let inFlight = 0;
    let most = 0;
    const respond: (() => void)[] = [];
    const fetchDocument = ({ url }: { readonly url: string }) => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      return new Promise<Uint8Array>((resolve) => {
        respond.push(() => {
          inFlight -= 1;
          resolve(Buffer.from(sitemap(`${url}/page`)));
        });
        // The last ones respond first.
        if (inFlight === 8 || respond.length === locs.length) while (respond.length > 0) respond.pop()?.();
        else setImmediate(() => respond.pop()?.());
      });
    };
    const jobs: Job[] = [];
    const options = { stdin: Readable.from([index(...locs)]), fetchDocument };
    for await (const batch of readSitemaps([{ kind: 'stdin' }], options, { read: 0, skipped: 0 }))
      jobs.push(...batch);
    expect(jobs.map(({ url }) => url)).toEqual(locs.map((loc) => `${loc}/page`));
    expect(most).toBe(8);
  });

  it('fetches inputs in parallel', async () => {
    const requested: string[] = [];
    const both = deferred();
    const fetchDocument = async ({ url }: { readonly url: string }) => {
      requested.push(url);
      if (requested.length === 2) both.resolve();
      await both.promise;
      return Buffer.from(sitemap(`${url}page`));
    };
    const inputs = ['http://h/1/', 'http://h/2/'].map(classifyInput);
    const jobs: Job[] = [];
    const options = { stdin: Readable.from([]), fetchDocument };
    for await (const batch of readSitemaps(inputs, options, { read: 0, skipped: 0 })) jobs.push(...batch);
    expect(jobs.map(({ url }) => url)).toEqual(['http://h/1/page', 'http://h/2/page']);
  });

  it('refuses an input that cannot be fetched', async () => {
    await expect(read({}, 'http://h/none.xml')).rejects.toThrow(
      'cannot read http://h/none.xml: 404 Not Found',
    );
  });
});
