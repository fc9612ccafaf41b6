import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openFile, readChunks } from '../../src/input/read-stream.ts';
import { InputError } from '../../src/model/errors.ts';
import { tempDir } from './temp-dir.ts';

const GZIP = gzipSync('first\nsecond\n');

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString();
}

function bytesOf(...chunks: (Buffer | string)[]): Readable {
  return Readable.from(chunks);
}

function read(source: Readable, name = 'list'): Promise<string> {
  return textOf(readChunks(source, name));
}

describe('readChunks()', () => {
  it('gives the bytes as they are', async () => {
    expect(await read(bytesOf(Buffer.from('ab'), Buffer.from('c')))).toBe('abc');
  });

  it('takes text for UTF-8', async () => {
    expect(await read(bytesOf('ä', '€'))).toBe('ä€');
  });

  it.each(['', 'x', '\n'])('reads %j, which is shorter than any magic bytes', async (text) => {
    expect(await read(bytesOf(Buffer.from(text)))).toBe(text);
    expect(await read(new PassThrough().end(text))).toBe(text);
  });

  it('gives the first line without waiting for a second', async () => {
    const source = new PassThrough();
    const chunks = readChunks(source, '-');
    source.write('x');
    expect(await chunks.next()).toEqual({ done: false, value: Buffer.from('x') });
    await chunks.return();
  });

  it('is empty when the source was read to its end before', async () => {
    const source = bytesOf('a');
    expect(await read(source)).toBe('a');
    expect(await read(source)).toBe('');
  });

  it('throws an InputError with the name when the source fails', async () => {
    const source = new Readable({
      read: () => source.destroy(Object.assign(new Error('bad'), { code: 'EIO' })),
    });
    const reading = read(source, 'urls.txt');
    await expect(reading).rejects.toThrow(InputError);
    await expect(reading).rejects.toThrow('Cannot read "urls.txt": EIO');
  });

  it('refuses UTF-16, and says what it is', async () => {
    for (const mark of [
      [0xff, 0xfe],
      [0xfe, 0xff],
    ]) {
      await expect(read(bytesOf(Buffer.from(mark)), '-')).rejects.toThrow(
        'Cannot read standard input: it is UTF-16; it must be UTF-8',
      );
    }
  });
});

describe('readChunks() of gzip', () => {
  it('unpacks what starts with the magic bytes, whatever its name', async () => {
    expect(await read(bytesOf(GZIP), '-')).toBe('first\nsecond\n');
    expect(await read(bytesOf(GZIP), 'urls.gz')).toBe('first\nsecond\n');
  });

  it('unpacks bytes that come one by one', async () => {
    expect(await read(bytesOf(...Array.from(GZIP, (byte) => Buffer.from([byte]))))).toBe('first\nsecond\n');
  });

  it('unpacks several members in a row', async () => {
    const members = Buffer.concat([GZIP, gzipSync(''), gzipSync('third\n')]);
    expect(await read(bytesOf(members))).toBe('first\nsecond\nthird\n');
    expect(await read(bytesOf(GZIP, gzipSync('third\n')))).toBe('first\nsecond\nthird\n');
  });

  it('unpacks a gzip file of nothing', async () => {
    expect(await read(bytesOf(gzipSync('')), 'urls.gz')).toBe('');
  });

  it('unpacks a bomb in chunks of 64 KiB, as they are asked for', async () => {
    const chunks = readChunks(bytesOf(gzipSync(Buffer.alloc(64 * 1024 * 1024))), 'bomb.gz');
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 4; count++) {
      expect((await chunks.next()).value?.length).toBeLessThanOrEqual(2 * 64 * 1024);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
    await chunks.return();
  });

  it.each([
    ['cut off', GZIP.subarray(0, -6)],
    ['cut off in its header', GZIP.subarray(0, 5)],
    ['nothing but magic bytes', GZIP.subarray(0, 2)],
    ['changed', Buffer.concat([GZIP.subarray(0, 12), Buffer.alloc(4, 0xff), GZIP.subarray(16)])],
    ['wrong in its checksum', Buffer.concat([GZIP.subarray(0, -8), Buffer.alloc(8)])],
    ['followed by a member that is cut off', Buffer.concat([GZIP, GZIP.subarray(0, -3)])],
  ])('throws an InputError with the name when the data is %s', async (_, bytes) => {
    const reading = read(bytesOf(bytes), 'urls.gz');
    await expect(reading).rejects.toThrow(InputError);
    await expect(reading).rejects.toThrow('Cannot unpack "urls.gz": its gzip data is damaged or cut off');
  });

  it('gives what could be unpacked before the end is found missing', async () => {
    const lines = Array.from({ length: 100_000 }, (_, at) => `https://example.com/${at * 7919}`).join('\n');
    const packed = gzipSync(lines);
    const chunks = readChunks(bytesOf(packed.subarray(0, -100)), 'urls.gz');
    expect((await chunks.next()).value?.toString()).toMatch(/^https:\/\/example.com\/0\n/);
    await expect(textOf(chunks)).rejects.toThrow(InputError);
  });

  it.each(['urls.gz', 'URLS.GZ'])('refuses %s when it is no gzip file', async (name) => {
    for (const text of ['', 'https://example.com/\n', '\u001f']) {
      await expect(read(bytesOf(Buffer.from(text)), name)).rejects.toThrow(
        `Cannot unpack "${name}": it does not start as gzip data does; it must be a gzip file`,
      );
    }
  });

  it('passes on the error of a source that fails on the way', async () => {
    const source = new Readable({ read() {} });
    source.push(GZIP.subarray(0, 10));
    const reading = read(source, 'urls.gz');
    source.destroy(Object.assign(new Error('bad'), { code: 'EIO' }));
    await expect(reading).rejects.toThrow('Cannot read "urls.gz": EIO');
  });
});

describe('readChunks() that is stopped', () => {
  const idle = (...chunks: Buffer[]): Readable => {
    const source = new Readable({ read() {} });
    for (const chunk of chunks) source.push(chunk);
    return source;
  };

  it.each([
    ['plain', Buffer.from('first\nsecond\n')],
    ['gzip', GZIP],
  ])('destroys an idle %s source when it is closed early', async (_, bytes) => {
    const source = idle(bytes);
    const chunks = readChunks(source, '-');
    expect((await chunks.next()).value?.toString()).toBe('first\nsecond\n');
    await chunks.return();
    expect(source.destroyed).toBe(true);
  });

  it('closes the file when it is closed early', async () => {
    const at = await tempDir();
    await writeFile(at('urls.txt'), 'x'.repeat(1_000_000));
    const source = await openFile(at('urls.txt'));
    const chunks = readChunks(source, 'urls.txt');
    expect((await chunks.next()).value?.length).toBe(64 * 1024);
    const closed = once(source, 'close');
    await chunks.return();
    await closed;
    expect(source.destroyed).toBe(true);
  });

  it.each([
    ['before a byte came', []],
    ['after plain bytes', [Buffer.from('a\n')]],
    ['within a gzip header', [GZIP.subarray(0, 5)]],
  ])('ends without an error when the signal is aborted while it waits %s', async (_, bytes) => {
    const run = new AbortController();
    const source = idle(...bytes);
    const reading = textOf(readChunks(source, '-', run.signal));
    setImmediate(() => run.abort());
    expect(await reading).toBe(bytes.length === 1 && bytes[0]?.[0] === 0x61 ? 'a\n' : '');
    expect(source.destroyed).toBe(true);
  });

  it('reads nothing when the signal was aborted before', async () => {
    const source = bytesOf('a');
    expect(await textOf(readChunks(source, '-', AbortSignal.abort()))).toBe('');
    expect(source.destroyed).toBe(true);
  });
});
