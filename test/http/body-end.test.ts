import type { Socket } from 'node:net';
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { BodyCapture } from '../../src/bodies/body-capture.ts';
import type { AttemptOutcome, AttemptRequest } from '../../src/http/attempt.ts';
import { AttemptError } from '../../src/http/network-errors.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { startHttps } from '../origin/tls.ts';
import { ANY_JOB, attempt, running, startClient } from './client.ts';
import { type Http2Route, startHttp2 } from './http2-origin.ts';

const TEXT = Buffer.from('hello world '.repeat(500));

type Use = NonNullable<AttemptRequest['use']>;

interface Given {
  readonly head: string;
  readonly body: string | Buffer;
  /** Whether the server then closes the connection. */
  readonly closes: boolean;
}

/** Only a 200 needs its body. */
const needsBody = (status: number) => status === 200;

async function outcomeOf({ head, body, closes }: Given, use: Use): Promise<AttemptOutcome> {
  const response = Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), Buffer.from(body)]);
  const server = await running(
    startRawServer({
      onRequest: ({ socket }) => void (closes ? socket.end(response) : socket.write(response)),
    }),
  );
  const { send } = await startClient();
  return send(server.url, {}, { use, needsBody });
}

const PARSERS: readonly Use[] = ['any', 'lenient'];

/** The same cases for the strict and the lenient parser. */
function withEachParser<Row extends readonly unknown[]>(rows: readonly Row[]): (readonly [Use, ...Row])[] {
  return PARSERS.flatMap((use) => rows.map((row) => [use, ...row] as const));
}

describe('a transfer coding', () => {
  const UNKNOWN = [
    ['br2'],
    ['br2, chunked'],
    ['gzip, br2'],
    ['compress'],
    ['xchunked'],
    ['"chunked"'],
    ['gzip, gzip, gzip'],
  ] as const;

  test.each(withEachParser(UNKNOWN))(
    'that cannot be undone fails at once on a kept connection: %s, %s',
    async (use, coding) => {
      const head = `HTTP/1.1 200 OK\r\nTransfer-Encoding: ${coding}`;
      const { failed } = await outcomeOf({ head, body: 'hello', closes: false }, use);
      expect(failed).toMatchObject({
        failure: { kind: 'protocol', message: `the transfer coding is unknown: ${coding}` },
        isRetryable: false,
      });
    },
  );

  test.each(withEachParser(UNKNOWN))(
    'that cannot be undone does not hide the status of a response without use for its body: %s, %s',
    async (use, coding) => {
      const head = `HTTP/1.1 404 Not Found\r\nTransfer-Encoding: ${coding}`;
      const { response, failed } = await outcomeOf({ head, body: 'hello', closes: false }, use);
      expect([response?.status, failed]).toEqual([404, undefined]);
    },
  );

  test.each(PARSERS)('before another one is not chunked: %s', async (use) => {
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip';
    const { failed } = await outcomeOf({ head, body: '5\r\nhello\r\n0\r\n\r\n', closes: false }, use);
    expect(failed).toMatchObject({ failure: { kind: 'protocol' }, isRetryable: false });
  });

  test.each(
    withEachParser([
      ['gzip', gzipSync(TEXT)],
      ['deflate', deflateSync(TEXT)],
      ['X-GZIP', gzipSync(TEXT)],
      ['identity', TEXT],
      ['deflate, gzip', gzipSync(deflateSync(TEXT))],
    ]),
  )('is undone, to the end of the connection or of the chunks: %s, %s', async (use, coding, body) => {
    const head = `HTTP/1.1 200 OK\r\nTransfer-Encoding: ${coding}`;
    const chunks = Buffer.concat([
      Buffer.from(`${body.length.toString(16)}\r\n`),
      body,
      Buffer.from('\r\n0\r\n\r\n'),
    ]);
    for (const given of [
      { head, body, closes: true },
      { head: `${head}, chunked`, body: chunks, closes: false },
    ]) {
      const { response, failed } = await outcomeOf(given, use);
      expect([response?.bytes, failed]).toEqual([TEXT.length, undefined]);
    }
  });
});

describe('an encoded body', () => {
  const ENCODED = [
    ['gzip', gzipSync(TEXT)],
    ['deflate', deflateSync(TEXT)],
    ['deflate', deflateRawSync(TEXT)],
    ['br', brotliCompressSync(TEXT)],
  ] as const;

  const CUT = ENCODED.flatMap(([coding, body]) =>
    [1, body.length >> 1, body.length - 1].map((bytes) => [coding, bytes, body.subarray(0, bytes)] as const),
  );

  test.each(withEachParser(CUT))(
    'that ends early with its connection is a broken connection: %s, %s after %i bytes',
    async (use, coding, _bytes, body) => {
      for (const header of ['Content-Encoding', 'Transfer-Encoding']) {
        const { failed } = await outcomeOf(
          { head: `HTTP/1.1 200 OK\r\n${header}: ${coding}`, body, closes: true },
          use,
        );
        expect(failed).toMatchObject({
          failure: { kind: 'reset', message: 'the connection ended before the body was complete' },
          isRetryable: true,
        });
      }
    },
  );

  test.each(withEachParser(CUT))(
    'that has its whole length and no end is broken for good: %s, %s after %i bytes',
    async (use, coding, bytes, body) => {
      const head = `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\n`;
      const chunks = Buffer.concat([
        Buffer.from(`${bytes.toString(16)}\r\n`),
        body,
        Buffer.from('\r\n0\r\n\r\n'),
      ]);
      for (const given of [
        { head: `${head}Content-Length: ${bytes}`, body },
        { head: `${head}Transfer-Encoding: chunked`, body: chunks },
      ]) {
        const { failed } = await outcomeOf({ ...given, closes: false }, use);
        expect(failed).toMatchObject({ failure: { kind: 'protocol' }, isRetryable: false });
      }
    },
  );

  test('over HTTP/2 that ends early with its stream is broken for good', async () => {
    const route: Http2Route = (stream) => {
      stream.respond({ ':status': 200, 'content-encoding': 'gzip' });
      stream.end(gzipSync(TEXT).subarray(0, -1));
    };
    const origin = await startHttp2({ '/cut': route });
    const { send } = await startClient({ tls: { http2: true } });
    const { failed } = await send(`${origin.url}/cut`);
    expect(failed).toMatchObject({ failure: { kind: 'protocol' }, isRetryable: false });
  });

  test.each(withEachParser([['\0'.repeat(10)], ['junk'], ['<!-- page -->']]))(
    'may have other bytes behind its end: %s, %j',
    async (use, junk) => {
      const body = Buffer.concat([gzipSync(TEXT), Buffer.from(junk)]);
      const head = 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip';
      const { response, failed } = await outcomeOf({ head, body, closes: true }, use);
      expect([response?.bytes, failed]).toEqual([TEXT.length, undefined]);
    },
  );

  test.each(withEachParser([['\x1f\x8b\xff\xff']]))(
    'with a broken one behind it is not a broken connection: %s, %j',
    async (use, next) => {
      const body = Buffer.concat([gzipSync(TEXT), Buffer.from(next, 'latin1')]);
      const head = 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip';
      const { failed } = await outcomeOf({ head, body, closes: true }, use);
      expect(failed).toMatchObject({ failure: { kind: 'protocol' }, isRetryable: false });
    },
  );
});

describe('the head of a response without use for its body decides', () => {
  const BODIES = [
    ['a body that is cut', 'Content-Length: 500', 'hello', true],
    ['a body that stalls', 'Content-Length: 500', 'hello', false],
    ['a body that never starts', 'Content-Length: 500', '', false],
    ['a body without an end', 'X-A: b', 'hello', false],
    ['chunks that are cut', 'Transfer-Encoding: chunked', '5\r\nhello\r\n', true],
    ['chunks that stall', 'Transfer-Encoding: chunked', '5\r\nhel', false],
    ['a chunk without a size', 'Transfer-Encoding: chunked', 'what?\r\n', false],
    ['a body that is not gzip', 'Content-Encoding: gzip\r\nContent-Length: 5', 'hello', false],
    ['an unknown content coding', 'Content-Encoding: zstd\r\nContent-Length: 5', 'hello', false],
    ['a gzip body that is cut', 'Content-Encoding: gzip', gzipSync(TEXT).subarray(0, 20), true],
    ['a body over the limit', 'Content-Length: 2000000', Buffer.alloc(2_000_000), false],
  ] as const;

  test.each(withEachParser(BODIES))('%s: %s', async (use, _, headers, body, closes) => {
    for (const [status, location] of [
      [302, '/ok'],
      [404, undefined],
    ] as const) {
      const head = `HTTP/1.1 ${status} X\r\n${headers}${location === undefined ? '' : `\r\nLocation: ${location}`}`;
      const { response, failed } = await outcomeOf({ head, body, closes }, use);
      expect([response?.status, response?.headers.location, failed]).toEqual([status, location, undefined]);
    }
  });

  const half =
    (then: Http2Route, headers = {}): Http2Route =>
    (stream, received) => {
      stream.respond({ ':status': 302, location: '/ok', ...headers });
      stream.write('hello', () => then(stream, received));
    };

  test.each<[string, Http2Route]>([
    ['a stream that is reset', half((stream) => stream.close(2))],
    ['a stream that is reset without an error', half((stream) => stream.close(0))],
    ['a stream that stalls', half(() => {})],
    ['a stream without data', (stream) => stream.respond({ ':status': 302, location: '/ok' })],
    ['a connection that ends', half((stream) => stream.session?.destroy())],
    ['a body that is too short', half((stream) => stream.end(), { 'content-length': '50' })],
    ['a body that is too long', half((stream) => stream.end(), { 'content-length': '2' })],
    ['a body that is not gzip', half((stream) => stream.end(), { 'content-encoding': 'gzip' })],
    ['a server that says goodbye', half((stream) => stream.session?.goaway(11))],
  ])('over HTTP/2: %s', async (_, route) => {
    const origin = await startHttp2({ '/moved': route });
    const { send } = await startClient({ tls: { http2: true } });
    const { response, failed } = await send(`${origin.url}/moved`, {}, { needsBody });
    expect([response?.status, response?.headers.location, failed]).toEqual([302, '/ok', undefined]);
  });
});

describe('a body that takes long to decode', () => {
  /** 10 MB of gzip that expand to 10 GB of gzip, which expand to nothing. */
  function bomb(): Buffer {
    const gzipHead = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    const flush = { level: 9, finishFlush: constants.Z_FULL_FLUSH };
    const blocks = Buffer.alloc(5_000_000, Buffer.from([0, 0, 0, 0xff, 0xff]));
    const piece = deflateRawSync(blocks, flush);
    return Buffer.concat([gzipHead, deflateRawSync(gzipHead, flush), ...Array(2_000).fill(piece)]);
  }

  async function start() {
    const body = bomb();
    const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: ${body.length}\r\n\r\n`;
    const response = Buffer.concat([Buffer.from(head), body]);
    const server = await running(
      startRawServer({
        onRequest: ({ socket, target }) =>
          void socket.write(target === '/bomb' ? response : 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
      }),
    );
    return { server, client: await startClient() };
  }

  test('ends at its timeout, and does not keep others from theirs', async () => {
    const { server, client } = await start();
    const options = { maxBytes: Number.POSITIVE_INFINITY, timeoutMs: 1_000 };
    const bombed = client.send(`${server.url}/bomb`, {}, options);
    const other = await client.send(`${server.url}/other`, {}, { timeoutMs: 30_000 });
    expect(other).toMatchObject({ failed: undefined, response: { status: 200 } });
    expect((await bombed).failed).toMatchObject({ failure: { kind: 'timeout' } });
  });

  test.each(PARSERS)(
    'ends when the run is aborted, whether or not all of it has arrived: %s',
    async (use) => {
      const { server, client } = await start();
      const transport = client.transport({ maxBytes: Number.POSITIVE_INFINITY, timeoutMs: 60_000 });
      const hop = { url: `${server.url}/bomb`, method: 'GET', headers: {} };
      const bombed = attempt(transport, { job: ANY_JOB, hop, elapsedMs: 0, use });
      await client.send(`${server.url}/other`, {}, { timeoutMs: 30_000 });
      expect(transport.inFlight).toBe(1);
      transport.abort(new AttemptError('aborted', undefined, 'the run was stopped'));
      expect((await bombed).failed).toMatchObject({ failure: { kind: 'aborted' } });
      expect(transport.inFlight).toBe(0);
    },
  );
});

describe('a sink that is slow', () => {
  const SIZE = 3_000_000;

  /** A sink that is ready for the next piece when the loop has turned some times; counts pieces that come before that. */
  function slowSink(isReady = Promise.resolve()) {
    const seen = { bytes: 0, isBusy: false, early: 0 };
    const sink = {
      write: async (piece: Buffer) => {
        if (seen.isBusy) seen.early += 1;
        seen.isBusy = true;
        seen.bytes += piece.length;
        await isReady;
        for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        seen.isBusy = false;
      },
      end: () => undefined,
      drop: () => undefined,
    };
    // Only these two are called here.
    const capture = {
      onHead: (status: number) => ({ status, sink, maxBytes: Number.POSITIVE_INFINITY }),
      interrupt: () => {},
    } as unknown as BodyCapture;
    return { seen, capture };
  }

  const HEAD = `HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`;

  test.each(
    withEachParser([
      ['a length, on a connection that stays open', HEAD, SIZE, 'open', undefined],
      ['a length, on a connection that ends', HEAD, SIZE, 'end', undefined],
      ['no length', 'HTTP/1.1 200 OK\r\n\r\n', SIZE, 'end', undefined],
      ['a length that is too large', HEAD, SIZE - 1, 'end', 'reset'],
      ['a reset at its end', HEAD, SIZE - 1, 'reset', 'reset'],
    ] as const),
  )('gets the whole body, one piece after the other: %s, %s', async (use, _, head, bytes, ending, kind) => {
    const server = await running(
      startRawServer({
        onRequest: ({ socket }) => {
          socket.write(head);
          socket.write(Buffer.alloc(bytes, 'x'), () => {
            if (ending === 'end') socket.end();
            if (ending === 'reset') socket.resetAndDestroy();
          });
        },
      }),
    );
    const { send, agent } = await startClient();
    const { seen, capture } = slowSink();
    const { failed } = await send(server.url, {}, { use, capture, timeoutMs: 60_000 });
    expect(failed?.failure.kind).toBe(kind);
    if (kind === undefined) expect(seen.bytes).toBe(bytes);
    expect(seen.early).toBe(0);
    expect(agent.inFlight).toBe(0);
  });

  test.each([true, false])('gets the whole body over TLS (HTTP/2: %s)', async (http2) => {
    const origin = await startHttp2(
      {
        '/large': (stream) => {
          stream.respond({ ':status': 200 });
          stream.end(Buffer.alloc(SIZE));
        },
      },
      { allowHTTP1: true },
    );
    const { send } = await startClient({ tls: { http2 } });
    const { seen, capture } = slowSink();
    for (const path of ['/large', '/large']) {
      const { failed } = await send(origin.url + path, {}, { capture, timeoutMs: 60_000 });
      expect(failed).toBeUndefined();
    }
    expect(seen.bytes).toBe(http2 ? 2 * SIZE : 4); // the server has other responses for HTTP/1.1
    expect(seen.early).toBe(0);
  });

  test.each(PARSERS)('keeps the rest of a large body at the server: %s', async (use) => {
    const large = 64 * 1024 ** 2;
    let sending: Socket | undefined;
    const server = await running(
      startRawServer({
        onRequest: ({ socket, target }) => {
          if (target === '/large') {
            sending = socket;
            socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${large}\r\n\r\n`);
            socket.write(Buffer.alloc(large));
          } else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        },
      }),
    );
    const { send } = await startClient();
    let ready = () => {};
    const isReady = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const { seen, capture } = slowSink(isReady);
    const sent = send(`${server.url}/large`, {}, { use, capture, timeoutMs: 60_000 });
    for (let turn = 0; turn < 300; turn += 1) await send(`${server.url}/small`);
    expect(seen.bytes, 'the sink waits').toBeLessThan(large / 2);
    expect(sending?.writableLength, 'and the server with it').toBeGreaterThan(0);
    ready();
    expect((await sent).failed).toBeUndefined();
    expect(seen.bytes).toBe(large);
  });

  test('gets large bodies over TLS, one after the other on one connection', async () => {
    const origin = await startHttps();
    const { send } = await startClient();
    const { seen, capture } = slowSink();
    for (let turn = 0; turn < 3; turn += 1) {
      const { failed } = await send(`${origin.url}/bytes/${SIZE}`, {}, { capture, timeoutMs: 60_000 });
      expect(failed).toBeUndefined();
    }
    await origin.close();
    expect([seen.bytes, seen.early, origin.connections]).toEqual([3 * SIZE, 0, 1]);
  });
});
