import { createHash } from 'node:crypto';
import { link, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type FanoutOptions, fanout, type JobItem, type Result } from '../../src/index.ts';
import { filesIn } from '../bodies/a-saver.ts';
import { running } from '../http/client.ts';
import { filler } from '../origin/filler.ts';
import { startOrigin } from '../origin/origin.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { tempDir } from '../origin/temp-dir.ts';

const WHOLE = 'hello world';

async function fetchOne(url: JobItem, options: FanoutOptions): Promise<Result> {
  const results: Result[] = [];
  for await (const result of fanout([url], { resumePartial: true, retries: 0, ...options }))
    results.push(result);
  const [result] = results;
  if (result === undefined || results.length > 1) throw new Error(`there are ${results.length} results`);
  return result;
}

function response(status: string, headers: readonly string[], body: string | Buffer = ''): Buffer {
  const head = [`HTTP/1.1 ${status}`, 'Connection: close', ...headers, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head), Buffer.from(body)]);
}

const BROKEN = (...headers: string[]) => response('200 OK', ['Content-Length: 11', ...headers], 'hello');
const ALL = (body = WHOLE) => response('200 OK', [`Content-Length: ${body.length}`, 'ETag: "v2"'], body);
const REST = (range: string, body: string, etag = '"v1"') =>
  response(
    '206 Partial Content',
    [`Content-Length: ${body.length}`, `ETag: ${etag}`, `Content-Range: ${range}`],
    body,
  );

/** A server that sends these responses, one per request, and closes the connection after each; and a directory for bodies. */
async function scene(...responses: Buffer[]) {
  const server = await running(
    startRawServer({
      onRequest: ({ socket }) => void socket.end(responses.shift() ?? response('500 Unscripted', [])),
    }),
  );
  const dir = await tempDir();
  const files = () => filesIn(dir);
  const ranges = () => server.heads.map((head) => /^range: (.*)$/im.exec(head)?.[1]);
  return {
    server,
    url: `${server.url}/a.txt`,
    dir,
    files,
    ranges,
    fetchIt: () => fetchOne(`${server.url}/a.txt`, { saveDir: dir }),
  };
}

async function saved(dir: string, result: Result): Promise<string> {
  const bytes = await readFile(join(dir, result.body?.path ?? 'nothing was saved'));
  expect(result.body).toMatchObject({
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  });
  return bytes.toString();
}

describe('a body that was cut off', () => {
  it('is resumed by the next attempt', async () => {
    const origin = await running(startOrigin());
    const dir = await tempDir();
    const result = await fetchOne(`${origin.url}/range/100000?cut=30000`, { saveDir: dir, retries: 1 });
    expect(result).toMatchObject({ ok: true, status: 200, attempts: 2 });
    expect(await saved(dir, result)).toBe(filler(100_000).toString());
    expect(await filesIn(dir)).toEqual([result.body?.path]);
    const second = origin.log[1]?.headers;
    const [, first] = /^bytes=(\d+)-$/.exec(second?.range ?? '') ?? [];
    expect(Number(first)).toBeGreaterThan(0);
    expect(second).toMatchObject({ 'if-range': '"100000"', 'accept-encoding': 'identity' });
  });

  it('is resumed by the next run, under its own name', async () => {
    const { url, dir, files, ranges, fetchIt } = await scene(
      BROKEN('ETag: "v1"'),
      REST('bytes 5-10/11', ' world'),
    );
    expect(await fetchIt()).toMatchObject({ ok: false, failure: { kind: 'reset' } });
    const name = `${new URL(url).host.replace(':', '_')}/a.txt`;
    expect(await files()).toEqual([`${name}.part`, `${name}.part.json`]);
    const result = await fetchIt();
    expect(result).toMatchObject({ ok: true, status: 200, body: { path: name } });
    expect(await saved(dir, result)).toBe(WHOLE);
    expect(await files()).toEqual([name]);
    expect(ranges()).toEqual([undefined, 'bytes=5-']);
  });

  it('gets its extension from the type of the first response, which the rest need not repeat', async () => {
    const { server, dir, files } = await scene(
      BROKEN('ETag: "v1"', 'Content-Type: text/html'),
      REST('bytes 5-10/11', ' world'),
    );
    const host = new URL(server.url).host.replace(':', '_');
    const fetchPage = () => fetchOne(`${server.url}/docs?page=2`, { saveDir: dir });
    await fetchPage();
    expect(await files()).toEqual([`${host}/docs@page=2.body.part`, `${host}/docs@page=2.body.part.json`]);
    const result = await fetchPage();
    expect(await saved(dir, result)).toBe(WHOLE);
    expect(await files()).toEqual([`${host}/docs@page=2~.html`]);
  });

  it('with a directory by its type is resumed from a directory without one', async () => {
    const { url, dir, files } = await scene(
      BROKEN('ETag: "v1"', 'Content-Type: text/html'),
      REST('bytes 5-10/11', ' world'),
    );
    const options = { saveDir: dir, saveAs: '{ext}/{index}' };
    const page = url.replace('/a.txt', '/docs');
    await fetchOne(page, options);
    expect(await files()).toEqual(['_/0.part', '_/0.part.json']);
    expect(await saved(dir, await fetchOne(page, options))).toBe(WHOLE);
    expect(await files()).toEqual(['html/0']);
  });

  it('is OK once it is complete, also if only 200 is accepted', async () => {
    const { url, dir } = await scene(BROKEN('ETag: "v1"'), REST('bytes 5-10/11', ' world'));
    const options = { saveDir: dir, accept: 200 };
    await fetchOne(url, options);
    expect(await fetchOne(url, options)).toMatchObject({ ok: true, status: 200 });
  });

  it('is resumed more than once', async () => {
    const part = response(
      '206 Partial Content',
      ['Content-Length: 6', 'ETag: "v1"', 'Content-Range: bytes 5-10/11'],
      ' wo',
    );
    const { dir, ranges, fetchIt } = await scene(BROKEN('ETag: "v1"'), part, REST('bytes 8-10/11', 'rld'));
    await fetchIt();
    await fetchIt();
    expect(await saved(dir, await fetchIt())).toBe(WHOLE);
    expect(ranges()).toEqual([undefined, 'bytes=5-', 'bytes=8-']);
  });

  it('behind a redirect is resumed from the URL that sent it', async () => {
    const moved = response('302 Found', ['Location: /b', 'Content-Length: 0']);
    const { dir, ranges, fetchIt } = await scene(
      moved,
      BROKEN('ETag: "v1"'),
      moved,
      REST('bytes 5-10/11', ' world'),
    );
    await fetchIt();
    expect(await saved(dir, await fetchIt())).toBe(WHOLE);
    expect(ranges()).toEqual([undefined, undefined, undefined, 'bytes=5-']);
  });
});

describe('a body that cannot be resumed', () => {
  it.each([
    ['the server has another version', [ALL('new version')], 'new version'],
    ['the server gives it all', [ALL()], WHOLE],
    ['the server has another part of it', [REST('bytes 4-10/11', 'o world'), ALL()], WHOLE],
    ['the server does not give the end of it', [REST('bytes 5-9/11', ' worl'), ALL()], WHOLE],
    ['the server does not say how long it is', [REST('bytes 5-10/*', ' world'), ALL()], WHOLE],
    ['the server has a part of another version', [REST('bytes 5-10/11', ' WORLD', '"v2"'), ALL()], WHOLE],
    ['the server has a part of a longer version', [REST('bytes 5-11/12', ' worlds'), ALL()], WHOLE],
    ['the server has a part of a shorter version', [REST('bytes 5-9/10', ' worl'), ALL()], WHOLE],
    ['the server sends less than it says', [REST('bytes 5-10/11', ' wor'), ALL()], WHOLE],
    ['the server sends more than it says', [REST('bytes 5-10/11', ' world!'), ALL()], WHOLE],
    [
      'the server sends the part as if it were the whole',
      [response('200 OK', ['Content-Length: 6', 'ETag: "v1"'], ' world'), ALL()],
      WHOLE,
    ],
    [
      'the server does not say of which version the part is',
      [
        response('206 Partial Content', ['Content-Length: 6', 'Content-Range: bytes 5-10/11'], ' world'),
        ALL(),
      ],
      WHOLE,
    ],
    [
      'the server says nothing of the part',
      [response('206 Partial Content', ['Content-Length: 6'], ' world'), ALL()],
      WHOLE,
    ],
    [
      'the server refuses the part',
      [response('416 Range Not Satisfiable', ['Content-Length: 0']), ALL()],
      WHOLE,
    ],
    [
      'the server encodes the part',
      [
        response(
          '206 Partial Content',
          ['Content-Length: 6', 'Content-Range: bytes 5-10/11', 'Content-Encoding: gzip'],
          ' world',
        ),
        ALL(),
      ],
      WHOLE,
    ],
  ])('is fetched from its beginning: %s', async (_why, responses, body) => {
    const { dir, files, ranges, fetchIt } = await scene(BROKEN('ETag: "v1"'), ...responses);
    await fetchIt();
    const result = await fetchIt();
    expect(result).toMatchObject({ ok: true, status: 200, attempts: 1 });
    expect(await saved(dir, result)).toBe(body);
    expect(await files()).toEqual([result.body?.path]);
    expect(ranges().slice(0, 3)).toEqual([
      undefined,
      'bytes=5-',
      ...(responses.length > 1 ? [undefined] : []),
    ]);
  });

  it.each([
    ['a weak validator', ['ETag: W/"v1"']],
    ['no validator', []],
    [
      'a date that is too near',
      ['Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT', 'Date: Thu, 01 Jan 2026 00:00:01 GMT'],
    ],
  ])('leaves nothing behind: it has %s', async (_why, headers) => {
    const { files, ranges, fetchIt } = await scene(BROKEN(...headers), ALL());
    await fetchIt();
    expect(await files()).toEqual([]);
    expect(await fetchIt()).toMatchObject({ ok: true });
    expect(ranges()).toEqual([undefined, undefined]);
  });

  it('leaves nothing behind when it came encoded', async () => {
    const packed = gzipSync('hello world '.repeat(1000));
    const { files, fetchIt } = await scene(
      response('200 OK', ['ETag: "v1"', 'Content-Encoding: gzip', 'Content-Length: 10000'], packed),
    );
    expect(await fetchIt()).toMatchObject({ ok: false });
    expect(await files()).toEqual([]);
  });

  it('leaves nothing behind without resumePartial', async () => {
    const { url, dir, files } = await scene(BROKEN('ETag: "v1"'));
    await fetchOne(url, { saveDir: dir, resumePartial: false });
    expect(await files()).toEqual([]);
  });

  it.each([400, 401, 403, 404, 405, 412, 416, 500, 501, 505])(
    'is fetched from its beginning when the server responds %d to a request for its rest',
    async (status) => {
      const { dir, files, ranges, fetchIt } = await scene(
        BROKEN('ETag: "v1"'),
        response(`${status} No`, ['Content-Length: 2'], 'no'),
        ALL(),
      );
      await fetchIt();
      const result = await fetchIt();
      expect(result).toMatchObject({ ok: true, status: 200, attempts: 1 });
      expect(await saved(dir, result)).toBe(WHOLE);
      expect(await files()).toEqual([result.body?.path]);
      expect(ranges()).toEqual([undefined, 'bytes=5-', undefined]);
    },
  );

  it.each([
    ['ends without a response', ''],
    [
      'sends nothing of it',
      'HTTP/1.1 206 P\r\nETag: "v1"\r\nContent-Range: bytes 5-10/11\r\nContent-Length: 6\r\n\r\n',
    ],
  ])(
    'is fetched from its beginning after two requests for its rest to which the response %s',
    async (_, bad) => {
      const server = await running(
        startRawServer({
          onRequest: ({ socket, head }) => {
            if (!/^range:/im.test(head)) socket.end(server.heads.length === 1 ? BROKEN('ETag: "v1"') : ALL());
            else if (bad === '') socket.resetAndDestroy();
            else socket.end(bad);
          },
        }),
      );
      const options = { saveDir: await tempDir(), strict: true };
      await fetchOne(`${server.url}/a`, options);
      const result = await fetchOne(`${server.url}/a`, { ...options, retries: 2 });
      expect(result).toMatchObject({ ok: true, attempts: 3 });
      expect(await saved(options.saveDir, result)).toBe(WHOLE);
    },
  );

  it.each([{ strict: true }, { strict: false }])(
    'is fetched from its beginning when the response to a request for its rest is not HTTP: %j',
    async (options) => {
      const bad = Buffer.from('what?\r\n\r\n');
      const { dir, url } = await scene(BROKEN('ETag: "v1"'), bad, ...(options.strict ? [] : [bad]), ALL());
      await fetchOne(url, { saveDir: dir, ...options });
      const result = await fetchOne(url, { saveDir: dir, ...options });
      expect(result).toMatchObject({ ok: true, attempts: 1 });
      expect(await saved(dir, result)).toBe(WHOLE);
    },
  );

  it('is requested once more, and stays, when the server refuses the rest and the whole', async () => {
    const refused = response('403 Forbidden', ['Content-Length: 4'], 'gone');
    const { url, dir, files, ranges, fetchIt } = await scene(
      BROKEN('ETag: "v1"'),
      refused,
      refused,
      REST('bytes 5-10/11', ' world'),
    );
    await fetchIt();
    const parts = await files();
    const failed = await fetchOne(url, { saveDir: dir, saveAll: true });
    expect(failed).toMatchObject({ ok: false, status: 403, attempts: 1 });
    expect(await saved(dir, failed)).toBe('gone');
    expect(await files()).toEqual([failed.body?.path, ...parts]);
    expect(await saved(dir, await fetchIt())).toBe(WHOLE);
    expect(ranges()).toEqual([undefined, 'bytes=5-', undefined, 'bytes=5-']);
  });

  it('is not requested again when all of it is there', async () => {
    const { url, dir, fetchIt, files, ranges } = await scene(
      response('200 OK', ['Content-Length: 11', 'ETag: "v1"'], 'hello worl'),
      ALL(),
    );
    await fetchIt();
    const [part = ''] = await files();
    await writeFile(join(dir, part), WHOLE);
    expect(await saved(dir, await fetchOne(url, { saveDir: dir }))).toBe(WHOLE);
    expect(ranges()).toEqual([undefined, undefined]);
  });

  it('stays when the server has a temporary failure', async () => {
    const { dir, ranges, fetchIt } = await scene(
      BROKEN('ETag: "v1"'),
      response('503 Unavailable', ['Content-Length: 0']),
      REST('bytes 5-10/11', ' world'),
    );
    await fetchIt();
    expect(await fetchIt()).toMatchObject({ ok: false, status: 503 });
    expect(await saved(dir, await fetchIt())).toBe(WHOLE);
    expect(ranges()).toEqual([undefined, 'bytes=5-', 'bytes=5-']);
  });

  it('is fetched from its beginning when its text is searched', async () => {
    const { url, dir, ranges } = await scene(BROKEN('ETag: "v1"'), ALL());
    const options = { saveDir: dir, contains: 'hello' };
    await fetchOne(url, options);
    expect(await fetchOne(url, options)).toMatchObject({ ok: true });
    expect(ranges()).toEqual([undefined, undefined]);
  });

  it('is not used by a job that has a range header or sends a body', async () => {
    const { url, dir, ranges } = await scene(BROKEN('ETag: "v1"'), REST('bytes 0-1/11', 'he'), ALL());
    await fetchOne({ url, save: 'x' }, { saveDir: dir });
    await fetchOne({ url, save: 'x', headers: { range: 'bytes=0-1' } }, { saveDir: dir });
    await fetchOne({ url, save: 'x', body: 'x' }, { saveDir: dir });
    expect(ranges()).toEqual([undefined, 'bytes=0-1', undefined]);
  });
});

describe('a partial file is not trusted', () => {
  it.each([
    ['its record is torn', async (part: string) => writeFile(`${part}.json`, '{"v":1,"url"')],
    [
      'its record is of another URL',
      async (part: string) => writeFile(`${part}.json`, '{"v":1,"url":"http://x/","validator":"\\"v1\\""}'),
    ],
    ['its record has gone', async (part: string) => rm(`${part}.json`)],
    ['it has gone', async (part: string) => rm(part)],
    ['it is empty', async (part: string) => writeFile(part, '')],
  ])('when %s', async (_why, spoil) => {
    const { dir, ranges, fetchIt, files } = await scene(BROKEN('ETag: "v1"'), ALL());
    await fetchIt();
    const part = (await files()).find((name) => name.includes('.part')) ?? '';
    await spoil(join(dir, part.replace(/\.json$/, '')));
    const result = await fetchIt();
    expect(await saved(dir, result)).toBe(WHOLE);
    expect(ranges()).toEqual([undefined, undefined]);
    expect(await files()).toEqual([result.body?.path]);
  });

  it.each([
    ['a symbolic link', symlink],
    ['another name of a file', link],
  ])('when it is %s', async (_what, make) => {
    const { dir, ranges, fetchIt, files } = await scene(BROKEN('ETag: "v1"'), ALL());
    await fetchIt();
    const part = join(dir, (await files())[0] ?? '');
    const outside = join(await tempDir(), 'precious');
    await writeFile(outside, 'hello');
    await rm(part);
    await make(outside, part);
    expect(await saved(dir, await fetchIt())).toBe(WHOLE);
    expect(await readFile(outside, 'utf8')).toBe('hello');
    expect(ranges()).toEqual([undefined, undefined]);
  });
});
