import { expect, test } from 'vitest';
import { AttemptError } from '../../src/http/network-errors.ts';
import * as hostile from '../origin/hostile.ts';
import { startOrigin } from '../origin/origin.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { okAnswer } from '../origin/script.ts';
import { Tally } from '../origin/tally.ts';
import { startHttps, startStalledHandshake } from '../origin/tls.ts';
import { running, startClient } from './client.ts';

const ENDED = new AttemptError('aborted', undefined, 'the run has ended');

test.each(['keepAliveRace', 'keepAliveReset'] as const)(
  '%s is reported as a stale connection, and the request is sent once',
  async (name) => {
    const server = await running({ ...hostile }[name]());
    const { send } = await startClient();
    expect((await send(server.url)).isStale).toBe(false);
    const outcome = await send(server.url);
    expect(outcome).toMatchObject({ isStale: true, response: undefined, failed: { isRetryable: true } });
    expect([server.accepted.count, server.requests.count]).toEqual([1, 2]);
  },
);

test('a fresh request uses a new connection, and its failure is not that of a stale one', async () => {
  const server = await running(
    startRawServer({
      onRequest: ({ socket, connection }) =>
        void (connection === 1 ? socket.write(okAnswer()) : socket.destroy()),
    }),
  );
  const { send } = await startClient();
  await send(server.url);
  expect(await send(server.url, {}, { isFresh: true })).toMatchObject({
    isStale: false,
    failed: { failure: { kind: 'reset' } },
  });
  expect([server.accepted.count, server.requests.count]).toEqual([2, 2]);
});

test.each(['GET', 'HEAD'])('%s after %s goes over one connection', async (method) => {
  const origin = await running(startOrigin());
  const { send } = await startClient();
  for (const path of ['/ok', '/bytes/5000', '/gzip/5000', '/status/204', '/chunked/100', '/ok']) {
    const { failed } = await send(origin.url + path, { method });
    expect(failed?.failure, path).toBeUndefined();
  }
  expect([origin.requests, origin.connections]).toEqual([6, 1]);
});

test('the answer to HEAD has no body, whatever its headers say of one', async () => {
  const origin = await running(startOrigin());
  const { send } = await startClient();
  for (const path of ['/gzip/100', '/gzip-garbage/100', '/bytes/100', '/chunked/100']) {
    expect((await send(origin.url + path, { method: 'HEAD' })).response).toMatchObject({
      status: 200,
      bytes: 0,
    });
  }
});

test('of two idle connections the one used last is taken', async () => {
  const seen: number[] = [];
  const held: (() => void)[] = [];
  const server = await running(
    startRawServer({
      onRequest: ({ socket, connection, target }) => {
        seen.push(connection);
        if (target === '/now') socket.write(okAnswer());
        else held.push(() => socket.write(okAnswer()));
      },
    }),
  );
  const { send } = await startClient();
  const first = send(`${server.url}/held`);
  await server.requests.reached(1);
  const second = send(`${server.url}/held`);
  await server.requests.reached(2);
  held[1]?.();
  await second;
  held[0]?.();
  await first;
  for (let i = 0; i < 3; i++) await send(`${server.url}/now`);
  expect(seen).toEqual([1, 2, 1, 1, 1]);
});

test('idle connections beyond the cap are closed, the oldest first', async () => {
  const origins = await Promise.all([1, 2, 3].map(() => running(startOrigin())));
  const { send } = await startClient({ maxIdle: 2 });
  for (const origin of origins) await send(`${origin.url}/ok`);
  await origins[0]?.disconnected(1);
  for (const origin of origins.slice(1)) await send(`${origin.url}/ok`);
  expect(origins.map((origin) => origin.connections)).toEqual([1, 1, 1]);
});

test('destroy() closes idle and busy connections, and what comes after it opens none', async () => {
  const origin = await running(startOrigin());
  const { send, agent } = await startClient();
  const busy = send(`${origin.url}/hang`);
  await origin.waiting('hang');
  await send(`${origin.url}/ok`);
  agent.destroy(ENDED);
  expect((await busy).failed?.failure).toEqual({ kind: 'aborted', message: 'the run has ended' });
  await origin.disconnected(2);
  expect((await send(`${origin.url}/ok`)).failed?.failure.kind).toBe('aborted');
  expect([origin.connections, agent.inFlight]).toEqual([2, 0]);
});

test('abort() while a name is looked up connects to nothing', async () => {
  const origin = await running(startOrigin());
  const asked = new Tally();
  const answered = new Tally();
  const { send, agent } = await startClient({
    lookUp: async () => {
      asked.add();
      await answered.reached(1);
      return ['127.0.0.1'];
    },
  });
  const waiting = send(`http://slow.test:${origin.port}/ok`);
  await asked.reached(1);
  agent.abort(ENDED);
  expect((await waiting).failed?.failure.kind).toBe('aborted');
  answered.add();
  const { send: sendOther } = await startClient();
  await sendOther(`${origin.url}/ok`);
  expect([origin.connections, origin.hits('/ok')]).toEqual([1, 1]);
});

test('abort() in a TLS handshake closes the socket', async () => {
  const server = await running(startStalledHandshake());
  const { send, agent } = await startClient();
  const waiting = send(server.url);
  await server.accepted.reached(1);
  agent.abort(ENDED);
  expect((await waiting).failed?.failure.kind).toBe('aborted');
  await server.ended.reached(1);
  expect([server.accepted.count, agent.inFlight]).toEqual([1, 0]);
});

test.each([
  ['a plain origin', startOrigin],
  ['a TLS origin', startHttps],
])(
  'abort() before the head and in the body closes the sockets of %s and opens none',
  async (_name, start) => {
    const origin = await running(start());
    const { send, agent } = await startClient();
    const before = send(`${origin.url}/hang`);
    const within = send(`${origin.url}/half/never`);
    await Promise.all([origin.waiting('hang'), origin.waiting('never')]);
    agent.abort(ENDED);
    for (const reply of await Promise.all([before, within])) {
      expect(reply.failed).toMatchObject({ failure: { kind: 'aborted' }, isRetryable: false });
    }
    await Promise.all([origin.abandoned('hang'), origin.abandoned('never'), origin.disconnected(2)]);
    expect([origin.connections, origin.requests, agent.inFlight]).toEqual([2, 2, 0]);
  },
);

test('a body over the limit is an answer that is cut, and ends its connection', async () => {
  const origin = await running(startOrigin());
  const { send } = await startClient();
  for (const path of ['/bytes/5000001', '/gzip-bomb', '/chunked/5000001']) {
    const { response, failed } = await send(origin.url + path, {}, { maxBytes: 5e6 });
    expect([path, failed, response]).toMatchObject([path, undefined, { bytes: 5e6, isTruncated: true }]);
  }
  await origin.disconnected(3);
  const { response } = await send(`${origin.url}/bytes/5000000`, {}, { maxBytes: 5e6 });
  expect(response).toMatchObject({ bytes: 5e6, isTruncated: false });
});

test.each([
  ['/gzip-truncated/5000', /^the gzip body is broken: \S/],
  ['/gzip-garbage/5000', /^the gzip body is broken: \S/],
])('%s is a failure of the protocol, and an answer when nothing is decoded', async (path, message) => {
  const origin = await running(startOrigin());
  const { send } = await startClient();
  const { failed, response } = await send(origin.url + path);
  expect(failed).toMatchObject({ failure: { kind: 'protocol' }, isRetryable: false });
  expect(failed?.failure.message).toMatch(message);
  expect(response?.status).toBe(200);
  const raw = await send(origin.url + path, {}, { decompresses: false });
  expect([raw.failed, raw.response?.status]).toEqual([undefined, 200]);
  expect(raw.response?.bytes).toBeGreaterThan(0);
});

test('the addresses of a name are tried one after the other', async () => {
  const origin = await running(startOrigin());
  const { send } = await startClient({ lookUp: async () => ['127.0.0.2', '127.0.0.3', '127.0.0.1'] });
  expect((await send(`http://many.test:${origin.port}/ok`)).response?.status).toBe(200);
  const none = await send(`http://many.test:${(await hostile.refusedPort()).port}/`);
  expect(none.failed?.failure).toMatchObject({ kind: 'connect', code: 'ECONNREFUSED' });
  expect(none.failed?.failure.message, 'the last address').toMatch(/127\.0\.0\.1:\d+$/);
});

test('an address that never says anything leaves time for the one behind it', async () => {
  const origin = await running(startHttps());
  await running(startStalledHandshake({ host: '127.0.0.2', port: origin.port }));
  const { send } = await startClient({
    lookUp: async () => ['127.0.0.2', '127.0.0.1'],
    connectTimeoutMs: 4_000,
  });
  expect((await send(`https://localhost:${origin.port}/ok`)).response?.status).toBe(200);
});
