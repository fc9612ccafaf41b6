import { Agent, request as startRequest } from 'node:http';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { filler } from './filler.ts';
import { get } from './get.ts';
import { type Origin, startOrigin } from './origin.ts';
import { BOMB_BYTES } from './routes-encoded.ts';

let origin: Origin;
beforeEach(async () => {
  origin = await startOrigin();
});
afterEach(() => origin.close());

const at = (path: string) => `${origin.url}${path}`;

describe('statuses and headers', () => {
  test.each([200, 204, 205, 304, 404, 503, 999])('/status/%i answers with it', async (status) => {
    expect((await get(at(`/status/${status}`))).status).toBe(status);
  });

  test('/status/503?reason= sets the reason phrase', async () => {
    expect((await get(at('/status/503?reason=Back%20soon'))).reason).toBe('Back soon');
  });

  test.each([
    '/status/99',
    '/status/1000',
    '/status/x',
    '/status',
    '/bytes/-1',
    '/status/503?reason=%1b',
    '/gate/%',
  ])('a mistyped %s is a 400 and not a crash', async (path) => {
    expect((await get(at(path))).status).toBe(400);
    expect((await get(at('/ok'))).text).toBe('ok\n');
  });

  test('an unknown path is a 404', async () => {
    expect((await get(at('/nowhere'))).status).toBe(404);
  });

  test('/headers sends each header, twice when it is named twice', async () => {
    const { headers } = await get(at('/headers?x-one=1&set-cookie=a%3D1&set-cookie=b%3D2'));
    expect(headers).toMatchObject({ 'x-one': '1', 'set-cookie': ['a=1', 'b=2'] });
  });

  test('/etag knows its tag again', async () => {
    const first = await get(at('/etag'));
    const second = await get(at('/etag'), { headers: { 'if-none-match': first.headers.etag } });
    expect([first.status, second.status, second.text]).toEqual([200, 304, '']);
  });

  test.each([405, 501])('/head-%i refuses HEAD and answers GET', async (status) => {
    expect((await get(at(`/head-${status}`), { method: 'HEAD' })).status).toBe(status);
    expect((await get(at(`/head-${status}`))).status).toBe(200);
  });

  test('/echo gives back what was sent', async () => {
    const options = { method: 'POST', headers: { 'x-test': 'yes' }, body: 'données' };
    const echo: unknown = JSON.parse((await get(at('/echo?q=1'), options)).text);
    expect(echo).toMatchObject({
      method: 'POST',
      url: '/echo?q=1',
      body: 'données',
      headers: { 'x-test': 'yes' },
    });
  });

  test('/flaky/KEY/N fails N times for each key, with the status and Retry-After given', async () => {
    const path = (key: string) => at(`/flaky/${key}/2?status=429&retry-after=7`);
    const first = await get(path('a'));
    expect(first.headers['retry-after']).toBe('7');
    const rest = [await get(path('a')), await get(path('a')), await get(path('b'))];
    expect([first, ...rest].map(({ status }) => status)).toEqual([429, 429, 200, 429]);
    expect(rest[1]?.headers['retry-after']).toBeUndefined();
  });
});

describe('bodies', () => {
  test('/text sends this body with this type and status', async () => {
    const got = await get(at('/text?body=h%C3%A9llo&type=text/html&status=403'));
    expect([got.status, got.text, got.headers['content-type']]).toEqual([403, 'héllo', 'text/html']);
  });

  test.each([0, 1, 65_519, 65_520, 65_521, 200_000])('/bytes/%i has that length', async (bytes) => {
    const got = await get(at(`/bytes/${bytes}`));
    expect(got.headers['content-length']).toBe(String(bytes));
    expect(got.body.equals(filler(bytes))).toBe(true);
  });

  test('/chunked/N has no length in advance', async () => {
    const got = await get(at('/chunked/200000'));
    expect(got.headers).toMatchObject({ 'transfer-encoding': 'chunked' });
    expect(got.body.equals(filler(200_000))).toBe(true);
  });

  test('HEAD of /bytes/N has the length and no body', async () => {
    const got = await get(at('/bytes/70000'), { method: 'HEAD' });
    expect([got.headers['content-length'], got.body.length]).toEqual(['70000', 0]);
  });

  test.each([
    ['gzip', 'gzip', gunzipSync],
    ['brotli', 'br', brotliDecompressSync],
    ['deflate', 'deflate', inflateSync],
  ] as const)('/%s/N decodes to N bytes', async (path, coding, decode) => {
    const got = await get(at(`/${path}/5000`));
    expect(got.headers['content-encoding']).toBe(coding);
    expect(decode(got.body).equals(filler(5000))).toBe(true);
  });

  test('/gzip-bomb is small and decodes to a hundred million bytes', async () => {
    const { body } = await get(at('/gzip-bomb'));
    expect(body.length).toBeLessThan(200_000);
    expect(gunzipSync(body).length).toBe(BOMB_BYTES);
  });

  test('/gzip-truncated and /gzip-garbage cannot be decoded', async () => {
    const truncated = await get(at('/gzip-truncated/5000'));
    const garbage = await get(at('/gzip-garbage/5000'));
    expect(() => gunzipSync(truncated.body)).toThrow('unexpected end of file');
    expect(() => gunzipSync(garbage.body)).toThrow('incorrect header check');
    expect(truncated.headers['content-encoding']).toBe('gzip');
    expect(garbage.headers['content-encoding']).toBe('gzip');
  });

  test('/range breaks off once and then goes on from any byte', async () => {
    const url = at('/range/1000?cut=400');
    await expect(get(url)).rejects.toMatchObject({ code: 'ECONNRESET' });
    const rest = await get(url, { headers: { range: 'bytes=400-', 'if-range': '"1000"' } });
    expect([rest.status, rest.headers['content-range']]).toEqual([206, 'bytes 400-999/1000']);
    expect(rest.body.equals(filler(1000).subarray(400))).toBe(true);
  });

  test('/range sends the whole body when If-Range names another version', async () => {
    const got = await get(at('/range/1000'), { headers: { range: 'bytes=400-', 'if-range': '"old"' } });
    expect([got.status, got.body.length]).toEqual([200, 1000]);
  });

  test('/range answers 416 behind the end', async () => {
    const got = await get(at('/range/1000'), { headers: { range: 'bytes=1000-' } });
    expect([got.status, got.headers['content-range']]).toEqual([416, 'bytes */1000']);
  });
});

describe('redirects', () => {
  async function follow(path: string): Promise<string[]> {
    const hops: string[] = [path];
    for (let next: string | undefined = path; next !== undefined && hops.length < 9; ) {
      next = (await get(at(next))).headers.location;
      if (next !== undefined) hops.push(next);
    }
    return hops;
  }

  test('/redirect/N makes N hops and ends at /ok', async () => {
    expect(await follow('/redirect/3')).toEqual(['/redirect/3', '/redirect/2', '/redirect/1', '/ok']);
  });

  test('/redirect/N?status= keeps the status on every hop', async () => {
    expect(await follow('/redirect/2?status=308')).toEqual([
      '/redirect/2?status=308',
      '/redirect/1?status=308',
      '/ok',
    ]);
    expect((await get(at('/redirect/1?status=308'))).status).toBe(308);
  });

  test('/redirect-to points anywhere, or nowhere', async () => {
    const somewhere = await get(at('/redirect-to?url=http://x.test/a?b=c&status=307'));
    expect([somewhere.status, somewhere.headers.location]).toEqual([307, 'http://x.test/a?b=c']);
    expect((await get(at('/redirect-to'))).headers.location).toBeUndefined();
  });

  test('/loop points to itself', async () => {
    expect((await get(at('/loop'))).headers.location).toBe('/loop');
  });
});

describe('gates', () => {
  test('/gate/NAME answers when the test opens it, and at once from then on', async () => {
    const answer = get(at('/gate/a?status=201'));
    await origin.waiting('a');
    expect(origin.inFlight).toBe(1);
    origin.open('a');
    expect((await answer).status).toBe(201);
    expect((await get(at('/gate/a'))).status).toBe(200);
  });

  test('letOne() lets through the request that came first, and says when there is none', async () => {
    const first = get(at('/gate/a'));
    await origin.waiting('a');
    const second = get(at('/gate/a'));
    await origin.waiting('a', 2);
    expect(origin.letOne('a')).toBe(true);
    await first;
    expect(origin.letOne('a')).toBe(true);
    await second;
    expect(origin.letOne('a')).toBe(false);
  });

  test('abandoned() tells that a client has gone away', async () => {
    const request = startRequest(at('/hang'), { agent: new Agent() }).on('error', () => {});
    request.end();
    await origin.waiting('hang');
    request.destroy();
    await origin.abandoned('hang');
    expect(origin.letOne('hang')).toBe(false);
  });

  test('/half/NAME sends half of the body before its gate opens', async () => {
    const request = startRequest(at('/half/h'), { agent: new Agent() });
    request.end();
    let bytes = 0;
    const whole = new Promise((resolve) => {
      request.once('response', (response) => {
        response.on('data', (part: Buffer) => {
          bytes += part.length;
          if (bytes === 500) origin.open('h');
        });
        response.once('end', () => resolve(bytes));
      });
    });
    expect(await whole).toBe(1000);
  });

  test('/slow/MS answers in the end', async () => {
    expect((await get(at('/slow/10'))).text).toBe('ok\n');
  });
});

describe('counting', () => {
  test('requests, hits and the log count what came', async () => {
    await get(at('/ok?a=1'));
    await get(at('/ok?a=2'), { headers: { 'x-mark': 'two' } });
    await get(at('/nowhere'));
    expect(origin.requests).toBe(3);
    expect([origin.hits('/ok'), origin.hits('/ok?a=1'), origin.hits('/never')]).toEqual([2, 1, 0]);
    expect(origin.log.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /ok?a=1',
      'GET /ok?a=2',
      'GET /nowhere',
    ]);
    expect(origin.log[1]?.headers).toMatchObject({ 'x-mark': 'two' });
  });

  test('maxInFlight remembers the most requests at a time', async () => {
    const answers = [get(at('/gate/g')), get(at('/gate/g')), get(at('/gate/g'))];
    await origin.waiting('g', 3);
    origin.open('g');
    await Promise.all(answers);
    await origin.disconnected(3);
    expect([origin.inFlight, origin.maxInFlight]).toEqual([0, 3]);
  });

  test('connections counts sockets, not requests', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    for (let i = 0; i < 5; i++) await get(at('/ok'), { agent });
    expect([origin.connections, origin.requests]).toEqual([1, 5]);
  });

  test('the log keeps the last requests only, and the counts stay right', async () => {
    const small = await startOrigin({ logLimit: 2 });
    onTestFinished(() => small.close());
    for (const path of ['/ok?1', '/ok?2', '/ok?3']) await get(small.url + path);
    expect(small.log.map(({ path }) => path)).toEqual(['/ok?2', '/ok?3']);
    expect(small.hits('/ok')).toBe(3);
  });

  test('an origin without a log counts requests and refuses to tell hits', async () => {
    const quiet = await startOrigin({ logLimit: 0 });
    onTestFinished(() => quiet.close());
    await get(`${quiet.url}/ok`);
    expect([quiet.requests, quiet.log]).toEqual([1, []]);
    expect(() => quiet.hits('/ok')).toThrow('logLimit 0');
  });
});

test('close() ends requests that hang', async () => {
  const answer = get(at('/hang'));
  await origin.waiting('hang');
  await Promise.all([origin.close(), expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' })]);
});

test('an origin listens on ::1 when asked', async () => {
  const six = await startOrigin({ host: '::1' });
  onTestFinished(() => six.close());
  expect(six.url).toBe(`http://[::1]:${six.port}`);
  expect((await get(`${six.url}/ok`)).text).toBe('ok\n');
});
