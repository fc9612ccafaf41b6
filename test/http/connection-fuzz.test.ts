import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AttemptOutcome } from '../../src/http/attempt.ts';
import { type Listening, listen } from '../origin/listen.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { startHttps } from '../origin/tls.ts';
import { seededRandom } from '../seeded-random.ts';
import { type Client, running, startClient, through } from './client.ts';
import { frames, startHttp2Frames } from './http2-frames.ts';
import { startHttp2 } from './http2-origin.ts';

/** `FUZZ_SEEDS=1,2,3` tries other seeds, `FUZZ=20` that many times as many connections. */
const SEEDS = (process.env.FUZZ_SEEDS ?? '1').split(',').map(Number);
const CONNECTIONS = 120 * Number(process.env.FUZZ ?? 1);
const AT_ONCE = 12;
/** How long a server that sends no more holds up a request. */
const TIMEOUT_MS = 1_000;
const LIMIT_MS = 60_000 + 100 * CONNECTIONS;

type Random = () => number;

const below = (random: Random, limit: number) => Math.floor(random() * limit);

function pick<T>(random: Random, choices: readonly [T, ...T[]]): T {
  return choices[below(random, choices.length)] ?? choices[0];
}

/** The bytes with a few changes: some flipped, removed, repeated or cut off. */
function mutated(bytes: Buffer, random: Random): Buffer {
  let changed = Buffer.from(bytes);
  for (let times = below(random, 4); times > 0; times -= 1) {
    const at = below(random, changed.length + 1);
    const end = Math.min(changed.length, at + 1 + below(random, 12));
    const [before, part, after] = [changed.subarray(0, at), changed.subarray(at, end), changed.subarray(end)];
    const noise = Buffer.from(Array.from(part, () => below(random, 256)));
    const rest = pick(random, [[noise, after], [after], [part, part, after], [noise, part, after], []]);
    changed = Buffer.concat([before, ...rest]);
  }
  return changed;
}

/** Leaves a connection open, closes it or resets it. */
function finish(socket: Socket, random: Random): void {
  const action = pick(random, [() => {}, () => socket.end(), () => socket.destroy()]);
  setImmediate(action);
}

/** Sends all requests, some at once, and checks what holds for each outcome and for the connections afterwards. */
async function sendAll(
  { agent }: Client,
  server: Pick<Listening, 'accepted' | 'ended'>,
  send: () => Promise<AttemptOutcome>,
): Promise<readonly AttemptOutcome[]> {
  const outcomes: AttemptOutcome[] = [];
  const worker = async () => {
    for (let count = 0; count < CONNECTIONS / AT_ONCE; count += 1) outcomes.push(await send());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (const { response, failed } of outcomes) {
    expect(response !== undefined || failed !== undefined).toBe(true);
    expect(failed?.failure, 'a bug').not.toMatchObject({ kind: 'internal' });
    expect(failed?.failure.message).not.toBe('');
  }
  expect(agent.inFlight).toBe(0);
  agent.closeIdle();
  await server.ended.reached(server.accepted.count);
  return outcomes;
}

function kindsOf(outcomes: readonly AttemptOutcome[]): Set<string> {
  return new Set(outcomes.map(({ failed }) => failed?.failure.kind ?? 'none'));
}

describe.each(SEEDS)('with seed %i', (seed) => {
  test(
    'any frames of an HTTP/2 server end in an outcome, in time, and leave nothing open',
    async () => {
      const random = seededRandom(seed);
      const { any, data, goAway, head, lastData, ok, reset, trailers } = frames;
      const someFrame = (id: number) =>
        any(
          below(random, 12),
          below(random, 256),
          pick(random, [0, id, id + 1, id + 2]),
          Buffer.from(Array.from({ length: below(random, 40) }, () => below(random, 256))),
        );
      const whole = (id: number): Buffer[] =>
        pick(random, [
          [ok(id), data(id, 100), lastData(id, 100)],
          [head(id, { 'x-a': 'b' })],
          [ok(id), data(id, 10), trailers(id)],
          [ok(id), data(id, 10), reset(id, below(random, 14))],
          [goAway(pick(random, [0, id, id + 2]), below(random, 14)), ok(id), lastData(id, 10)],
        ]);
      const respond = (id: number, socket: Socket) => {
        const sent = whole(id).flatMap((frame) => {
          const changed = random() < 0.3 ? mutated(frame, random) : frame;
          return random() < 0.1 ? [changed, someFrame(id)] : [changed];
        });
        finish(socket, random);
        return sent;
      };
      const server = await startHttp2Frames(respond, { allowHalfOpen: false });
      const client = await startClient({ tls: { http2: true } });
      const outcomes = await sendAll(client, server, () =>
        client.send(server.url, {}, { timeoutMs: TIMEOUT_MS }),
      );
      expect(kindsOf(outcomes)).toContain('none');
      expect(kindsOf(outcomes)).toContain('protocol');
    },
    LIMIT_MS,
  );

  test.each([['HTTP/1.1'], ['HTTP/2']])(
    'TLS that is cut or changed anywhere ends in an outcome, in time, and leaves nothing open (%s)',
    async (protocol) => {
      const random = seededRandom(seed);
      const http2 = protocol === 'HTTP/2';
      const body = 'x'.repeat(2_000);
      const origin = http2
        ? await startHttp2({
            '/ok': (stream) => {
              stream.respond({ ':status': 200 });
              stream.end(body);
            },
          })
        : await running(startHttps());
      const relay = createServer((socket) => {
        const upstream = connect(origin.port, '127.0.0.1');
        let left = below(random, 4_000);
        const close = () => {
          socket.destroy();
          upstream.destroy();
        };
        upstream.on('data', (bytes: Buffer) => {
          if (left < 0) return;
          const passed = bytes.subarray(0, left);
          left -= bytes.length;
          socket.write(passed);
          if (left >= 0) return;
          const changed = Buffer.from(bytes.subarray(passed.length)).fill(below(random, 256), 0, 1);
          const action = pick(random, [
            () => {}, // it sends no more
            () => socket.end(),
            () => socket.resetAndDestroy(),
            () => {
              left = Number.POSITIVE_INFINITY;
              socket.write(changed);
            },
          ]);
          action();
        });
        for (const one of [socket, upstream]) one.on('error', close).on('close', close);
        socket.pipe(upstream);
      });
      const server = await listen(relay);
      onTestFinished(() => server.close());
      const client = await startClient({ tls: { http2 }, connectTimeoutMs: TIMEOUT_MS });
      const outcomes = await sendAll(client, server, () =>
        client.send(`https://${server.authority}/ok`, {}, { timeoutMs: TIMEOUT_MS, use: 'fresh' }),
      );
      const whole = outcomes.filter(({ failed }) => failed === undefined);
      expect(new Set(whole.map(({ response }) => response?.bytes)).size, 'no cut body is whole').toBe(1);
    },
    LIMIT_MS,
  );

  test(
    'any response of a proxy to CONNECT ends in an outcome, in time, and leaves nothing open',
    async () => {
      const random = seededRandom(seed);
      const responses = [
        'HTTP/1.1 200 Connection established\r\n\r\n',
        'HTTP/1.0 200 OK\r\nVia: 1.1 proxy\r\nX: y\r\n\r\n',
        'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno',
        'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
        'HTTP/1.1 503 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(17_000)}\r\n\r\n`,
      ] as const;
      const server = await startRawServer({
        onRequest: ({ socket }) => {
          const bytes = mutated(Buffer.from(pick(random, responses)), random);
          const cut = below(random, bytes.length + 1);
          socket.write(bytes.subarray(0, cut));
          setImmediate(() => {
            if (!socket.destroyed) socket.write(bytes.subarray(cut));
            finish(socket, random);
          });
        },
      });
      onTestFinished(() => server.close());
      const client = await startClient({ proxies: through(server.url), connectTimeoutMs: TIMEOUT_MS });
      const outcomes = await sendAll(client, server, () =>
        client.send('https://a.test/', {}, { timeoutMs: TIMEOUT_MS * 2 }),
      );
      for (const { failed } of outcomes) {
        expect(failed?.failure.kind).toMatch(/^(connect|tls|timeout)$/);
        expect(failed?.failure.message, 'the proxy is named').toContain(
          `the proxy ${server.host}:${server.port}`,
        );
      }
    },
    LIMIT_MS,
  );
});
