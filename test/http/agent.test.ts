import { describe, expect, test } from 'vitest';
import { AttemptError } from '../../src/http/network-errors.ts';
import * as hostile from '../origin/hostile.ts';
import { startOrigin } from '../origin/origin.ts';
import { startProxy } from '../origin/proxy.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { okAnswer } from '../origin/script.ts';
import { Tally } from '../origin/tally.ts';
import { startHttps, startStalledHandshake } from '../origin/tls.ts';
import { running, startClient, through } from './client.ts';

describe('Agent.dispatch()', () => {
  test.each(['keepAliveRace', 'keepAliveReset'] as const)(
    'reports %s as a stale connection, and sends the request once',
    async (name) => {
      const server = await running({ ...hostile }[name]());
      const { send } = await startClient();
      expect((await send(server.url)).isStale).toBe(false);
      const outcome = await send(server.url);
      expect(outcome).toMatchObject({ isStale: true, response: undefined, failed: { isRetryable: true } });
      expect([server.accepted.count, server.requests.count]).toEqual([1, 2]);
    },
  );

  test('uses a new connection for a fresh request, whose failure is not stale', async () => {
    const server = await running(
      startRawServer({
        onRequest: ({ socket, connection }) =>
          void (connection === 1 ? socket.write(okAnswer()) : socket.destroy()),
      }),
    );
    const { send } = await startClient();
    await send(server.url);
    expect(await send(server.url, {}, { use: 'fresh' })).toMatchObject({
      isStale: false,
      failed: { failure: { kind: 'reset' } },
    });
    expect([server.accepted.count, server.requests.count]).toEqual([2, 2]);
  });

  test.each(['GET', 'HEAD'])('reuses one connection for %s requests', async (method) => {
    const origin = await running(startOrigin());
    const { send } = await startClient();
    for (const path of ['/ok', '/bytes/5000', '/gzip/5000', '/status/204', '/chunked/100', '/ok']) {
      const { failed } = await send(origin.url + path, { method });
      expect(failed?.failure, path).toBeUndefined();
    }
    expect([origin.requests, origin.connections]).toEqual([6, 1]);
  });

  test('takes the idle connection that was used last', async () => {
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
});

describe('Agent with its connections', () => {
  test.each([
    ['a plain origin', startOrigin],
    ['a TLS origin', startHttps],
  ])('closeOneIdle() closes one connection to %s that carries no request', async (_, startServer) => {
    const [origin, other] = [await running(startServer()), await running(startServer())];
    const { send, agent, transport } = await startClient();
    const busy = send(`${origin.url}/gate/one`);
    await origin.waiting('one');
    for (const url of [origin.url, other.url]) await send(`${url}/ok`);
    const hop = { url: `${origin.url}/`, method: 'GET', headers: {} };
    transport().closeOneIdle(hop);
    await origin.disconnected(1);
    transport().closeOneIdle(hop); // there is none any more
    origin.open('one');
    expect((await busy).response?.status).toBe(200);
    for (const url of [origin.url, other.url]) await send(`${url}/ok`);
    expect([origin.connections, other.connections, agent.inFlight]).toEqual([2, 1, 0]);
  });

  test('closes an idle connection for a new one above maxOpen', async () => {
    const origins = await Promise.all([1, 2, 3].map(() => running(startOrigin())));
    const { send } = await startClient({ maxOpen: 2 });
    for (const origin of origins) await send(`${origin.url}/ok`);
    await origins[0]?.disconnected(1);
    for (const origin of origins.slice(1)) await send(`${origin.url}/ok`);
    expect(origins.map((origin) => origin.connections)).toEqual([1, 1, 1]);
  });

  test('opens a connection above maxOpen if all others are in use', async () => {
    const origin = await running(startOrigin());
    const { send } = await startClient({ maxOpen: 1 });
    const busy = send(`${origin.url}/gate/one`);
    await origin.waiting('one');
    expect((await send(`${origin.url}/ok`)).response?.status).toBe(200);
    origin.open('one');
    expect((await busy).response?.status).toBe(200);
  });

  test('closeIdle() closes idle connections and no others', async () => {
    const origin = await running(startOrigin());
    const { send, agent } = await startClient();
    const busy = send(`${origin.url}/gate/one`);
    await origin.waiting('one');
    await send(`${origin.url}/ok`);
    agent.closeIdle();
    await origin.disconnected(1);
    origin.open('one');
    expect((await busy).response?.status).toBe(200);
  });

  test('hasManyOrigins is true with connections to more than 16 origins, whatever their number per origin', async () => {
    const origins = await Promise.all(Array.from({ length: 17 }, () => running(startOrigin())));
    const { send, agent } = await startClient();
    const sent = origins.map((origin) => send(`${origin.url}/gate/all`));
    await Promise.all(origins.map((origin) => origin.waiting('all')));
    expect(agent.hasManyOrigins).toBe(true);
    for (const origin of origins) origin.open('all');
    await Promise.all(sent);
    expect(agent.hasManyOrigins, 'also when they are idle').toBe(true);
    agent.closeIdle();
    await Promise.all(Array.from({ length: 40 }, () => send(`${origins[0]?.url}/ok`)));
    expect(agent.hasManyOrigins).toBe(false);
  });

  test('closeOneIdle() keeps the connection to a proxy, for other hosts', async () => {
    const proxy = await running(startProxy());
    const origins = await Promise.all([1, 2].map(() => running(startOrigin())));
    const { send, transport } = await startClient({ proxies: through(proxy.url) });
    for (const origin of origins) {
      expect((await send(`${origin.url}/ok`)).response?.status).toBe(200);
      transport().closeOneIdle({ url: `${origin.url}/` });
    }
    expect(proxy.accepted.count).toBe(1);
  });
});

describe('Agent closes', () => {
  const ENDED = new AttemptError('aborted', undefined, 'the run has ended');

  test('the oldest idle connections above maxIdle', async () => {
    const origins = await Promise.all([1, 2, 3].map(() => running(startOrigin())));
    const { send } = await startClient({ maxIdle: 2 });
    for (const origin of origins) await send(`${origin.url}/ok`);
    await origins[0]?.disconnected(1);
    for (const origin of origins.slice(1)) await send(`${origin.url}/ok`);
    expect(origins.map((origin) => origin.connections)).toEqual([1, 1, 1]);
  });

  test('idle and busy connections on destroy(), and opens none afterwards', async () => {
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

  test('a request on abort() during its lookup, without connecting', async () => {
    const origin = await running(startOrigin());
    const lookups = new Tally();
    const resolved = new Tally();
    const { send, agent } = await startClient({
      lookUp: async () => {
        lookups.add();
        await resolved.reached(1);
        return ['127.0.0.1'];
      },
    });
    const waiting = send(`http://slow.test:${origin.port}/ok`);
    await lookups.reached(1);
    agent.abort(ENDED);
    expect((await waiting).failed?.failure.kind).toBe('aborted');
    resolved.add();
    const { send: sendOther } = await startClient();
    await sendOther(`${origin.url}/ok`);
    expect([origin.connections, origin.hits('/ok')]).toEqual([1, 1]);
  });

  test('the socket of a TLS handshake on abort()', async () => {
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
  ])('the sockets of %s on abort() before the head and in the body, and opens none', async (_name, start) => {
    const origin = await running(start());
    const { send, agent } = await startClient();
    const before = send(`${origin.url}/hang`);
    const within = send(`${origin.url}/half/never`);
    await Promise.all([origin.waiting('hang'), origin.waiting('never')]);
    agent.abort(ENDED);
    for (const outcome of await Promise.all([before, within])) {
      expect(outcome.failed).toMatchObject({ failure: { kind: 'aborted' }, isRetryable: false });
    }
    await Promise.all([origin.abandoned('hang'), origin.abandoned('never'), origin.disconnected(2)]);
    expect([origin.connections, origin.requests, agent.inFlight]).toEqual([2, 2, 0]);
  });
});
