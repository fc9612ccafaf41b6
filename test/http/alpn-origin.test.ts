import { once } from 'node:events';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { BodyCapture } from '../../src/bodies/body-capture.ts';
import type { AttemptOutcome } from '../../src/http/attempt.ts';
import { AttemptError } from '../../src/http/network-errors.ts';
import { serverCertificate } from '../origin/certificates.ts';
import { Tally } from '../origin/tally.ts';
import { startHttps, startResetHandshake, startStalledHandshake } from '../origin/tls.ts';
import { running, startClient } from './client.ts';
import { frames, startHttp2Frames } from './http2-frames.ts';
import { type Http2Route, respondOk, startHttp2 } from './http2-origin.ts';

const http2Client = () => startClient({ tls: { http2: true } });

test('AlpnOrigin uses HTTP/2 with a server that offers it, over one connection', async () => {
  const origin = await startHttp2();
  const { send, agent } = await http2Client();
  for (let turn = 0; turn < 3; turn += 1) {
    expect(await send(origin.url)).toMatchObject({ failed: undefined, response: { status: 200, bytes: 2 } });
  }
  expect(origin.log.map(({ version }) => version)).toEqual(['2.0', '2.0', '2.0']);
  expect([origin.accepted.count, agent.inFlight]).toEqual([1, 0]);
});

test('AlpnOrigin uses HTTP/1.1 with a server that offers only that, and keeps the connection', async () => {
  const origin = await running(startHttps());
  const { send } = await http2Client();
  for (let turn = 0; turn < 3; turn += 1) {
    expect((await send(`${origin.url}/ok`)).response?.status).toBe(200);
  }
  expect([origin.requests, origin.connections]).toEqual([3, 1]);
});

test('AlpnOrigin connects again after the server has closed an HTTP/1.1 connection', async () => {
  const origin = await running(startHttps({ keepAliveTimeoutMs: 1 }));
  const { send } = await http2Client();
  for (let turn = 1; turn <= 3; turn += 1) {
    expect((await send(`${origin.url}/ok`, { method: 'POST', body: 'x' })).response?.status).toBe(200);
    await origin.disconnected(turn);
  }
  expect(origin.connections).toBe(3);
});

test.each(['GET', 'POST'])('AlpnOrigin reads HTTP/1.1 leniently: %s', async (method) => {
  const server = createServer({ ...(await serverCertificate({})), ALPNProtocols: ['http/1.1'] }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\nContent-Length: 5\n\nhello'));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const { send } = await http2Client();
  const outcome = await send(`https://127.0.0.1:${port}/`, { method }, { use: 'lenient' });
  expect(outcome).toMatchObject({ failed: undefined, response: { status: 200, bytes: 5 } });
});

test('without --http2, HTTP/1.1 is used with a server that offers both', async () => {
  const origin = await startHttp2({}, { allowHTTP1: true });
  const { send } = await startClient();
  expect((await send(origin.url)).response?.status).toBe(200);
  expect(origin.log[0]?.version).toBe('1.1');
});

/** `count` times the same. */
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** What became of each request: its status, or the kind of its failure. */
const kindsOf = (outcomes: readonly AttemptOutcome[]) =>
  outcomes.map(({ response, failed }) => failed?.failure.kind ?? response?.status);

/** A route that responds when it is told to, and knows how many requests wait. */
function held() {
  const waiting: ServerHttp2Stream[] = [];
  const arrived = new Tally();
  const route: Http2Route = (stream) => {
    waiting.push(stream);
    arrived.add();
  };
  const open = (count = waiting.length) => {
    for (const stream of waiting.splice(0, count)) if (!stream.destroyed) respondOk(stream);
  };
  return { route, open, arrived, waiting };
}

describe('requests to one HTTP/2 origin', () => {
  test('share one connection, however many start before it is made', async () => {
    const { route, open, arrived } = held();
    const origin = await startHttp2({ '/held': route });
    const { send, agent } = await http2Client();
    const early = times(20, () => send(`${origin.url}/held`));
    await arrived.reached(20);
    const late = times(20, () => send(`${origin.url}/held`, { method: 'POST', body: 'x' }, { use: 'fresh' }));
    await arrived.reached(40);
    expect([origin.accepted.count, agent.inFlight]).toEqual([1, 40]);
    open();
    expect(kindsOf(await Promise.all([...early, ...late]))).toEqual(times(40, () => 200));
    expect([origin.accepted.count, agent.inFlight]).toEqual([1, 0]);
  });

  test('wait until the server allows one more stream, which does not count for their timeout', async () => {
    const { route, arrived, waiting } = held();
    const origin = await startHttp2({ '/held': route }, { settings: { maxConcurrentStreams: 2 } });
    const { send, agent } = await http2Client();
    await send(`${origin.url}/ok`);
    const hanging = times(2, () => send(`${origin.url}/held`, {}, { timeoutMs: 400 }));
    await arrived.reached(2);
    const others = times(6, () => send(`${origin.url}/ok`, {}, { timeoutMs: 300 }));
    expect([waiting.length, agent.inFlight]).toEqual([2, 8]);
    expect(kindsOf(await Promise.all(hanging))).toEqual(['timeout', 'timeout']);
    expect(kindsOf(await Promise.all(others))).toEqual(times(6, () => 200));
    expect(agent.inFlight).toBe(0);
  });

  test('are more or fewer when the server changes its limit', async () => {
    const { route, open, arrived, waiting } = held();
    const sessions: ServerHttp2Session[] = [];
    const remember: Http2Route = (stream) => {
      if (stream.session !== undefined) sessions.push(stream.session as ServerHttp2Session); // of a server
      respondOk(stream);
    };
    const origin = await startHttp2(
      { '/held': route, '/first': remember },
      { settings: { maxConcurrentStreams: 3 } },
    );
    const { send } = await http2Client();
    await send(`${origin.url}/first`);
    const sent = times(20, () => send(`${origin.url}/held`));
    await arrived.reached(3);
    const change = (maxConcurrentStreams: number) =>
      new Promise<void>((resolve) => sessions[0]?.settings({ maxConcurrentStreams }, () => resolve()));
    await change(8);
    await arrived.reached(8);
    await change(1);
    open(7);
    await Promise.all(sent.slice(0, 7));
    for (let count = 8; count <= 20; count += 1) {
      await arrived.reached(count);
      expect(waiting.length, `after ${count}`).toBe(1);
      open();
    }
    expect(kindsOf(await Promise.all(sent))).toEqual(times(20, () => 200));
    expect(origin.accepted.count).toBe(1);
  });

  test('that the server refuses since it allows fewer than were sent are sent again as it allows', async () => {
    const origin = await startHttp2({}, { settings: { maxConcurrentStreams: 1 } });
    const { send } = await http2Client();
    const sent = times(30, (index) => send(`${origin.url}/${index}`, { method: index % 2 ? 'POST' : 'GET' }));
    const outcomes = await Promise.all(sent);
    expect(kindsOf(outcomes)).toEqual(times(30, () => 200));
    expect(outcomes.map(({ streams }) => streams)).toEqual(times(30, () => 1));
    expect([origin.accepted.count, origin.requests.count]).toEqual([1, 30]);
  });

  test('end at their timeout, also while they wait, and harm no other', async () => {
    const { route, open, arrived } = held();
    const origin = await startHttp2({ '/held': route });
    const { send, agent } = await http2Client();
    const other = send(`${origin.url}/held`);
    await arrived.reached(1);
    const late = times(3, () => send(`${origin.url}/held`, {}, { timeoutMs: 100 }));
    expect(kindsOf(await Promise.all(late))).toEqual(['timeout', 'timeout', 'timeout']);
    expect(agent.inFlight).toBe(1);
    open();
    expect(kindsOf([await other, await send(`${origin.url}/ok`)])).toEqual([200, 200]);
  });

  test('are read on while the body of another waits for its sink', async () => {
    const size = 4 * 1024 ** 2;
    const large: Http2Route = (stream) => {
      stream.respond({ ':status': 200 });
      stream.end(Buffer.alloc(size));
    };
    const origin = await startHttp2({ '/large': large }, { maxSessionMemory: 100 });
    const { send } = await http2Client();
    const { promise: isReady, resolve: ready } = deferred();
    let bytes = 0;
    const sink = {
      write: (piece: Buffer) => {
        bytes += piece.length;
        return isReady;
      },
      end: async () => undefined,
      drop: () => Promise.resolve(),
    };
    const capture = { onHead: (status: number) => ({ maxBytes: size, sink, status }), interrupt: () => {} };
    const slow = times(3, () =>
      // A capture has more methods, which nothing calls here.
      send(`${origin.url}/large`, {}, { capture: capture as unknown as BodyCapture, maxBytes: size }),
    );
    const fast = times(8, () => send(`${origin.url}/large`, {}, { maxBytes: size }));
    for (const { response, failed } of await Promise.all(fast)) {
      expect([failed, response?.bytes]).toEqual([undefined, size]);
    }
    expect(bytes, 'of the bodies that wait').toBeLessThan(3 * size);
    ready();
    for (const { response } of await Promise.all(slow)) expect(response?.bytes).toBe(size);
    expect([bytes, origin.accepted.count]).toEqual([3 * size, 1]);
  });

  test('that must not be sent twice use no idle connection, which the server may be closing', async () => {
    const origin = await startHttp2();
    const { send } = await http2Client();
    await send(origin.url);
    const posts = times(5, () => send(origin.url, { method: 'POST' }, { use: 'fresh' }));
    expect(kindsOf(await Promise.all(posts))).toEqual(times(5, () => 200));
    expect(origin.accepted.count).toBe(2);
    await origin.ended.reached(1);
  });

  test.each(['closeIdle', 'closeOneIdle', 'maxIdle', 'maxOpen'] as const)(
    'keep a connection that is closed when it is idle, but not while it is in use: %s',
    async (how) => {
      const { route, open, arrived } = held();
      const origins = [await startHttp2({ '/held': route }), await startHttp2({ '/held': route })] as const;
      const limit = how === 'maxIdle' || how === 'maxOpen' ? { [how]: 1 } : {};
      const { send, agent, transport } = await startClient({ tls: { http2: true }, ...limit });
      const busy = send(`${origins[0].url}/held`);
      await arrived.reached(1);
      await send(`${origins[1].url}/ok`);
      const close = () => {
        if (how === 'closeIdle') agent.closeIdle();
        for (const { url } of how === 'closeOneIdle' ? origins : []) {
          transport().closeOneIdle({ url: `${url}/` });
        }
      };
      close();
      open();
      expect((await busy).response?.status).toBe(200);
      if (how === 'maxOpen') await send(`${(await startHttp2()).url}/ok`);
      else close();
      await Promise.race(origins.map(({ ended }) => ended.reached(1)));
      expect(agent.inFlight).toBe(0);
    },
  );
});

describe('the first handshake with an origin', () => {
  test('shows that it has only HTTP/1.1, after which all connect in parallel', async () => {
    const origin = await running(startHttps());
    const { send, agent } = await http2Client();
    const sent = times(6, () => send(`${origin.url}/gate/all`));
    await origin.waiting('all', 6);
    expect([origin.connections, agent.inFlight]).toEqual([6, 6]);
    origin.open('all');
    expect(kindsOf(await Promise.all(sent))).toEqual(times(6, () => 200));
    await send(`${origin.url}/ok`);
    expect([origin.connections, agent.inFlight]).toEqual([6, 0]);
  });

  test('offers HTTP/2 once to an origin without it', async () => {
    const offers: boolean[] = [];
    const ALPNCallback = ({ protocols }: { protocols: string[] }) => {
      offers.push(protocols.includes('h2'));
      return 'http/1.1';
    };
    const origin = await running(startHttps({ tls: { ALPNCallback } }));
    const { send } = await http2Client();
    const sent = times(3, () => send(`${origin.url}/gate/all`));
    await origin.waiting('all', 3);
    origin.open('all');
    await Promise.all(sent);
    await send(`${origin.url}/ok`, {}, { use: 'fresh' });
    expect(offers).toEqual([true, false, false, false]);
  });

  test.each(['fresh', 'lenient'] as const)('of a %s request leads to HTTP/1.1 as well', async (use) => {
    const origin = await running(startHttps());
    const { send, agent } = await http2Client();
    const sent = times(3, () => send(`${origin.url}/ok`, { method: 'POST', body: 'x' }, { use }));
    expect(kindsOf(await Promise.all(sent))).toEqual([200, 200, 200]);
    expect([origin.requests, agent.inFlight]).toEqual([3, 0]);
  });

  test('fails all that wait for it if it fails', async () => {
    const server = await running(startResetHandshake());
    const { send, agent } = await http2Client();
    const outcomes = await Promise.all(times(5, () => send(server.url)));
    expect(kindsOf(outcomes)).toEqual(times(5, () => 'tls'));
    expect([server.accepted.count, agent.inFlight]).toEqual([1, 0]);
  });

  test('goes on while one request waits for it, and ends with the last one', async () => {
    const server = await running(startStalledHandshake());
    const { send, agent } = await http2Client();
    const first = send(server.url, {}, { timeoutMs: 50 });
    const second = send(server.url, {}, { timeoutMs: 1_000 });
    expect((await first).failed?.failure.kind).toBe('timeout');
    expect([server.ended.count, agent.inFlight]).toEqual([0, 1]);
    expect((await second).failed?.failure.kind).toBe('timeout');
    await server.ended.reached(1);
    expect([server.accepted.count, agent.inFlight]).toEqual([1, 0]);
  });
});

describe('a server that wants HTTP/1.1', () => {
  test.each<[string, Http2Route]>([
    ['by a reset', (stream) => stream.close(13)],
    ['by a GOAWAY', (stream) => stream.session?.goaway(13, 0)],
  ])('gets it at once for any method, and later requests too: %s', async (_, refuse) => {
    const origin = await startHttp2({ '/one': refuse, '/two': refuse }, { allowHTTP1: true });
    const { send, agent } = await http2Client();
    const sent = [send(`${origin.url}/one`), send(`${origin.url}/two`, { method: 'POST', body: 'x' })];
    expect(kindsOf(await Promise.all(sent))).toEqual([200, 200]);
    expect((await send(`${origin.url}/ok`)).response?.status).toBe(200);
    expect(origin.log.slice(-3).map(({ version }) => version)).toEqual(['1.1', '1.1', '1.1']);
    await origin.ended.reached(1);
    expect(agent.inFlight).toBe(0);
  });
});

describe('a GOAWAY', () => {
  const { ok, lastData, goAway } = frames;
  const whole = (id: number) => [ok(id), lastData(id, 10)];

  test('leaves the requests it includes to their end, while a new connection takes over', async () => {
    const { route, open, arrived } = held();
    const say: Http2Route = (stream) => {
      respondOk(stream);
      stream.session?.goaway(0, 2 ** 31 - 1);
    };
    const origin = await startHttp2({ '/held': route, '/goaway': say });
    const { send, agent } = await http2Client();
    const before = times(3, () => send(`${origin.url}/held`));
    await arrived.reached(3);
    await send(`${origin.url}/goaway`);
    await send(`${origin.url}/ok`);
    expect([origin.accepted.count, origin.ended.count, agent.inFlight]).toEqual([2, 0, 3]);
    open();
    expect(kindsOf(await Promise.all(before))).toEqual([200, 200, 200]);
    await origin.ended.reached(1); // the old one
    expect((await send(`${origin.url}/ok`)).response?.status).toBe(200);
    expect(origin.accepted.count).toBe(2);
  });

  test.each([0, 2])(
    'with code %i has the requests above its last one sent again, whatever their method',
    async (code) => {
      const seen = new Map<Socket, number>();
      const server = await startHttp2Frames((id, socket) => {
        const count = (seen.get(socket) ?? 0) + 1;
        seen.set(socket, count);
        if (server.accepted.count > 1) return whole(id);
        if (count === 1) return whole(id);
        return count === 6 ? [...whole(3), goAway(3, code)] : [];
      });
      const { send, agent } = await http2Client();
      await send(server.url);
      const sent = times(5, (index) =>
        send(`${server.url}/${index}`, { method: index % 2 ? 'POST' : 'GET' }),
      );
      const outcomes = await Promise.all(sent);
      expect(kindsOf(outcomes)).toEqual(times(5, () => 200));
      expect([server.accepted.count, agent.inFlight]).toEqual([2, 0]);
      expect([...seen.values()]).toEqual([6, 4]);
    },
  );

  test('of each connection after one response is no failure for the requests that it excludes', async () => {
    const server = await startHttp2Frames((id) => (id === 1 ? [...whole(1), goAway(1)] : []));
    const { send, agent } = await http2Client();
    const outcomes = await Promise.all(times(8, () => send(server.url)));
    expect(kindsOf(outcomes)).toEqual(times(8, () => 200));
    expect([server.accepted.count, agent.inFlight]).toEqual([8, 0]);
  });
});

describe('a connection with several requests that ends', () => {
  const { any, ok, lastData } = frames;
  const whole = (id: number) => [ok(id), lastData(id, 10)];

  test('without a sign is given up after a ping, and its requests may be sent on another one', async () => {
    const server = await startHttp2Frames((id) => (server.accepted.count > 1 || id === 1 ? whole(id) : []));
    const { send, agent } = await startClient({
      tls: { http2: true },
      silence: { pingMs: 100, deadMs: 200 },
    });
    await send(server.url);
    const outcomes = await Promise.all(times(3, () => send(server.url)));
    for (const { failed, isStale } of outcomes) {
      expect([failed?.failure.kind, failed?.failure.code, isStale]).toEqual([
        'timeout',
        'ERR_HTTP2_PING',
        true,
      ]);
    }
    const again = await Promise.all(times(3, () => send(server.url, {}, { use: 'fresh' })));
    expect(kindsOf(again)).toEqual([200, 200, 200]);
    expect([server.accepted.count, agent.inFlight]).toEqual([2, 0]);
  });

  test('without a sign carries no new request after one has timed out in silence', async () => {
    const server = await startHttp2Frames((id) => (server.accepted.count > 1 || id === 1 ? whole(id) : []));
    const { send, agent } = await http2Client();
    await send(server.url);
    const waiting = send(server.url);
    expect(kindsOf([await send(server.url, {}, { timeoutMs: 50 }), await send(server.url)])).toEqual([
      'timeout',
      200,
    ]);
    expect([server.accepted.count, server.ended.count]).toEqual([2, 0]);
    agent.abort(new AttemptError('aborted', undefined, 'the run has ended'));
    expect(kindsOf([await waiting])).toEqual(['aborted']);
    await server.ended.reached(2);
  });

  test('by a reset has them all reported as stale, and one new connection carries them', async () => {
    const server = await startHttp2Frames((id, socket) => {
      if (server.accepted.count > 1 || id === 1) return whole(id);
      if (id === 11) socket.destroy();
      return [];
    });
    const { send, agent } = await http2Client();
    await send(server.url);
    const outcomes = await Promise.all(times(5, () => send(server.url)));
    expect(kindsOf(outcomes)).toEqual(times(5, () => 'reset'));
    expect(outcomes.map(({ isStale }) => isStale)).toEqual(times(5, () => true));
    const again = await Promise.all(times(5, () => send(server.url, {}, { use: 'fresh' })));
    expect(kindsOf(again)).toEqual(times(5, () => 200));
    expect([server.accepted.count, agent.inFlight]).toEqual([2, 0]);
  });

  test('by the fault of one response harms only that one: each then gets a connection of its own', async () => {
    const headers = { 'x-long': 'x'.repeat(1_000) };
    const sent = new Tally();
    const server = await startHttp2Frames((id, _socket, bytes) => {
      const isBad = bytes > 500;
      return isBad
        ? [any(1, 0x4, id, Buffer.alloc(7, 0xff))]
        : server.accepted.count === 1 && sent.count === 0
          ? []
          : whole(id);
    });
    const { send, agent } = await http2Client();
    const hops = [...times(4, () => ({})), { headers }];
    const outcomes = await Promise.all(hops.map((hop) => send(server.url, hop)));
    expect(
      outcomes.map(({ failed, isStale }) => [failed?.failure.kind, failed?.isRetryable, isStale]),
    ).toEqual(times(5, () => ['reset', true, true]));
    sent.add();
    const again = await Promise.all(hops.map((hop) => send(server.url, hop, { use: 'fresh' })));
    expect(kindsOf(again)).toEqual([200, 200, 200, 200, 'protocol']);
    expect([server.accepted.count, agent.inFlight]).toEqual([6, 0]);
    expect(kindsOf(await Promise.all(times(4, () => send(server.url))))).toEqual(times(4, () => 200));
    expect(server.accepted.count, 'idle ones are used again').toBe(6);
  });
});

/** A promise that is resolved from outside. */
function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
