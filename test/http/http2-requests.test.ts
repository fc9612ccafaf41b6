import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { startClient } from './client.ts';
import { type Http2Route, startHttp2 } from './http2-origin.ts';

const http2Client = () => startClient({ tls: { http2: true } });

const echo: Http2Route = (stream) => {
  text(stream).then((body) => {
    stream.respond({ ':status': 200, 'x-bytes': `${body.length}` });
    stream.end(body);
  });
};

test.each([
  ['text', 'héllo', 6],
  ['bytes', new Uint8Array([0x61, 0x62, 0x63]), 3],
  ['a megabyte', 'x'.repeat(1_000_000), 1_000_000],
  ['nothing', undefined, 0],
  ['empty text', '', 0],
])('POST sends a body of %s with its length', async (_, body, bytes) => {
  const origin = await startHttp2({ '/': echo });
  const { send } = await http2Client();
  const { response, failed } = await send(origin.url, { method: 'POST', body }, { maxBytes: 2e6 });
  expect([failed, response?.bytes]).toEqual([undefined, bytes]);
  expect(origin.log[0]).toMatchObject({ ':method': 'POST', 'content-length': `${bytes}` });
});

test('an answer that comes before the whole body was sent is an answer', async () => {
  const early: Http2Route = (stream) => {
    stream.respond({ ':status': 413 });
    stream.end('too large');
  };
  const origin = await startHttp2({ '/': early });
  const { send } = await http2Client();
  const body = 'x'.repeat(5_000_000);
  expect((await send(origin.url, { method: 'POST', body })).response?.status).toBe(413);
});

test('HEAD has no body, whatever its headers say of one, and keeps the connection', async () => {
  const head: Http2Route = (stream) =>
    stream.respond({ ':status': 200, 'content-length': '1000' }, { endStream: true });
  const origin = await startHttp2({ '/': head });
  const { send } = await http2Client();
  for (let turn = 0; turn < 3; turn += 1) {
    expect(await send(origin.url, { method: 'HEAD' })).toMatchObject({
      failed: undefined,
      response: { status: 200, bytes: 0 },
    });
  }
  expect(origin.accepted.count).toBe(1);
});

test('headers go as they are, but for those of the connection', async () => {
  const origin = await startHttp2();
  const { send } = await http2Client();
  const headers = { 'user-agent': 'me', cookie: 'a=1; b=2', te: 'gzip', 'proxy-connection': 'close' };
  await send(`${origin.url}/a/b?c=d`, { headers });
  const { ':authority': authority, ':path': path, ':scheme': scheme, ...rest } = origin.log[0] ?? {};
  expect([authority, path, scheme]).toEqual([`127.0.0.1:${origin.port}`, '/a/b?c=d', 'https']);
  expect(rest).toMatchObject({ 'user-agent': 'me', cookie: 'a=1; b=2' });
  for (const name of [
    'te',
    'proxy-connection',
    'connection',
    'host',
    'transfer-encoding',
    'content-length',
  ]) {
    expect(rest).not.toHaveProperty(name);
  }
});

test('a host header of the user is the name that the server sees', async () => {
  const origin = await startHttp2();
  const { send } = await http2Client();
  await send(origin.url, { headers: { host: 'other.test' } });
  expect(origin.log[0]?.[':authority']).toBe('other.test');
});

test('headers of an answer are as those of HTTP/1.1', async () => {
  const answer: Http2Route = (stream) => {
    stream.respond({ ':status': 200, 'x-one': 'é', 'set-cookie': ['a=1', 'b=2'] });
    stream.end();
  };
  const origin = await startHttp2({ '/': answer });
  const { send } = await http2Client();
  const headers = (await send(origin.url)).response?.headers;
  expect(headers).toMatchObject({ 'x-one': 'é', 'set-cookie': ['a=1', 'b=2'] });
  expect(headers).not.toHaveProperty(':status');
});
