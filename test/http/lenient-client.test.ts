import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { startOrigin } from '../origin/origin.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { startHttps } from '../origin/tls.ts';
import { running, startClient } from './client.ts';

const LENGTH = 'Content-Length: 5\r\n\r\nhello';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const CHUNKS = '5\r\nhello\r\n0\r\n\r\n';
const GZIPPED = gzipSync('hello').toString('latin1');
const GZIPPED_CHUNKS = `${GZIPPED.length.toString(16)}\r\n${GZIPPED}\r\n0\r\n\r\n`;

/** Sends one GET whose response is these bytes; the server then closes the connection if `closes`. */
async function read(bytes: string, { strict = false, closes = false, method = 'GET', pieces = 1 } = {}) {
  const server = await running(
    startRawServer({
      onRequest: async ({ socket }) => {
        const data = Buffer.from(bytes, 'latin1');
        const size = Math.ceil(data.length / pieces);
        for (let at = 0; at < data.length; at += size) {
          socket.write(data.subarray(at, at + size));
          if (pieces > 1) await new Promise((resolve) => setImmediate(resolve));
        }
        if (closes) socket.end();
      },
    }),
  );
  const { send } = await startClient();
  const chunks: Buffer[] = [];
  const inspector = {
    write: (piece: Buffer) => void chunks.push(Buffer.from(piece)),
    end: () => {},
    stop: () => {},
  };
  const outcome = await send(
    server.url,
    { method },
    {
      use: strict ? 'any' : 'lenient',
      timeoutMs: 5_000,
      // The other members are not used here.
      inspectorFor: () => inspector as never,
    },
  );
  return { server, outcome, text: Buffer.concat(chunks).toString('latin1') };
}

/** What browsers and curl read, and undici's parser refuses. */
const REFUSED: Readonly<Record<string, string>> = {
  'an unsolicited 100': `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n${LENGTH}`,
  'a folded header line': `HTTP/1.1 200 OK\r\nX-A: one\r\n two\r\n${LENGTH}`,
  'bare LF': 'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello',
  'equal Content-Lengths': `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n${LENGTH}`,
  'a list of equal Content-Lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello',
  'Transfer-Encoding with Content-Length':
    'HTTP/1.1 200 OK\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'a space before the colon': `HTTP/1.1 200 OK\r\nX-A : b\r\n${LENGTH}`,
  'a line without a colon': `HTTP/1.1 200 OK\r\ngarbage\r\n${LENGTH}`,
  'a line with an empty name': `HTTP/1.1 200 OK\r\n: b\r\n${LENGTH}`,
  'a warning of PHP': `HTTP/1.1 200 OK\r\nPHP Warning: foo in /x.php on line 3\r\n${LENGTH}`,
  'a name that is not ASCII': `HTTP/1.1 200 OK\r\nX-\xfc: b\r\n${LENGTH}`,
  'a control character in a value': `HTTP/1.1 200 OK\r\nX-A: a\x01b\r\n${LENGTH}`,
  'headers of 70 kB': `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(70_000)}\r\n${LENGTH}`,
  'a lower-case status line': `http/1.1 200 OK\r\n${LENGTH}`,
  'a status line without a minor version': `HTTP/2 200 OK\r\n${LENGTH}`,
  'a later minor version': `HTTP/1.2 200 OK\r\n${LENGTH}`,
  'a tab before the status': `HTTP/1.1 \t200 OK\r\n${LENGTH}`,
  'a tab before the reason': `HTTP/1.1 200\tOK\r\n${LENGTH}`,
  'a CR before the reason': `HTTP/1.1 200\rOK\r\n${LENGTH}`,
  'no space before the reason': `HTTP/1.1 200OK\r\n${LENGTH}`,
  'Content-Lengths of one value': `HTTP/1.1 200 OK\r\nContent-Length: 5,05\r\n${LENGTH}`,
  'a list of codings that ends in a comma': CHUNKED.replace('chunked', 'chunked,') + CHUNKS,
  'a tab behind chunked': CHUNKED.replace('chunked', 'chunked\t') + CHUNKS,
  'a tab and a space behind chunked': CHUNKED.replace('chunked', 'chunked\t ') + CHUNKS,
  'identity after chunked': CHUNKED.replace('chunked', 'chunked, identity') + CHUNKS,
  'identity with a length': `HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n${LENGTH}`,
  'a padded chunk size': `${CHUNKED}5   \r\nhello\r\n0\r\n\r\n`,
  'space before a chunk extension': `${CHUNKED}5 ; a=b\r\nhello\r\n0\r\n\r\n`,
  'chunks with bare LF': `${CHUNKED}5\nhello\n0\n\n`,
  'a bare LF behind the last chunk': `${CHUNKED}5\r\nhello\r\n0\r\n\n`,
  'two CR at the ends of lines': 'HTTP/1.1 200 OK\r\r\nContent-Length: 5\r\r\n\r\r\nhello',
  'two CR at the ends of chunks': `${CHUNKED}5;a\r\r\nhello\r\r\n0\r\r\n\r\r\n`,
};

/** What is read in both ways. */
const ACCEPTED: Readonly<Record<string, string>> = {
  'a plain response': `HTTP/1.1 200 OK\r\n${LENGTH}`,
  'a response without a reason': `HTTP/1.1 200\r\n${LENGTH}`,
  'several chunks': `${CHUNKED}2\r\nhe\r\n3;a="b"\r\nllo\r\n0\r\nX-T: 1\r\n\r\n`,
  'leading zeros of a chunk size': `${CHUNKED}${'0'.repeat(40)}5\r\nhello\r\n0000\r\n\r\n`,
  'chunked in capitals': CHUNKED.replace('chunked', 'CHUNKED') + CHUNKS,
  'chunked twice': CHUNKED.replace('chunked', 'chunked, chunked') + CHUNKS,
  'two headers that say chunked':
    CHUNKED.replace('chunked', 'chunked\r\nTransfer-Encoding: chunked') + CHUNKS,
  'identity before chunked': CHUNKED.replace('chunked', 'identity, chunked') + CHUNKS,
  'spaces behind chunked': CHUNKED.replace('chunked', 'chunked  ') + CHUNKS,
  'a compressed transfer in chunks': CHUNKED.replace('chunked', 'gzip, chunked') + GZIPPED_CHUNKS,
  'no content coding, by a name that is not standard': `HTTP/1.1 200 OK\r\nContent-Encoding: none\r\n${LENGTH}`,
  'names of properties of objects': `HTTP/1.1 200 OK\r\nconstructor: a\r\n__proto__: b\r\n__proto__: c\r\n${LENGTH}`,
  'an empty Transfer-Encoding with a length': `HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n${LENGTH}`,
  'early hints': `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n${LENGTH}`,
};

/** What two readers could understand differently, or nobody understands. */
const AMBIGUOUS: readonly (readonly [string, string, string | RegExp])[] = [
  [
    'different Content-Lengths',
    `HTTP/1.1 200 OK\r\nContent-Length: 7\r\n${LENGTH}`,
    'there are different Content-Lengths',
  ],
  [
    'a Content-Length that is not a number',
    'HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello',
    /not a number/,
  ],
  ['a negative Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello', /not a number/],
  ['an empty Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello', /not a number/],
  [
    'a Content-Length in a list with an empty element',
    'HTTP/1.1 200 OK\r\nContent-Length: 5,\r\n\r\nhello',
    /not a number/,
  ],
  [
    'a Content-Length of 20 digits',
    'HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 99999999999999999999\r\n\r\nhello',
    'the Content-Length is too large',
  ],
  [
    'a second status line in the head',
    `HTTP/1.1 200 OK\r\nHTTP/1.1 301 Moved\r\n${LENGTH}`,
    /second status line/,
  ],
  ['a chunk size that is not a number', `${CHUNKED}xyz\r\nhello\r\n0\r\n\r\n`, 'a chunk has no valid size'],
  ['a space before a chunk size', `${CHUNKED} 5\r\nhello\r\n0\r\n\r\n`, 'a chunk has no valid size'],
  [
    'data behind the end of a chunk',
    `${CHUNKED}5\r\nhelloXX\r\n0\r\n\r\n`,
    'a chunk is longer than its size',
  ],
  [
    'a control character before chunked',
    CHUNKED.replace('chunked', '\v chunked') + CHUNKS,
    /coding is unknown/,
  ],
  ['NUL in a value', `HTTP/1.1 200 OK\r\nX-A: a\0b\r\n${LENGTH}`, 'there is a NUL in the headers'],
  ['NUL in a name', `HTTP/1.1 200 OK\r\nX\0A: b\r\n${LENGTH}`, 'there is a NUL in the headers'],
  ['a status of four digits', `HTTP/1.1 2000 OK\r\n${LENGTH}`, /status line/],
  ['a status below 100', `HTTP/1.1 099 OK\r\n${LENGTH}`, /status line/],
  ['a major version that does not exist', `HTTP/7.1 200 OK\r\n${LENGTH}`, /status line/],
  [
    'a switch to another protocol',
    `HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\n${LENGTH}`,
    'the server switched to another protocol',
  ],
  ['a negative chunk size', `${CHUNKED}-5\r\nhello\r\n0\r\n\r\n`, 'a chunk has no valid size'],
  ['another protocol that waits', 'SSH-2.0-OpenSSH_9.2p1\r\n', /status line/],
  ['an alert of TLS', '\x15\x03\x01\x00\x02\x02\x28', /status line/],
  ['a page without a head', '<html></html>', /status line/],
  ['another protocol behind empty lines', '\r\n\r\nRTSP/1.0 200 OK', /status line/],
  ['endless interim responses', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(40), 'too many interim responses'],
  ['headers of 300 kB', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(300_000)}`, 'headers over 256 KiB'],
  [
    'whole headers of 300 kB',
    `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(300_000)}\r\n${LENGTH}`,
    'headers over 256 KiB',
  ],
  ['a whole line of 20 kB', `${CHUNKED}5;${'a'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`, /too long/],
  ['endless trailers', `${CHUNKED}0\r\n${'A: b\r\n'.repeat(60_000)}`, 'trailers over 256 KiB'],
  ['an endless chunk extension', `${CHUNKED}5;${'a'.repeat(20_000)}`, /too long/],
];

describe('LenientClient', () => {
  test.each(Object.entries(REFUSED))('reads %s, which the strict parser refuses', async (_, bytes) => {
    const { server, outcome, text } = await read(bytes);
    expect(outcome).toMatchObject({ failed: undefined, response: { status: 200, bytes: 5 } });
    expect(text).toBe('hello');
    await server.ended.reached(1);
  });

  test.each(Object.entries(REFUSED))(
    '%s is reported as unparsable by the strict parser',
    async (_, bytes) => {
      const { outcome } = await read(bytes, { strict: true, closes: true });
      expect(outcome.failed).toMatchObject({ failure: { kind: 'protocol' }, isUnparsable: true });
    },
  );

  // The parser refuses the last byte that has come, and the connection stays open.
  test.each([
    ['in a chunk size', `${CHUNKED}5\n`],
    ['behind a chunk', `${CHUNKED}5\r\nhello\n`],
    ['behind the last chunk', `${CHUNKED}0\n`],
    ['in a trailer', `${CHUNKED}0\r\n\n`],
  ])('a bare LF %s that ends a packet is unparsable, not cut off', async (_, bytes) => {
    const { outcome } = await read(bytes, { strict: true });
    expect(outcome.failed).toMatchObject({
      failure: { kind: 'protocol' },
      isRetryable: false,
      isUnparsable: true,
    });
  });

  test.each(Object.entries(ACCEPTED))('reads %s as the strict parser does', async (_, bytes) => {
    for (const strict of [true, false]) {
      const { outcome, text } = await read(bytes, { strict });
      expect(outcome).toMatchObject({ failed: undefined, response: { status: 200 } });
      expect(text).toBe('hello');
    }
  });

  test.each(Object.entries({ ...REFUSED, ...ACCEPTED }))('reads %s in any pieces', async (_, bytes) => {
    const { outcome, text } = await read(bytes, { pieces: Math.min(bytes.length, 40) });
    expect([outcome.failed, text]).toEqual([undefined, 'hello']);
  });

  test.each(AMBIGUOUS)('refuses %s', async (_, bytes, message) => {
    const { outcome } = await read(bytes);
    expect(outcome.failed).toMatchObject({
      failure: { kind: 'protocol', message: expect.stringMatching(message) },
      isRetryable: false,
    });
    expect(outcome.failed?.isUnparsable, 'another lenient read would not help').toBeUndefined();
  });

  const UNKNOWN = ['foo', 'foo, chunked', 'chunked, gzip', 'xchunked', '"chunked"', 'chunked;q=1'];
  test.each(UNKNOWN)('refuses the transfer coding %j as the strict parser does', async (coding) => {
    const bytes = CHUNKED.replace('chunked', coding) + CHUNKS;
    for (const strict of [true, false]) {
      const { outcome } = await read(bytes, { strict });
      expect(outcome.failed?.failure, `strict: ${strict}`).toEqual({
        kind: 'protocol',
        message: expect.stringContaining('the transfer coding is unknown: '),
      });
    }
  });

  test.each([
    ['to the end of the connection', `HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n${GZIPPED}`],
    [
      'whatever the Content-Length says',
      `HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n${GZIPPED}`,
    ],
  ])('reads a compressed transfer %s', async (_, bytes) => {
    const { outcome, text } = await read(bytes, { closes: true });
    expect([outcome.failed, text]).toEqual([undefined, 'hello']);
  });

  // Each has the size of the largest head. Reading one took minutes where the time grew with the square of the size.
  test.each([
    ['empty values of one name', 'a:\n'.repeat(85_000)],
    ['folded lines', `X: a\n${' b\n'.repeat(85_000)}`],
    ['spaces in a value', `X: ${' '.repeat(255_000)}b\n`],
    ['CR in a line', `X: ${'\r'.repeat(255_000)}b\n`],
    ['commas in a list', `Transfer-Encoding: chunked${','.repeat(255_000)}\n`],
  ])('reads a head full of %s at once', async (_, lines) => {
    const { outcome } = await read(`HTTP/1.1 200 OK\n${lines}\n`, { closes: true });
    expect(outcome.response?.status).toBe(200);
  });

  test.each([
    ['a body without a length', 'HTTP/1.1 200 OK\r\nX A: b\r\n\r\nhello', undefined],
    ['a body that is cut', 'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello', 'reset'],
    ['a chunk that is cut', `${CHUNKED}50\r\nhello`, 'reset'],
    ['a trailer that is cut', `${CHUNKED}5\r\nhello\r\n0\r\n`, 'reset'],
    ['a head that is cut', 'HTTP/1.1 200 OK\r\nContent-Le', 'reset'],
    ['a status line that is cut', 'HTTP/1.1 2', 'reset'],
    ['no response', '', 'reset'],
  ])('reads %s to the end of the connection: %3$s', async (_, bytes, kind) => {
    const { outcome } = await read(bytes, { closes: true });
    expect(outcome.failed?.failure.kind).toBe(kind);
  });

  test('reads no body after HEAD, 204 and 304', async () => {
    const head = await read(`HTTP/1.1 200 OK\r\n${LENGTH}`, { method: 'HEAD' });
    expect([head.outcome.response?.status, head.text]).toEqual([200, '']);
    for (const status of [204, 304]) {
      const { outcome, text } = await read(`HTTP/1.1 ${status} X\r\n${LENGTH}`);
      expect([outcome.response?.status, text]).toEqual([status, '']);
    }
  });

  test('keeps headers as they came, with folded and repeated ones', async () => {
    const { outcome } = await read(
      `HTTP/1.1 200 OK\r\nX-A: one\r\n\ttwo\r\nx-a: three\r\nX-B:\r b\r\n${LENGTH}`,
    );
    expect(outcome.response?.headers).toEqual({
      'x-a': ['one two', 'three'],
      'x-b': 'b',
      'content-length': '5',
    });
  });

  test('sends the headers of the request, the host, and that the connection is closed', async () => {
    const { server } = await read(`HTTP/1.1 200 OK\r\n${LENGTH}`);
    const [head = ''] = server.heads;
    expect(head.split('\r\n').slice(0, 3)).toEqual([
      'GET / HTTP/1.1',
      `host: ${new URL(server.url).host}`,
      'connection: close',
    ]);
  });

  test.each([
    ['text', 'é', 2],
    ['bytes', new Uint8Array([0, 1, 2]), 3],
    ['nothing', undefined, 0],
  ])('sends a body of %s with its length', async (_, body, length) => {
    const origin = await running(startOrigin());
    const { send } = await startClient();
    const { response } = await send(`${origin.url}/echo`, { method: 'POST', body }, { use: 'lenient' });
    expect(response?.status).toBe(200);
    expect(origin.log[0]?.headers['content-length']).toBe(`${length}`);
  });

  test('works over TLS', async () => {
    const origin = await running(startHttps());
    const { send } = await startClient();
    const { response } = await send(`${origin.url}/ok`, {}, { use: 'lenient' });
    expect(response).toMatchObject({ status: 200, bytes: 3 });
  });

  test('is ended by an abort in the body', async () => {
    const server = await running(
      startRawServer({
        onRequest: ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe'),
      }),
    );
    const { send } = await startClient();
    const { failed } = await send(server.url, {}, { use: 'lenient', timeoutMs: 100 });
    expect(failed?.failure.kind).toBe('timeout');
    await server.ended.reached(1);
  });
});
