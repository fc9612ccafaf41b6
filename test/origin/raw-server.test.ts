import { expect, onTestFinished, test } from 'vitest';
import { type RawBehaviour, type RawRequest, startRawServer } from './raw-server.ts';
import { talk } from './talk.ts';

async function start(behaviour: RawBehaviour, host?: string) {
  const server = await startRawServer(behaviour, host === undefined ? {} : { host });
  onTestFinished(() => server.close());
  return server;
}

test('onRequest() is called once for each request, however its bytes are cut', async () => {
  const seen: Pick<RawRequest, 'target' | 'turn' | 'connection'>[] = [];
  const server = await start({
    onRequest: ({ socket, target, turn, connection }) => {
      seen.push({ target, turn, connection });
      if (turn === 2) socket.end();
    },
  });
  await talk(server, { send: 'GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\n\r\n' });
  await talk(server, { send: 'GET /c HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\n\r\nGET /e' });
  expect(seen).toEqual([
    { target: '/a', turn: 1, connection: 1 },
    { target: '/b', turn: 2, connection: 1 },
    { target: '/c', turn: 1, connection: 2 },
    { target: '/d', turn: 2, connection: 2 },
  ]);
  expect(server.heads[0]).toBe('GET /a HTTP/1.1\r\nHost: a');
});

test('a request body is not taken for the next request', async () => {
  const bodies: string[] = [];
  const server = await start({
    onRequest: ({ socket, body, turn }) => {
      bodies.push(body.toString());
      if (turn === 2) socket.end();
    },
  });
  const post = 'POST / HTTP/1.1\r\ncontent-length: 8\r\n\r\n\r\n\r\nbody';
  await talk(server, { send: post + post });
  expect(bodies).toEqual(['\r\n\r\nbody', '\r\n\r\nbody']);
});

test('onData() gets all bytes of a connection, HTTP or not', async () => {
  const server = await start({
    onData: (socket, received) => {
      if (received.length === 4) socket.end(received);
    },
  });
  expect(await talk(server, { send: Buffer.from([0x16, 3, 1, 0xff]) })).toEqual({
    text: '\x16\x03\x01\xff',
    end: 'fin',
  });
});

test.each(['127.0.0.2', '::1'])('a server listens on %s when asked', async (host) => {
  const server = await start({ onConnect: (socket) => void socket.end('hello') }, host);
  expect(new URL(server.url).hostname).toBe(host.includes(':') ? `[${host}]` : host);
  expect((await talk(server)).text).toBe('hello');
});

test('a port that is taken is refused with EADDRINUSE', async () => {
  const server = await start({});
  await expect(startRawServer({}, { port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('close() can be called twice', async () => {
  const server = await startRawServer({});
  await Promise.all([server.close(), server.close()]);
  await server.close();
});
