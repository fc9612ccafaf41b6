import { randomBytes } from 'node:crypto';
import { brotliCompressSync, crc32, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Body } from '../../src/bodies/body.ts';
import type { BodySink } from '../../src/bodies/body-sink.ts';
import { DecodeError, decoderFor } from '../../src/bodies/decompress.ts';
import { filler } from '../origin/filler.ts';
import { countTurns } from './count-turns.ts';

const TEXT = filler(100_000);
const gzip = (bytes: Buffer) => gzipSync(bytes);

/** A sink that calls `take` for each piece, and then is ready for the next at once or when the promise is fulfilled. */
function sinkOf(take: (piece: Buffer) => Promise<void> | void): BodySink {
  return { write: (piece) => take(piece) ?? undefined, end: () => undefined, drop: () => undefined };
}

/** A gzip stream of about `megabytes` that decodes to nothing: endless empty blocks. */
function emptyBlocks(megabytes: number): Buffer {
  const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
  return Buffer.concat([head, Buffer.alloc(megabytes * 1_000_000, Buffer.from([0, 0, 0, 0xff, 0xff]))]);
}

/** Takes bytes in pieces, as a socket gives them, until the body has enough. */
function take(bytes: Buffer, contentEncoding?: string, { maxBytes = 1e6, pieceBytes = 1000 } = {}) {
  const body = new Body({ maxBytes, contentEncoding });
  let consumed = 0;
  while (consumed < bytes.length && !body.isOverLimit) {
    body.write(bytes.subarray(consumed, consumed + pieceBytes));
    consumed += pieceBytes;
  }
  if (!body.isOverLimit) body.end();
  return { bytes: body.bytes, isOverLimit: body.isOverLimit, consumed: Math.min(consumed, bytes.length) };
}

test.each([
  ['gzip', gzip(TEXT)],
  ['x-gzip', gzip(TEXT)],
  ['GZip', gzip(TEXT)],
  ['br', brotliCompressSync(TEXT)],
  ['deflate', deflateSync(TEXT)],
  ['deflate', deflateRawSync(TEXT)],
  ['identity', TEXT],
  ['', TEXT],
  [' , ', TEXT],
  ['gzip, br', brotliCompressSync(gzip(TEXT))],
  ['identity, deflate ,gzip', gzip(deflateSync(TEXT))],
  ['gzip', Buffer.concat([gzip(TEXT.subarray(0, 40_000)), gzip(TEXT.subarray(40_000))])],
])('a body in "%s" is measured decoded, in pieces of any size', (coding, bytes) => {
  for (const pieceBytes of [1, 7, 1000, 1e6]) {
    const { bytes: length, isOverLimit } = take(bytes, coding, { pieceBytes });
    expect([length, isOverLimit], `in pieces of ${pieceBytes} bytes`).toEqual([TEXT.length, false]);
  }
});

/** A gzip body whose header has these flags and fields (RFC 1952, 2.3). */
function gzipWithFields(flags: number, fields: Buffer): Buffer {
  const plain = gzip(TEXT);
  const head = Buffer.concat([plain.subarray(0, 10), fields]);
  head[3] = flags;
  const checksum = Buffer.alloc(2);
  checksum.writeUInt16LE(crc32(head) & 0xffff);
  return Buffer.concat([head, ...((flags & 2) === 0 ? [] : [checksum]), plain.subarray(10)]);
}

const EXTRA = Buffer.from('\x03\0abc');
const NAMES = Buffer.from('name\0comment\0');

test.each([
  ['an extra field', gzipWithFields(4, EXTRA)],
  ['a name', gzipWithFields(8, Buffer.from('name\0'))],
  ['a name and a comment', gzipWithFields(24, NAMES)],
  ['a header with a checksum', gzipWithFields(2, Buffer.alloc(0))],
  ['everything', gzipWithFields(31, Buffer.concat([EXTRA, NAMES]))],
  ['everything, twice', gzip(gzipWithFields(31, Buffer.concat([EXTRA, NAMES])))],
])('a gzip body with %s is decoded, in pieces of any size', (name, bytes) => {
  const coding = name.endsWith('twice') ? 'gzip, gzip' : 'gzip';
  for (const pieceBytes of [1, 7, 1e6]) {
    expect(take(bytes, coding, { pieceBytes }).bytes, `in pieces of ${pieceBytes}`).toBe(TEXT.length);
  }
});

const JUNK = ['JUNK', '\0\0\0', '\x1f\x8a', '\r\n', 'x'.repeat(100_000)].map((text) =>
  Buffer.from(text, 'latin1'),
);

test.each([
  ['gzip', gzip(TEXT)],
  ['gzip', Buffer.concat([gzip(TEXT.subarray(0, 40_000)), gzip(TEXT.subarray(40_000))])],
  ['br', brotliCompressSync(TEXT)],
  ['deflate', deflateSync(TEXT)],
  ['deflate', deflateRawSync(TEXT)],
  ['br, gzip', gzip(brotliCompressSync(TEXT))],
])('what follows a whole body in %s is ignored, as browsers do (%#)', (coding, bytes) => {
  for (const junk of JUNK) {
    for (const pieceBytes of [1, 1000, 1e6]) {
      const { bytes: length } = take(Buffer.concat([bytes, junk]), coding, { pieceBytes });
      expect(length, `${junk.length} bytes of junk, in pieces of ${pieceBytes}`).toBe(TEXT.length);
    }
  }
});

test.each(['zstd', 'compress', 'gzip, dcb', 'gzip;q=1', 'gzip, gzip, gzip, gzip'])(
  'a body in "%s", which is not supported, is taken as it is',
  (coding) => {
    expect(take(filler(5000), coding)).toMatchObject({ bytes: 5000, isOverLimit: false });
  },
);

test.each([undefined, 'gzip', 'br', 'deflate', 'gzip, br'])('an empty body in %s is empty', (coding) => {
  expect(take(Buffer.alloc(0), coding)).toMatchObject({ bytes: 0, isOverLimit: false });
});

test.each([
  ['gzip', gzip(TEXT).subarray(0, -9)],
  ['gzip', gzip(TEXT).subarray(0, 5)],
  ['gzip', Buffer.concat([gzip(TEXT), gzip(TEXT).subarray(0, 50)])],
  ['br', brotliCompressSync(TEXT).subarray(0, -3)],
  ['deflate', deflateSync(TEXT).subarray(0, -6)],
  ['deflate', deflateRawSync(TEXT).subarray(0, -3)],
  ['gzip, br', brotliCompressSync(gzip(TEXT).subarray(0, -9))],
  ['gzip, br', brotliCompressSync(gzip(TEXT)).subarray(0, -3)],
  ['gzip', TEXT],
  ['gzip', Buffer.concat([gzip(TEXT).subarray(0, -8), Buffer.alloc(8)])],
  ['gzip', gzip(TEXT).subarray(0, -1)],
  ['gzip', gzip(TEXT).subarray(0, -8)],
  ['gzip', Buffer.concat([gzip(TEXT), Buffer.from([0x1f])])],
  ['gzip', Buffer.concat([gzip(TEXT), Buffer.from([0x1f, 0x8b, 0xff, 0])])],
  ['gzip', Buffer.concat([gzip(TEXT).subarray(0, -4), Buffer.alloc(4)])],
  ['gzip', gzipWithFields(0x20, Buffer.alloc(0))],
  ['gzip', gzipWithFields(8, Buffer.alloc(100_000, 'x'))],
  ['gzip', gzipWithFields(2, Buffer.alloc(0)).fill(0, 10, 12)],
  ['gzip', deflateSync(TEXT)],
  ['br', randomBytes(64).fill(0xff)],
  ['deflate', Buffer.concat([Buffer.from([0x78, 0x9c]), TEXT])],
])('a cut or broken %s body is a DecodeError that names the coding (%#)', (coding, bytes) => {
  const decode = () => take(bytes, coding);
  expect(decode).toThrow(DecodeError);
  expect(decode).toThrow(/^the (gzip|br|deflate) body is broken: \S/);
});

test.each([
  ['plain', undefined, (bytes: Buffer) => bytes],
  ['gzip', 'gzip', gzip],
  ['brotli', 'br', (bytes: Buffer) => brotliCompressSync(bytes)],
  ['stacked', 'gzip, br', (bytes: Buffer) => brotliCompressSync(gzip(bytes))],
])(
  'a %s body of exactly the limit is whole, and one byte more is over the limit',
  (_name, coding, encode) => {
    for (const maxBytes of [1, 1000, 70_000]) {
      const noise = randomBytes(maxBytes + 1); // does not shrink: its encoded form is larger than the limit
      const options = { maxBytes };
      expect(take(encode(noise.subarray(1)), coding, options), `exactly ${maxBytes}`).toMatchObject({
        bytes: maxBytes,
        isOverLimit: false,
      });
      expect(take(encode(noise), coding, options), `over ${maxBytes} by one`).toMatchObject({
        bytes: maxBytes,
        isOverLimit: true,
      });
    }
  },
);

test('a limit of 0 accepts only an empty body', () => {
  expect(take(Buffer.alloc(0), undefined, { maxBytes: 0 }).isOverLimit).toBe(false);
  expect(take(gzip(Buffer.alloc(0)), 'gzip', { maxBytes: 0 })).toMatchObject({
    bytes: 0,
    isOverLimit: false,
  });
  expect(take(Buffer.from('x'), undefined, { maxBytes: 0 }).isOverLimit).toBe(true);
});

test.each([
  ['gzip', gzipSync(Buffer.alloc(100_000_000))],
  ['br', brotliCompressSync(Buffer.alloc(100_000_000), { params: { 1: 3 } })],
  ['gzip, gzip', gzipSync(gzipSync(Buffer.alloc(100_000_000)))],
])('a %s bomb is not decoded far beyond the limit', (coding, bomb) => {
  const before = process.memoryUsage.rss();
  const { bytes, isOverLimit, consumed } = take(bomb, coding, { maxBytes: 10_000, pieceBytes: 1e6 });
  expect([bytes, isOverLimit]).toEqual([10_000, true]);
  expect(consumed).toBeLessThanOrEqual(bomb.length);
  expect(process.memoryUsage.rss() - before, 'growth of memory').toBeLessThan(40e6);
});

test('an encoded body that never decodes to anything is over the limit at some point', () => {
  const nothing = gzip(Buffer.alloc(0));
  const endless = Buffer.concat(Array.from({ length: 20_000 }, () => nothing));
  const { bytes, isOverLimit, consumed } = take(endless, 'gzip', { maxBytes: 1000 });
  expect([bytes, isOverLimit]).toEqual([0, true]);
  expect(consumed).toBeLessThan(endless.length / 2);
});

test('a gzip body of many empty members gives way to other work', async () => {
  const body = new Body({ maxBytes: 1e6, contentEncoding: 'gzip' });
  const written = body.write(Buffer.concat(Array.from({ length: 1000 }, () => gzip(Buffer.alloc(0)))));
  expect(written).toBeInstanceOf(Promise);
  await written;
  await body.end();
  expect(body.bytes).toBe(0);
});

test('a tiny brotli body that expands to 200 MB is decoded in little memory where there is no limit', async () => {
  const zeros = brotliCompressSync(Buffer.alloc(200_000_000), { params: { 1: 3 } });
  const body = new Body({ maxBytes: Number.POSITIVE_INFINITY, contentEncoding: 'br' });
  const before = process.memoryUsage.rss();
  body.write(zeros);
  await body.end();
  expect([body.bytes, body.isOverLimit]).toEqual([200_000_000, false]);
  expect(process.memoryUsage.rss() - before, 'growth of memory').toBeLessThan(150e6);
});

test('one step of a brotli body of zeros puts out 32 MiB at most', () => {
  const zeros = brotliCompressSync(Buffer.alloc(200_000_000), { params: { 1: 3, 2: 24 } });
  const decoder = decoderFor('br', Number.POSITIVE_INFINITY);
  let [largest, before] = [0, 0];
  for (const _ of decoder?.write(zeros) ?? []) {
    const { outputBytes = 0 } = decoder ?? {};
    largest = Math.max(largest, outputBytes - before);
    before = outputBytes;
  }
  expect([before, largest <= 32 * 1024 ** 2]).toEqual([200_000_000, true]);
});

test('the sink gets the body decoded and in order, and nothing beyond the limit', () => {
  const given: Buffer[] = [];
  const sink = sinkOf((piece) => void given.push(piece));
  const body = new Body({ maxBytes: 1e6, contentEncoding: 'gzip', sink });
  const bytes = gzip(TEXT);
  for (let at = 0; at < bytes.length; at += 100) body.write(bytes.subarray(at, at + 100));
  body.end();
  expect(Buffer.concat(given).equals(TEXT)).toBe(true);

  given.length = 0;
  const small = new Body({ maxBytes: 10, sink });
  small.write(Buffer.alloc(8));
  small.write(Buffer.alloc(8));
  expect(Buffer.concat(given)).toHaveLength(8);
});

test.each([
  ['zstd', 'an unknown coding, "zstd"'],
  ['aws-chunked, gzip', 'an unknown coding, "aws-chunked"'],
  ['gzip, utf-8', 'an unknown coding, "utf-8"'],
  ['gzip, gzip, gzip', 'more than 2 codings'],
])('a body in "%s" is neither saved nor searched as it is', (contentEncoding, message) => {
  const sink = sinkOf(() => {});
  const saved = new Body({ maxBytes: 1e6, contentEncoding, sink });
  expect(() => saved.write(gzip(TEXT))).toThrow(new DecodeError(`the body has ${message}`, undefined));
  const dropped = new Body({ maxBytes: 1e6, contentEncoding });
  dropped.write(gzip(TEXT));
  expect(dropped.bytes).toBe(gzip(TEXT).length);
});

const fastBrotli = (bytes: Buffer) => brotliCompressSync(bytes, { params: { 1: 3 } });

test.each([
  ['gzip', gzipSync(Buffer.alloc(50_000_000))],
  ['br', fastBrotli(Buffer.alloc(50_000_000))],
  ['deflate', deflateSync(Buffer.alloc(50_000_000))],
  ['gzip, br', fastBrotli(emptyBlocks(50))],
  ['gzip, deflate', deflateSync(emptyBlocks(50))],
  ['deflate, gzip', gzipSync(deflateSync(Buffer.alloc(50_000_000)))],
])('a large body in "%s" is decoded in many turns, in order, and can be stopped', async (coding, bytes) => {
  const body = new Body({ maxBytes: Number.POSITIVE_INFINITY, contentEncoding: coding });
  const endTurns = countTurns();
  const written = body.write(bytes);
  expect(written, 'it gives way').toBeInstanceOf(Promise);
  await written;
  const turns = endTurns();
  expect(turns).toBeGreaterThan(1);

  const stopped = new Body({ maxBytes: Number.POSITIVE_INFINITY, contentEncoding: coding });
  const begun = stopped.write(bytes);
  stopped.stop();
  await begun;
  expect(stopped.bytes).toBeLessThan(20_000_000);
});

test.each([
  ['gzip, gzip', gzipSync(emptyBlocks(50))],
  ['gzip, br', fastBrotli(emptyBlocks(50))],
  ['gzip, deflate', deflateSync(emptyBlocks(50))],
])(
  'the output of the outer coding of "%s" counts, although the inner one puts out nothing',
  (coding, bytes) => {
    const { isOverLimit, consumed } = take(bytes, coding, { maxBytes: 1_000_000, pieceBytes: 10 });
    expect(isOverLimit).toBe(true);
    expect(consumed).toBeLessThan(bytes.length);
  },
);

test('a slow sink gets one piece after the other, and what comes meanwhile is kept', async () => {
  const given: string[] = [];
  const sink = sinkOf((piece) => {
    given.push(piece.toString());
    return new Promise((resolve) => setImmediate(resolve));
  });
  const body = new Body({ maxBytes: 1000, sink });
  const shared = Buffer.from('one');
  const waits = [body.write(shared)];
  shared.write('two');
  waits.push(body.write(shared));
  shared.write('six');
  waits.push(body.write(shared));
  shared.write('...');
  expect(waits.every((wait) => wait instanceof Promise)).toBe(true);
  await body.end();
  expect(given).toEqual(['one', 'two', 'six']);
});

test('an error of a slow sink ends the body, also for what comes afterwards', async () => {
  const body = new Body({ maxBytes: 1000, sink: sinkOf(() => Promise.reject(new Error('full'))) });
  const first = body.write(Buffer.from('one'));
  const second = body.write(Buffer.from('two'));
  await expect(first).rejects.toThrow('full');
  await expect(second).rejects.toThrow('full');
  await expect(body.end()).rejects.toThrow('full');
});
