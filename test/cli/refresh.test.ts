import { createHash } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fanout, type Result } from '../../src/index.ts';
import { listen } from '../origin/listen.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

/** A page of the server: what it has now, and how it says so. */
interface Page {
  body?: string;
  etag?: string;
  lastModified?: string;
  /** Instead of 200. */
  status?: number;
  headers?: Readonly<Record<string, string>>;
  /** Responds with 304 to every request. */
  isAlwaysUnchanged?: boolean;
}

/** The record of a URL whose file in `dir` is refreshed by the results in `results`. */
async function refreshed(url: string, dir: string, results: string): Promise<unknown> {
  const { stdout } = await runInProcess(['fetch', url, '--save-dir', dir, '--json', `--refresh=${results}`]);
  return JSON.parse(stdout);
}

const DATE = 'Sat, 01 Aug 2026 10:00:00 GMT';

/** A server of pages, which knows conditional requests as RFC 9110 has them, and counts what it sends. */
async function aSite(pages: Record<string, Page>) {
  const log: { path: string; headers: IncomingHttpHeaders }[] = [];
  let bodyBytes = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    log.push({ path, headers: request.headers });
    const {
      body = '',
      etag,
      lastModified,
      status = 200,
      headers = {},
      isAlwaysUnchanged,
    } = pages[path] ?? { status: 404 };
    if (etag !== undefined) response.setHeader('etag', etag);
    if (lastModified !== undefined) response.setHeader('last-modified', lastModified);
    const { 'if-none-match': match, 'if-modified-since': since } = request.headers;
    const weak = (tag: string) => tag.trim().replace(/^W\//, '');
    const isMatch =
      match !== undefined && etag !== undefined && match.split(',').map(weak).includes(weak(etag));
    const isSame = match === undefined ? since !== undefined && since === lastModified : isMatch;
    if (isAlwaysUnchanged || (status === 200 && isSame)) {
      response.writeHead(304).end();
      return;
    }
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const bytes = headers['content-encoding'] === 'gzip' ? gzipSync(body) : Buffer.from(body);
    bodyBytes += bytes.length;
    response.writeHead(status).end(bytes);
  });
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  return {
    url: `http://${listening.authority}`,
    host: listening.authority.replace(':', '_'),
    pages,
    /** The requests since the last call. */
    requests: () => log.splice(0),
    /** The bytes of bodies since the last call. */
    sent: () => {
      const bytes = bodyBytes;
      bodyBytes = 0;
      return bytes;
    },
  };
}

type Site = Awaited<ReturnType<typeof aSite>>;

/** A mirror of a site: each call of `run` refreshes it, by a journal or by the results of the last run. */
async function aMirror(site: Site, by: 'journal' | 'results', given: readonly string[] = []) {
  const dir = await tempDir();
  const state = await tempDir();
  const list = await aFile(Object.keys(site.pages).map((path) => site.url + path));
  let runs = 0;
  const run = async (flags: readonly string[] = [], input = list) => {
    const last = join(state, `${runs}.jsonl`);
    runs += 1;
    const results = join(state, `${runs}.jsonl`);
    const source =
      by === 'journal'
        ? ['--journal', join(state, 'journal'), '--refresh']
        : runs === 1
          ? []
          : [`--refresh=${last}`];
    const args = [
      'fetch',
      input,
      '--save-dir',
      dir,
      '-o',
      results,
      '--retries',
      '0',
      ...source,
      ...given,
      ...flags,
    ];
    const { code, stderr } = await runInProcess(args);
    const text = await readFile(results, 'utf8');
    const records: Result[] = text
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
    records.sort((a, b) => a.index - b.index);
    return { code, stderr, records, requests: site.requests(), sent: site.sent() };
  };
  return { dir, run, read: (path: string) => readFile(join(dir, site.host, path), 'utf8') };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe.each(['journal', 'results'] as const)('--refresh by %s', (by) => {
  it.each<[name: string, page: Page, asked: Readonly<Record<string, string>>]>([
    ['a strong ETag', { etag: '"one"' }, { 'if-none-match': '"one"' }],
    ['a weak ETag', { etag: 'W/"one"' }, { 'if-none-match': 'W/"one"' }],
    ['an ETag without quotes', { etag: 'one' }, { 'if-none-match': 'one' }],
    ['a date', { lastModified: DATE }, { 'if-modified-since': DATE }],
    ['both', { etag: '"one"', lastModified: DATE }, { 'if-none-match': '"one"', 'if-modified-since': DATE }],
    [
      'an ETag that is marked as compressed',
      { etag: '"one-gzip"', headers: { 'content-encoding': 'gzip', vary: 'accept-encoding' } },
      { 'if-none-match': '"one-gzip", "one"' },
    ],
  ])(
    'with %s asks for what has changed, keeps the file at 304, and fetches another version',
    async (_, page, asked) => {
      const site = await aSite({ '/a.txt': { body: 'first', ...page } });
      const { run, read } = await aMirror(site, by);
      expect((await run()).records).toMatchObject([{ ok: true, status: 200, body: { bytes: 5 } }]);
      // Twice: the record of a 304 has what the next run needs.
      for (const turn of [1, 2]) {
        const { code, records, requests, sent } = await run();
        expect([code, sent], `${turn}`).toEqual([0, 0]);
        expect(requests).toMatchObject([{ headers: asked }]);
        expect(records).toMatchObject([{ ok: true, status: 304, file: 'unchanged', bytes: 0, attempts: 1 }]);
        expect(records[0]?.body).toMatchObject({
          path: `${site.host}/a.txt`,
          bytes: 5,
          sha256: sha256('first'),
          ...(page.etag === undefined ? {} : { etag: page.etag }),
          ...(page.lastModified === undefined ? {} : { lastModified: page.lastModified }),
        });
        expect(await read('a.txt')).toBe('first');
      }
      site.pages['/a.txt'] = {
        body: 'second!',
        etag: '"two"',
        lastModified: 'Sun, 02 Aug 2026 10:00:00 GMT',
      };
      const { records } = await run();
      expect(records).toMatchObject([
        { ok: true, status: 200, file: 'changed', body: { bytes: 7, etag: '"two"' } },
      ]);
      expect(await read('a.txt')).toBe('second!');
      expect((await run()).records).toMatchObject([{ status: 304 }]);
    },
  );

  it('fetches the whole without a validator, and tells by the hash whether it has changed', async () => {
    const site = await aSite({ '/a.txt': { body: 'first' } });
    const { run } = await aMirror(site, by);
    await run();
    const { requests, records } = await run();
    expect(Object.keys(requests[0]?.headers ?? {}).filter((name) => name.startsWith('if-'))).toEqual([]);
    expect(records).toMatchObject([{ status: 200, file: 'unchanged', bytes: 5 }]);
    site.pages['/a.txt'] = { body: 'other' };
    expect((await run()).records).toMatchObject([{ status: 200, file: 'changed' }]);
  });

  it('saves a 200 with the same ETag, and fails a 304 that nobody asked for', async () => {
    const site = await aSite({
      '/a.txt': { body: 'first', etag: '"one"' },
      '/b.txt': { isAlwaysUnchanged: true },
    });
    const { run, read } = await aMirror(site, by);
    const first = await run();
    expect(first.records[1]).toMatchObject({ ok: false, status: 304, failure: { kind: 'status' } });
    site.pages['/a.txt'] = { body: 'other', etag: '"one"', headers: { vary: '*' } };
    const { records } = await run(['-H', 'If-Match: "x"']); // no conditions are added to those of the user
    expect(records).toMatchObject([{ status: 200 }, { status: 304, ok: false }]);
    expect(await read('a.txt')).toBe('other');
  });

  it.each<[what: string, damage: (path: string) => Promise<void>]>([
    ['missing', (path) => rm(path)],
    ['shorter', (path) => writeFile(path, 'fir')],
    ['of the same length, with other bytes', (path) => writeFile(path, 'FIRST')],
  ])('fetches a file that is %s', async (_, damage) => {
    const site = await aSite({ '/a.txt': { body: 'first', etag: '"one"' } });
    const { dir, run, read } = await aMirror(site, by);
    await run();
    await damage(join(dir, site.host, 'a.txt'));
    const { requests, records } = await run();
    expect(requests[0]?.headers['if-none-match']).toBeUndefined();
    expect(records).toMatchObject([{ status: 200, body: { sha256: sha256('first') } }]);
    expect(await read('a.txt')).toBe('first');
    expect((await run()).records).toMatchObject([{ status: 304 }]);
  });

  it.each([404, 410])('names what is deleted with %s, and keeps its file', async (status) => {
    const site = await aSite({
      '/a.txt': { body: 'first', etag: '"one"' },
      '/b.txt': { body: 'b', etag: '"b"' },
    });
    const { run, read } = await aMirror(site, by, ['--save-all']);
    await run();
    site.pages['/a.txt'] = { body: 'not here', status };
    for (const turn of [1, 2]) {
      const { code, records, stderr } = await run();
      expect(code, `${turn}`).toBe(1);
      expect(records).toMatchObject([
        { ok: false, status, file: 'deleted', body: { path: `${site.host}/a.txt`, bytes: 5 } },
        { ok: true, status: 304 },
      ]);
      expect(records[0]?.failure?.message).toMatch(
        new RegExp(`: deleted on the server, but kept as ${site.host}/a\\.txt$`),
      );
      expect(stderr).toMatch(/^ {2}files {5}1 unchanged, 1 deleted on the server, but kept$/m);
      expect(await read('a.txt')).toBe('first');
    }
    site.pages['/a.txt'] = { body: 'first', etag: '"one"' };
    expect((await run()).records[0]).toMatchObject({ ok: true, status: 304, file: 'unchanged' });
  });

  it('keeps the file while its URL fails otherwise, and asks with its validators again', async () => {
    const site = await aSite({ '/a.txt': { body: 'first', etag: '"one"' } });
    const { run, read } = await aMirror(site, by, ['--save-all']);
    await run();
    site.pages['/a.txt'] = { body: 'sorry', status: 500, etag: '"error"' };
    expect((await run()).records).toMatchObject([
      { ok: false, status: 500, file: 'kept', body: { etag: '"one"' } },
    ]);
    expect(await read('a.txt')).toBe('first');
    site.pages['/a.txt'] = { body: 'first', etag: '"one"' };
    expect((await run()).records).toMatchObject([{ ok: true, status: 304 }]);
  });

  it('sends validators only to the URL that they come from', async () => {
    const other = await aSite({ '/end.txt': { body: 'elsewhere', etag: '"one"' } });
    const site = await aSite({ '/a.txt': { status: 302, headers: { location: '/b.txt' } } });
    site.pages['/b.txt'] = { body: 'first', etag: '"one"' };
    const { run, read } = await aMirror({ ...site, pages: { '/a.txt': {} } }, by);
    await run();
    const { requests, records } = await run();
    expect(requests.map(({ path, headers }) => [path, headers['if-none-match']])).toEqual([
      ['/a.txt', undefined],
      ['/b.txt', '"one"'],
    ]);
    expect(records).toMatchObject([
      { status: 304, finalUrl: `${site.url}/b.txt`, redirects: [{ status: 302 }] },
    ]);
    // A failure at the end of another chain.
    site.pages['/a.txt'] = { status: 302, headers: { location: `${other.url}/gone.txt` } };
    expect((await run()).records).toMatchObject([{ file: 'deleted', body: { url: `${site.url}/b.txt` } }]);
    other.requests();
    site.pages['/a.txt'] = { status: 302, headers: { location: `${other.url}/end.txt` } };
    expect((await run()).records).toMatchObject([{ status: 200, file: 'changed' }]);
    expect(other.requests().map(({ headers }) => headers['if-none-match'])).toEqual([undefined]);
    expect(await read('a.txt')).toBe('elsewhere');
  });

  it.each<[flags: readonly string[]]>([
    [['--contains', 'first']],
    [['--expect-header', 'x-a:']],
    [['--check-fragments']],
  ])('fetches the whole where a 304 cannot be judged: %j', async (flags) => {
    const site = await aSite({ '/a.txt': { body: 'first', etag: '"one"', headers: { 'x-a': '1' } } });
    const { run } = await aMirror(site, by, flags);
    await run();
    expect((await run()).records).toMatchObject([{ ok: true, status: 200, file: 'unchanged' }]);
  });

  it('does not ask where the file would get another name', async () => {
    const site = await aSite({ '/a.txt': { body: 'first', etag: '"one"' } });
    const { run } = await aMirror(site, by);
    await run();
    expect((await run(['--save-as', 'x/{host}{path}'])).records).toMatchObject([
      { status: 200, body: { path: `x/${site.host}/a.txt` } },
    ]);
  });

  it('refreshes files of names that depend on the response, and with --resume-partial', async () => {
    const site = await aSite({
      '/page': { body: '<p>', etag: '"p"', headers: { 'content-type': 'text/html' } },
      '/dir/': { body: '<i>', etag: '"i"', headers: { 'content-type': 'text/html' } },
    });
    for (const flags of [[], ['--save-as', '{hash}.{ext}'], ['--resume-partial']]) {
      const { run } = await aMirror(site, by, flags);
      const first = await run();
      const second = await run();
      expect(second.records).toMatchObject(
        first.records.map(({ body }) => ({ status: 304, contentType: 'text/html', body })),
      );
    }
  });

  it('compares the hash that a job expects with the file', async () => {
    const site = await aSite({ '/a.txt': { body: 'first', etag: '"one"' } });
    const { run } = await aMirror(site, by);
    const job = (text: string) =>
      aFile([JSON.stringify({ url: `${site.url}/a.txt`, expect: { sha256: sha256(text) } })]);
    await run([], await job('first'));
    expect((await run([], await job('first'))).records).toMatchObject([{ ok: true, status: 304 }]);
    expect((await run([], await job('other'))).records).toMatchObject([{ ok: false, status: 200 }]);
  });
});

describe('--refresh', () => {
  it('refreshes 5,000 files with 5,000 small requests, and names those that are gone', async () => {
    const pages: Record<string, Page> = {};
    for (let at = 0; at < 5_000; at += 1) pages[`/${at}.txt`] = { body: `${at}`.repeat(50), etag: `"${at}"` };
    const site = await aSite(pages);
    const { dir, run, read } = await aMirror(site, 'journal');
    const first = await run();
    expect([first.code, first.requests.length]).toEqual([0, 5_000]);
    const { mtimeMs } = await stat(join(dir, site.host, '7.txt'));
    const second = await run();
    expect([second.code, second.requests.length, second.sent]).toEqual([0, 5_000, 0]);
    expect(second.stderr).toMatch(/^ {2}files {5}5,000 unchanged$/m);
    expect((await stat(join(dir, site.host, '7.txt'))).mtimeMs).toBe(mtimeMs);
    pages['/7.txt'] = { body: 'new', etag: '"new"' };
    pages['/8.txt'] = { status: 404 };
    const third = await run();
    expect([third.code, third.requests.length, third.sent]).toEqual([1, 5_000, 3]);
    expect(third.stderr).toMatch(
      /^ {2}files {5}4,998 unchanged, 1 changed, 1 deleted on the server, but kept$/m,
    );
    expect([await read('7.txt'), await read('8.txt')]).toEqual(['new', '8'.repeat(50)]);
  }, 120_000);

  it('uses results of the journal that are young enough, and refreshes the others', async () => {
    const site = await aSite({ '/a.txt': { body: 'first', etag: '"one"' } });
    const { run } = await aMirror(site, 'journal');
    await run();
    expect((await run(['--journal-age', '1h'])).requests).toEqual([]);
    expect((await run(['--journal-age', '1ms'])).records).toMatchObject([{ status: 304 }]);
    expect((await run()).records).toMatchObject([{ status: 304 }]);
  });

  it('works in threads and in the library', async () => {
    const site = await aSite({ '/a.txt': { body: 'first', etag: '"one"' } });
    const [dir, state] = [await tempDir(), await tempDir()];
    const common = ['fetch', `${site.url}/a.txt`, '--save-dir', dir, '--threads', '2'];
    await runCli([...common, '-o', join(state, '1.jsonl')]);
    const { stdout } = await runCli([...common, '--json', `--refresh=${join(state, '1.jsonl')}`]);
    expect(JSON.parse(stdout)).toMatchObject({ status: 304, file: 'unchanged', body: { bytes: 5 } });
    const options = { saveDir: dir, journal: join(state, 'journal'), refresh: true };
    const found: Result[] = [];
    for (const turn of [options, options, { saveDir: dir, refresh: join(state, '1.jsonl') }]) {
      for await (const result of fanout([`${site.url}/a.txt`], turn)) found.push(result);
    }
    expect(found.map(({ status, file }) => [status, file])).toEqual([
      [200, undefined],
      [304, 'unchanged'],
      [304, 'unchanged'],
    ]);
  });

  it('reads compressed results, and those of a run that was killed', async () => {
    const site = await aSite({ '/a.txt': { body: 'first', etag: '"one"' } });
    const { dir, run } = await aMirror(site, 'results');
    const { records } = await run();
    const lines = `${JSON.stringify(records[0])}\n{"v":1,"ind`;
    const packed = gzipSync(lines);
    for (const [name, bytes] of [
      ['cut.jsonl', Buffer.from(lines)],
      ['whole.jsonl.gz', packed],
    ] as const) {
      const file = await aFile(bytes, name);
      expect(await refreshed(`${site.url}/a.txt`, dir, file)).toMatchObject({ status: 304 });
    }
  });

  it('does not follow the path of a record out of the directory', async () => {
    const site = await aSite({ '/a.txt': { body: 'first', etag: '"one"' } });
    const { dir, run } = await aMirror(site, 'results');
    const { records } = await run();
    await writeFile(join(dir, '../outside.txt'), 'first');
    onTestFinished(() => rm(join(dir, '../outside.txt')));
    const record = { ...records[0], body: { ...records[0]?.body, path: '../outside.txt' } };
    const file = await aFile([JSON.stringify(record)], 'r.jsonl');
    expect(await refreshed(`${site.url}/a.txt`, dir, file)).toMatchObject({ status: 200 });
  });

  it('keeps what is known of files that were not fetched', async () => {
    const site = await aSite({ '/a.txt': { body: 'a', etag: '"a"' }, '/b.txt': { body: 'b', etag: '"b"' } });
    const { run } = await aMirror(site, 'results');
    await run();
    site.pages['/a.txt'] = { status: 500 };
    const { records } = await run(['--fail-fast', '-c', '1']);
    expect(records[1]).toMatchObject({ failure: { kind: 'aborted' }, file: 'kept', body: { etag: '"b"' } });
    site.pages['/a.txt'] = { body: 'a', etag: '"a"' };
    expect((await run()).records.map(({ status }) => status)).toEqual([304, 304]);
  });

  it.each([
    [
      ['--refresh', '--save-dir', 'd'],
      '--refresh needs --journal FILE, or an earlier result file as in --refresh=results.jsonl',
    ],
    [['--refresh=x.jsonl'], '--refresh needs --save-dir'],
    [
      ['--refresh=no.jsonl', '--save-dir', 'd', '--skip-existing'],
      'cannot use --refresh with --skip-existing',
    ],
  ])('%j is wrong usage', async (flags, message) => {
    const { code, stderr } = await runInProcess(['fetch', 'http://127.0.0.1:1/', ...flags]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it.each([
    ['no.jsonl', undefined, /cannot read ".*no.jsonl" for --refresh: no such file/],
    [
      'notes.jsonl',
      ['my notes'],
      /notes.jsonl" for --refresh has no results: in its first line, it is not JSON/,
    ],
    ['empty.jsonl', [], /empty.jsonl" for --refresh has no results; name the JSONL file of an earlier run/],
  ])('refuses %s', async (name, lines, message) => {
    const file = lines === undefined ? join(await tempDir(), name) : await aFile(lines, name);
    const dir = await tempDir();
    const { code, stderr } = await runInProcess([
      'fetch',
      'http://127.0.0.1:1/',
      '--save-dir',
      dir,
      `--refresh=${file}`,
    ]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it('is not an output of the same run', async () => {
    const file = await aFile(['{}'], 'r.jsonl');
    const flags = ['--save-dir', await tempDir(), `--refresh=${file}`, '-o', file];
    const { code, stderr } = await runInProcess(['fetch', 'http://127.0.0.1:1/', ...flags]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('it is read for --refresh')]);
  });
});
