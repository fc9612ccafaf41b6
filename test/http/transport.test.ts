import { describe, expect, onTestFinished, test } from 'vitest';
import type { AttemptOutcome } from '../../src/http/attempt.ts';
import type { FailureKind } from '../../src/model/failure.ts';
import * as hostile from '../origin/hostile.ts';
import { startOrigin } from '../origin/origin.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { okAnswer } from '../origin/script.ts';
import * as tls from '../origin/tls.ts';
import { running, startClient } from './client.ts';

describe('AgentTransport.attempt()', () => {
  test('reads no body in the response to HEAD, whatever its headers', async () => {
    const origin = await running(startOrigin());
    const { send } = await startClient();
    for (const path of ['/gzip/100', '/gzip-garbage/100', '/bytes/100', '/chunked/100']) {
      expect((await send(origin.url + path, { method: 'HEAD' })).response).toMatchObject({
        status: 200,
        bytes: 0,
      });
    }
  });

  test('truncates a body above maxBytes, and closes its connection', async () => {
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
  ])('fails on the body of %s, but not without decompressing it', async (path, message) => {
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
});

describe('a hostile server', () => {
  const servers = { ...hostile };

  const RETRYABLE = true;

  const FINAL = false;

  const CUT_OFF = 'the connection ended before the body was complete';

  const MALFORMED = 'the headers of the response are malformed';

  const NOT_HTTP = /^Response does not match the HTTP\/1.1 protocol \(\w.*\)$/;

  const NO_CERTIFICATE = 'the server closed the connection without a response';

  const TIME_IS_UP = /^no complete response within 150ms$/;

  interface Server {
    readonly url: string;
    close?(): Promise<void>;
  }

  async function outcomeOf(starting: Promise<Server>, timeoutMs: number): Promise<AttemptOutcome> {
    const server = await starting;
    onTestFinished(() => server.close?.());
    const { send } = await startClient();
    return send(server.url, {}, { timeoutMs });
  }

  /** Checks the kind, whether it is retryable, and that the message is one readable line. */
  function expectFailure(
    outcome: AttemptOutcome,
    kind: FailureKind,
    isRetryable: boolean,
    message: string | RegExp,
  ) {
    expect(outcome.failed?.failure).toMatchObject({
      kind,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
    expect(outcome.failed?.failure.message, 'the message is one readable line').toMatch(
      /^[\x20-\x7e]{5,200}$/,
    );
    expect(outcome.failed?.isRetryable, 'whether it is retryable').toBe(isRetryable);
  }

  test.each<[keyof typeof servers, FailureKind, boolean, string | RegExp]>([
    ['refusedPort', 'connect', RETRYABLE, /^connect ECONNREFUSED 127\.0\.0\.1:\d+$/],
    ['resetBeforeAnswer', 'reset', RETRYABLE, 'connection reset by the server'],
    ['closeWithoutAnswer', 'reset', RETRYABLE, 'the server closed the connection without a response'],
    ['unsolicitedUpgrade', 'protocol', RETRYABLE, /not asked for$/],
    ['continueFirst', 'protocol', RETRYABLE, /not asked for$/], // undici refuses what RFC 9110 (15.2) allows
    ['sshBanner', 'protocol', FINAL, NOT_HTTP],
    ['binaryGarbage', 'protocol', FINAL, NOT_HTTP],
    ['http09Body', 'protocol', FINAL, NOT_HTTP],
    ['http12StatusLine', 'protocol', FINAL, NOT_HTTP],
    ['lowerCaseProtocol', 'protocol', FINAL, NOT_HTTP],
    ['status1000', 'protocol', FINAL, NOT_HTTP],
    ['status99', 'protocol', FINAL, NOT_HTTP],
    ['status099', 'protocol', FINAL, 'the response is not valid HTTP'],
    ['bareLf', 'protocol', FINAL, NOT_HTTP],
    ['controlLocation', 'protocol', FINAL, NOT_HTTP],
    ['escapeLocation', 'protocol', FINAL, NOT_HTTP],
    ['badContentLength', 'protocol', FINAL, NOT_HTTP],
    ['negativeContentLength', 'protocol', FINAL, NOT_HTTP],
    ['oversizedHeader', 'protocol', FINAL, 'headers over 64 KiB'],
    ['endlessHeader', 'protocol', FINAL, 'headers over 64 KiB'],
    ['bareCr', 'protocol', FINAL, MALFORMED],
    ['nulInHeader', 'protocol', FINAL, MALFORMED],
    ['foldedHeader', 'protocol', FINAL, MALFORMED],
    ['spaceBeforeColon', 'protocol', FINAL, MALFORMED],
    ['headerWithoutColon', 'protocol', FINAL, MALFORMED],
    ['escapeInContentType', 'protocol', FINAL, MALFORMED],
    ['duplicateContentLength', 'protocol', FINAL, MALFORMED],
    ['mismatchingContentLength', 'protocol', FINAL, MALFORMED],
    ['lengthAndChunked', 'protocol', FINAL, MALFORMED],
  ])('%s without a response is %s (retryable: %s)', async (name, kind, isRetryable, message) => {
    const outcome = await outcomeOf(servers[name](), 10_000);
    expectFailure(outcome, kind, isRetryable, message);
    expect(outcome.response, 'there is no response').toBeUndefined();
  });

  test.each<[keyof typeof servers, FailureKind, boolean, string | RegExp, number]>([
    ['truncatedBody', 'reset', RETRYABLE, CUT_OFF, 400],
    ['truncatedChunk', 'reset', RETRYABLE, CUT_OFF, 5],
    ['missingLastChunk', 'reset', RETRYABLE, CUT_OFF, 5],
    ['resetInBody', 'reset', RETRYABLE, 'connection reset by the server', 1000],
    ['badChunkSize', 'protocol', FINAL, NOT_HTTP, 5],
    ['hugeChunkSize', 'protocol', FINAL, NOT_HTTP, 0],
  ])('%s in the body is %s (retryable: %s), with the status of the response', async (...row) => {
    const [name, kind, isRetryable, message, bytes] = row;
    const outcome = await outcomeOf(servers[name](), 10_000);
    expectFailure(outcome, kind, isRetryable, message);
    expect(outcome.response).toMatchObject({ status: 200, bytes });
  });

  test.each([
    ['Content-Length: 1000', 'hello'],
    ['Transfer-Encoding: chunked', '10\r\nhello'],
    ['Transfer-Encoding: chunked', '5\r\nhello\r\n'],
  ])('a body cut off after "Connection: close" with %s is a reset', async (header, body) => {
    const bytes = `HTTP/1.1 200 OK\r\nConnection: close\r\n${header}\r\n\r\n${body}`;
    const server = startRawServer({ onRequest: ({ socket }) => socket.end(bytes) });
    const outcome = await outcomeOf(server, 10_000);
    expectFailure(outcome, 'reset', RETRYABLE, CUT_OFF);
    expect(outcome.response).toMatchObject({ status: 200, bytes: 5 });
  });

  test.each(
    (['any', 'lenient'] as const).flatMap(
      (use) =>
        [
          [use, 'HTTP/1.1 200 OK\r\n\r\n'],
          [use, 'HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n'],
          [use, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n'],
        ] as const,
    ),
  )('a reset in a body without a length is no end of it (%s): %j', async (use, head) => {
    let reset: (() => void) | undefined;
    const server = await running(
      startRawServer({
        onRequest: ({ socket }) => {
          reset = () => socket.resetAndDestroy();
          socket.write(`${head}hello`);
        },
      }),
    );
    const { send } = await startClient();
    // The body has arrived when the server resets the connection.
    const inspector = { write: () => void reset?.(), end: () => {}, stop: () => {} } as never;
    const outcome = await send(server.url, {}, { use, inspectorFor: () => inspector });
    expectFailure(outcome, 'reset', RETRYABLE, 'connection reset by the server');
    expect(outcome.response).toMatchObject({ status: 200, bytes: 5 });
  });

  test('a connection that is reset when it is accepted fails on connect or on the first write', async () => {
    const outcome = await outcomeOf(hostile.resetOnAccept(), 10_000);
    expect(outcome.failed?.failure.kind).toMatch(/^(connect|reset)$/);
    expect(outcome.failed?.isRetryable).toBe(true);
  });

  test('an attempt that has used up its time is a timeout, without a warning of Node', async () => {
    const warnings: string[] = [];
    const warned = ({ name }: Error) => warnings.push(name);
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const server = await running(hostile.hangAfterAccept());
    const { send } = await startClient();
    const outcome = await send(server.url, {}, { timeoutMs: 150, elapsedMs: 200 });
    expectFailure(outcome, 'timeout', RETRYABLE, TIME_IS_UP);
    await new Promise(setImmediate); // a warning comes with the next tick
    expect(warnings).toEqual([]);
  });

  test.each(['http', 'https'])('a lookup that takes too long is a failure of DNS: %s', async (scheme) => {
    const { send, agent } = await startClient({ lookUp: () => new Promise(() => {}), tls: { http2: true } });
    const outcome = await send(`${scheme}://a.test/`, {}, { timeoutMs: 150 });
    expectFailure(outcome, 'dns', RETRYABLE, /^the lookup took longer than 150ms \(ETIMEOUT\)$/);
    expect(agent.inFlight).toBe(0);
  });

  test.each(['http', 'https'])(
    'the wait for the turn of a lookup counts for no timeout: %s',
    async (scheme) => {
      const origin = scheme === 'http' ? await running(startOrigin()) : await running(tls.startHttps());
      const timeoutMs = 1_000;
      const client = await startClient({
        maxLookups: 1,
        lookUp: async (name) => {
          if (name === 'a.test') await new Promise((resolve) => setTimeout(resolve, 2 * timeoutMs));
          return ['127.0.0.1'];
        },
        tls: { http2: true },
      });
      const send = (host: string, more: object) =>
        client.send(`${scheme}://${host}:${new URL(origin.url).port}/ok`, {}, more);
      const slow = send('a.test', { timeoutMs: 60_000 });
      const outcomes = [slow, ...[1, 2].map(() => send('localhost', { timeoutMs }))];
      const seen = await Promise.all(outcomes);
      expect(seen.map(({ failed }) => failed?.failure.kind)).toEqual([
        scheme === 'https' ? 'tls' : undefined,
        undefined,
        undefined,
      ]);
      for (const { durationMs } of seen.slice(1)) expect(durationMs).toBeLessThan(timeoutMs);
    },
  );

  test.each(['hangAfterAccept', 'dripHead', 'dripBody'] as const)(
    '%s is a timeout, and its socket is closed',
    async (name) => {
      const server = await running(servers[name]());
      const { send, agent } = await startClient();
      const outcome = await send(server.url, {}, { timeoutMs: 150 });
      expectFailure(outcome, 'timeout', RETRYABLE, TIME_IS_UP);
      expect(outcome.failed?.failure.code).toBe('ERR_TIMEOUT');
      await server.ended.reached(1);
      expect([server.accepted.count, agent.inFlight]).toEqual([1, 0]);
    },
  );

  test.each<[keyof typeof servers, number, number]>([
    ['noContentWithLength', 204, 0],
    ['noContentWithBody', 204, 0],
    ['notModifiedWithLength', 304, 0],
    ['notModifiedWithLengthAndClose', 304, 0],
    ['earlyHintsFirst', 200, 2],
    ['processingFirst', 200, 2],
    ['http10WithoutLength', 200, 5],
    ['http11WithoutLength', 200, 5],
    ['http09StatusLine', 200, 2],
    ['noReason', 200, 2],
    ['status999', 999, 2],
    ['largeHeader', 200, 2],
    ['utf8Header', 200, 2],
    ['utf8Reason', 404, 2],
    ['escapeInReason', 404, 2],
    ['trailers', 200, 5],
    ['extraBytes', 200, 5],
    ['secondAnswer', 200, 5],
    ['closeAfterAnswer', 200, 2],
    ['finAfterLargeBody', 200, 256 * 1024],
  ])('%s is a response of status %i with %i bytes', async (name, status, bytes) => {
    const { failed, response } = await outcomeOf(servers[name](), 10_000);
    expect(failed).toBeUndefined();
    expect(response).toMatchObject({ status, bytes, isTruncated: false });
  });

  test.each<[keyof typeof tls, FailureKind, boolean, string | RegExp, RegExp]>([
    ['startExpired', 'tls', FINAL, 'certificate has expired', /^CERT_HAS_EXPIRED$/],
    ['startNotYetValid', 'tls', FINAL, 'certificate is not yet valid', /^CERT_NOT_YET_VALID$/],
    ['startSelfSigned', 'tls', FINAL, 'self-signed certificate', /^DEPTH_ZERO_SELF_SIGNED_CERT$/],
    [
      'startWrongHost',
      'tls',
      FINAL,
      /does not match certificate's altnames/,
      /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    ],
    ['startPlainBehindHttps', 'tls', RETRYABLE, /^[\w ]+ \(is this a plain HTTP port\?\)$/, /^ERR_SSL_/],
    ['startGarbageHandshake', 'tls', RETRYABLE, /^[\w ]+ \(is this a plain HTTP port\?\)$/, /^ERR_SSL_/],
    ['startOldTls', 'tls', RETRYABLE, /^[\w ]*(version|protocol)[\w ]*$/, /^ERR_SSL_/],
    [
      'startResetHandshake',
      'tls',
      RETRYABLE,
      /ended the connection during the TLS handshake$/,
      /^ECONNRESET$/,
    ],
    [
      'startClosedHandshake',
      'tls',
      RETRYABLE,
      /ended the connection during the TLS handshake$/,
      /^ECONNRESET$/,
    ],
    ['startTlsBehindHttp', 'reset', RETRYABLE, NO_CERTIFICATE, /^UND_ERR_SOCKET$/],
  ])('%s is %s (retryable: %s)', async (name, kind, isRetryable, message, code) => {
    const starters = { ...tls, caPem: () => Promise.reject(new Error('no server')) };
    const outcome = await outcomeOf(starters[name](), 10_000);
    expectFailure(outcome, kind, isRetryable, message);
    expect(outcome.failed?.failure.code).toMatch(code);
    expect(outcome.response).toBeUndefined();
  });

  test('a server that requires a client certificate fails without one', async () => {
    const { failed } = await outcomeOf(tls.startMutualTls(), 10_000);
    expect(failed?.failure.kind).toMatch(/^(tls|reset)$/); // with TLS 1.3 an alert after the handshake, or a closed connection
    expect(failed?.failure.message).toMatch(/^[\x20-\x7e]{5,80}$/);
  });

  test.each([
    ['the timeout of the attempt', { timeoutMs: 150 }, {}, 'ERR_TIMEOUT'],
    ['the connect timeout', {}, { connectTimeoutMs: 150 }, 'ERR_CONNECT_TIMEOUT'],
  ])('%s ends a stalled TLS handshake and closes the socket', async (_name, options, clientOptions, code) => {
    const server = await running(tls.startStalledHandshake());
    const { send } = await startClient(clientOptions);
    const { failed } = await send(server.url, {}, options);
    expect(failed).toMatchObject({ failure: { kind: 'timeout', code }, isRetryable: true });
    expect(failed?.failure.message).toMatch(/ within 150ms$/);
    await server.ended.reached(1);
    expect(server.accepted.count).toBe(1);
  });
});

describe('a hostile response on a reused connection', () => {
  const servers = { ...hostile };

  test.each([
    'truncatedBody',
    'badChunkSize',
    'bareCr',
    'extraBytes',
    'secondAnswer',
    'unsolicitedUpgrade',
  ] as const)('%s twice does not affect the next origin', async (name) => {
    const odd = await running(servers[name]());
    const good = await running(startRawServer({ onRequest: ({ socket }) => socket.write(okAnswer('good')) }));
    const { send, agent } = await startClient();
    const first = await send(odd.url);
    const second = await send(odd.url);
    expect(second.failed?.failure, 'the second time is like the first').toEqual(first.failed?.failure);
    expect(second.response?.bytes).toBe(first.response?.bytes);
    expect((await send(good.url)).response).toMatchObject({ status: 200, bytes: 4 });
    expect(agent.inFlight).toBe(0);
  });

  test('bytes after a response on a reused connection do not become the next response', async () => {
    const server = await running(
      startRawServer({
        onRequest: ({ socket, target }) => {
          const extra = target === '/odd' ? 'HTTP/1.1 500 Odd\r\nContent-Length: 0\r\n\r\ngarbage' : '';
          socket.write(okAnswer('x'.repeat(target.length)) + extra);
        },
      }),
    );
    const { send } = await startClient();
    const statuses: unknown[] = [];
    for (const path of ['/odd', '/right', '/odd', '/odd', '/right!']) {
      const { response, failed } = await send(`${server.url}${path}`);
      statuses.push([failed?.failure.message, response?.status, response?.bytes === path.length]);
    }
    expect(statuses).toEqual(Array.from({ length: 5 }, () => [undefined, 200, true]));
  });
});
