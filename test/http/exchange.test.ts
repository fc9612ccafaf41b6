import { createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { type Carrier, Exchange } from '../../src/http/exchange.ts';
import { listen } from '../origin/listen.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { Tally } from '../origin/tally.ts';
import { running, startClient } from './client.ts';
import { startHttp2 } from './http2-origin.ts';

/** More than the buffers of the system hold. */
const BODY = Buffer.alloc(16 * 1024 * 1024, 'x');

/** Responds to the first bytes of a request, and then does something else. Counts the requests that it reads whole. */
async function startEarlyServer(status: number, next: (socket: Socket) => void = () => {}) {
  const whole = new Tally();
  let bytes = 0;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (piece) => {
      if (bytes === 0) {
        socket.write(`HTTP/1.1 ${status} Early\r\nContent-Length: 2\r\n\r\nok`);
        next(socket);
      }
      if (bytes < BODY.length && bytes + piece.length >= BODY.length) whole.add();
      bytes += piece.length;
    });
  });
  const { authority } = await running(listen(server));
  return { url: `http://${authority}`, whole };
}

const USES = ['any', 'lenient'] as const;

test.each(USES)(
  'a request whose response comes early is sent whole, on a connection for %s use',
  async (use) => {
    const server = await startEarlyServer(200);
    const { send, agent } = await startClient();
    const outcome = await send(server.url, { method: 'PUT', body: BODY }, { use });
    expect(outcome).toMatchObject({ failed: undefined, response: { status: 200, bytes: 2 } });
    await server.whole.reached(1);
    expect(agent.inFlight).toBe(0);
  },
);

test.each(USES)('the response to a request that is never read is no success: %s', async (use) => {
  const server = await startEarlyServer(200, (socket) => void socket.pause());
  const { send, agent } = await startClient();
  const { failed } = await send(server.url, { method: 'PUT', body: BODY }, { use, timeoutMs: 1_000 });
  expect([failed?.failure.kind, agent.inFlight]).toEqual(['timeout', 0]);
});

test.each(USES)('the response to a request that is cut off by the server is no success: %s', async (use) => {
  const server = await startEarlyServer(200, (socket) => {
    socket.pause();
    setImmediate(() => socket.resetAndDestroy());
  });
  const { send } = await startClient();
  const { failed } = await send(server.url, { method: 'PUT', body: BODY }, { use });
  expect(failed).toMatchObject({ isRetryable: true, failure: { kind: 'reset' } });
});

test.each(USES)('a response that is no success counts at once, and ends the request: %s', async (use) => {
  const server = await startEarlyServer(413, (socket) => void socket.pause());
  const { send, agent } = await startClient();
  const outcome = await send(server.url, { method: 'PUT', body: BODY }, { use });
  expect(outcome).toMatchObject({ failed: undefined, response: { status: 413 } });
  expect([server.whole.count, agent.inFlight]).toEqual([0, 0]);
});

test.each([
  ['another protocol', 'RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', 'does not start with a status line'],
  ['another protocol after an empty line', '\r\nICE/1.0 200 OK\r\n\r\n', 'does not start with a status line'],
  ['NUL in the reason', 'HTTP/1.1 200 a\0b\r\nContent-Length: 2\r\n\r\nok', 'there is a NUL in the headers'],
])('%s is a protocol failure for both parsers, on a kept connection, too', async (_, bytes, message) => {
  const server = await running(
    startRawServer({
      onRequest: ({ socket, target }) =>
        void socket.write(target === '/good' ? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' : bytes),
    }),
  );
  const { send } = await startClient();
  for (const path of ['/bad', '/good', '/bad', '/good']) {
    const { response, failed } = await send(`${server.url}${path}`);
    if (path === '/good') expect([response?.status, failed]).toEqual([200, undefined]);
    else {
      expect(failed).toMatchObject({ isRetryable: false, isUnparsable: true, failure: { kind: 'protocol' } });
      expect(failed?.failure.message).toContain(message);
    }
  }
  const { failed } = await send(`${server.url}/bad`, {}, { use: 'lenient' });
  expect(failed?.failure.kind).toBe('protocol');
});

test('a response is lenient if the lenient parser has read it, which HTTP/2 does not need', async () => {
  const server = await running(
    startRawServer({
      onRequest: ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    }),
  );
  const { send } = await startClient();
  expect((await send(server.url)).response?.isLenient).toBe(false);
  expect((await send(server.url, { method: 'POST' }, { use: 'lenient' })).response?.isLenient).toBe(true);
  const http2 = await startHttp2();
  const client = await startClient({ tls: { http2: true } });
  const { response } = await client.send(http2.url, { method: 'POST' }, { use: 'lenient' });
  expect(response).toMatchObject({ status: 200, isLenient: false });
});

test.each([
  [null, 'released'],
  ['text', 'discarded'],
])(
  'after a response whose request with the body %j is not known to be sent, the connection is %s',
  (body, fate) => {
    const fates: string[] = [];
    const carrier: Carrier = {
      client: {
        dispatch: () => {},
        pause: () => {},
        resume: () => {},
        destroy: () => Promise.resolve(),
      },
      isLenient: false,
      tellsEnd: true,
      isReused: false,
      socket: undefined,
      error: undefined,
      isInBody: false,
      isSending: true, // TLS may report the end of a write after the response has come
      onceSent: () => {},
      hasEnded: () => false,
      release: () => fates.push('released'),
      discard: () => fates.push('discarded'),
    };
    const handler = { onHead: () => {}, onData: () => {}, onEnd: () => {}, onError: () => {} };
    const exchange = new Exchange({ origin: 'https://a.test', path: '/', method: 'GET', body }, handler);
    exchange.start(carrier);
    exchange.onResponseStart(undefined, 404, { 'content-length': '0' });
    exchange.onResponseEnd();
    expect(fates).toEqual([fate]);
  },
);
