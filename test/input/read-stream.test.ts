import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  isPlainText,
  openFile,
  readChunks,
  readSmallFile,
  untilAborted,
} from '../../src/input/read-stream.ts';
import { InputError } from '../../src/model/errors.ts';
import { tempDir } from '../origin/temp-dir.ts';

describe('openFile()', () => {
  it('reads a file', async () => {
    const dir = await tempDir();
    await writeFile(join(dir, 'urls.txt'), 'a\nb\n');
    expect(await text(await openFile(join(dir, 'urls.txt')))).toBe('a\nb\n');
  });

  it('throws an InputError for a missing file and for a directory', async () => {
    const dir = await tempDir();
    await mkdir(join(dir, 'lists'));
    await expect(openFile(join(dir, 'gone.txt'))).rejects.toThrow(InputError);
    await expect(openFile(join(dir, 'gone.txt'))).rejects.toThrow('no such file');
    await expect(openFile(join(dir, 'lists'))).rejects.toThrow('it is a directory');
  });
});

describe('readSmallFile()', () => {
  it.each([
    [0, 0],
    [5, 5],
    [256 * 1024, 256 * 1024],
    [256 * 1024 + 1, undefined],
  ])('of %i bytes reads %j', async (size, read) => {
    const path = join(await tempDir(), 'a.md');
    await writeFile(path, 'x'.repeat(size));
    expect(readSmallFile(path)?.length).toBe(read);
  });

  it('reads no named pipe, which could wait for ever', async () => {
    const path = join(await tempDir(), 'pipe');
    execFileSync('mkfifo', [path]);
    expect(readSmallFile(path)).toBe(undefined);
  });

  it('throws an InputError for a missing file and for a directory', async () => {
    const dir = await tempDir();
    expect(() => readSmallFile(join(dir, 'gone.md'))).toThrow(InputError);
    expect(() => readSmallFile(dir)).toThrow('it is a directory');
  });
});

it.each([
  ['text', 'a.md', Buffer.from('# A'), true],
  ['nothing', 'a.md', Buffer.from(''), true],
  ['UTF-8 with a byte-order mark', 'a.md', Buffer.from('\ufeffA'), true],
  ['UTF-16, little-endian', 'a.md', Buffer.from('\ufeffA', 'utf16le'), false],
  ['UTF-16, big-endian', 'a.md', Buffer.from('\ufeffA', 'utf16le').swap16(), false],
  ['gzip', 'a.md', gzipSync('A'), false],
  ['what should be gzip', 'a.md.GZ', Buffer.from('A'), false],
])('isPlainText() of %s', (_, name, bytes, isPlain) => {
  expect(isPlainText(bytes, name)).toBe(isPlain);
});

describe('openFile() of a named pipe', () => {
  async function pipe(): Promise<string> {
    const dir = await tempDir();
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    return join(dir, 'pipe');
  }

  it('waits for the writer, and reads to the end', async () => {
    const path = await pipe();
    const opening = openFile(path);
    const written = writeFile(path, 'a\n'.repeat(100_000));
    expect(await text(await opening)).toBe('a\n'.repeat(100_000));
    await written;
  });

  it('can be destroyed while the writer is silent', async () => {
    const path = await pipe();
    const [writer, stream] = await Promise.all([open(path, 'w'), openFile(path)]);
    stream.resume();
    stream.destroy();
    await once(stream, 'close');
    await writer.close();
  });

  it('stops waiting for a writer when the signal is aborted', async () => {
    const path = await pipe();
    const run = new AbortController();
    const listening = new Promise<void>((resolve) => {
      const listen = run.signal.addEventListener.bind(run.signal);
      run.signal.addEventListener = (...args: Parameters<typeof listen>) => {
        listen(...args);
        resolve();
      };
    });
    const opening = openFile(path, run.signal);
    await listening;
    run.abort();
    expect(await text(await opening)).toBe('');
  });

  it('does not wait for a writer when the signal is already aborted', async () => {
    const path = await pipe();
    expect(await text(await openFile(path, AbortSignal.abort()))).toBe('');
    const run = new AbortController();
    const opening = openFile(path, run.signal);
    run.abort();
    expect(await text(await opening)).toBe('');
  });
});

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

function cut(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

describe('readChunks()', () => {
  it('yields the bytes unchanged', async () => {
    expect(await read(bytesOf(Buffer.from('ab'), Buffer.from('c')))).toBe('abc');
  });

  it('encodes strings as UTF-8', async () => {
    expect(await read(bytesOf('ä', '€'))).toBe('ä€');
  });

  it.each(['', 'x', '\n'])('reads %j, which is shorter than the magic bytes', async (text) => {
    expect(await read(bytesOf(Buffer.from(text)))).toBe(text);
    expect(await read(new PassThrough().end(text))).toBe(text);
  });

  it('yields the first byte without waiting for a second', async () => {
    const source = new PassThrough();
    const chunks = readChunks(source, '-');
    source.write('x');
    expect(await chunks.next()).toEqual({ done: false, value: Buffer.from('x') });
    await chunks.return();
  });

  it('yields nothing when the source was read before', async () => {
    const source = bytesOf('a');
    expect(await read(source)).toBe('a');
    expect(await read(source)).toBe('');
  });

  it('throws an InputError that names the source when it fails', async () => {
    const source = new Readable({
      read: () => source.destroy(Object.assign(new Error('bad'), { code: 'EIO' })),
    });
    const reading = read(source, 'urls.txt');
    await expect(reading).rejects.toThrow(InputError);
    await expect(reading).rejects.toThrow('cannot read "urls.txt": EIO');
  });

  it.each([1, 2, 7, 1e9])('decodes UTF-16 of both byte orders, in chunks of %i bytes', async (size) => {
    const text = 'http://h/ä€𝄞\r\nhttp://h/2';
    const little = Buffer.from(`\ufeff${text}`, 'utf16le');
    for (const bytes of [little, Buffer.from(little).swap16()]) {
      for (const input of [bytes, gzipSync(bytes)]) {
        expect(await read(bytesOf(...cut(input, size)))).toBe(text);
      }
    }
  });

  it.each([
    ['half a character', [0xff, 0xfe, 0x41]],
    ['half a surrogate pair', [0xff, 0xfe, 0x00, 0xd8, 0x41, 0x00]],
  ])('throws an InputError for UTF-16 with %s', async (_, bytes) => {
    await expect(read(bytesOf(Buffer.from(bytes)))).rejects.toThrow('it is not valid UTF-16');
  });
});

describe('readChunks() of gzip', () => {
  it('unpacks data that starts with the magic bytes, whatever its name', async () => {
    expect(await read(bytesOf(GZIP), '-')).toBe('first\nsecond\n');
    expect(await read(bytesOf(GZIP), 'urls.gz')).toBe('first\nsecond\n');
  });

  it('unpacks single bytes', async () => {
    expect(await read(bytesOf(...Array.from(GZIP, (byte) => Buffer.from([byte]))))).toBe('first\nsecond\n');
  });

  it('unpacks several members in a row', async () => {
    const members = Buffer.concat([GZIP, gzipSync(''), gzipSync('third\n')]);
    expect(await read(bytesOf(members))).toBe('first\nsecond\nthird\n');
    expect(await read(bytesOf(GZIP, gzipSync('third\n')))).toBe('first\nsecond\nthird\n');
  });

  it('unpacks an empty gzip file', async () => {
    expect(await read(bytesOf(gzipSync('')), 'urls.gz')).toBe('');
  });

  it('unpacks a gzip bomb in chunks of 64 KiB, on demand', async () => {
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
  ])('throws an InputError that names the source when the data is %s', async (_, bytes) => {
    const reading = read(bytesOf(bytes), 'urls.gz');
    await expect(reading).rejects.toThrow(InputError);
    await expect(reading).rejects.toThrow('cannot unpack "urls.gz": the gzip data is damaged or cut off');
  });

  it('yields what it unpacked before it finds that the end is missing', async () => {
    const lines = Array.from({ length: 100_000 }, (_, at) => `https://example.com/${at * 7919}`).join('\n');
    const packed = gzipSync(lines);
    const chunks = readChunks(bytesOf(packed.subarray(0, -100)), 'urls.gz');
    expect((await chunks.next()).value?.toString()).toMatch(/^https:\/\/example.com\/0\n/);
    await expect(textOf(chunks)).rejects.toThrow(InputError);
  });

  it.each(['urls.gz', 'URLS.GZ'])('refuses %s when it is not a gzip file', async (name) => {
    for (const text of ['', 'https://example.com/\n', '\u001f']) {
      await expect(read(bytesOf(Buffer.from(text)), name)).rejects.toThrow(
        `cannot unpack "${name}": it is not a gzip file`,
      );
    }
  });

  it('throws an InputError when the source fails midway', async () => {
    const source = new Readable({ read() {} });
    source.push(GZIP.subarray(0, 10));
    const reading = read(source, 'urls.gz');
    source.destroy(Object.assign(new Error('bad'), { code: 'EIO' }));
    await expect(reading).rejects.toThrow('cannot read "urls.gz": EIO');
  });
});

describe('readChunks() that ends early', () => {
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
    const dir = await tempDir();
    await writeFile(join(dir, 'urls.txt'), 'x'.repeat(1_000_000));
    const source = await openFile(join(dir, 'urls.txt'));
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

  it('ends when the signal is aborted, though gzip data still unpacks to more', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 ** 2));
    const aborting = new AbortController();
    let bytes = 0;
    for await (const chunk of readChunks(Readable.from([bomb]), 'bomb', aborting.signal)) {
      bytes += chunk.length;
      if (bytes > 1024 ** 2) aborting.abort();
    }
    expect(bytes).toBeLessThan(2 * 1024 ** 2);
  });

  it('reads nothing when the signal is already aborted', async () => {
    const source = bytesOf('a');
    expect(await textOf(readChunks(source, '-', AbortSignal.abort()))).toBe('');
    expect(source.destroyed).toBe(true);
  });
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function* counting(log: string[]): AsyncGenerator<number, void, undefined> {
  try {
    for (let count = 1; count <= 3; count++) yield count;
    log.push('end');
  } finally {
    log.push('closed');
  }
}

describe('untilAborted()', () => {
  it('yields every item, and closes the iterable once', async () => {
    const log: string[] = [];
    expect(await all(untilAborted(counting(log), undefined))).toEqual([1, 2, 3]);
    expect(log).toEqual(['end', 'closed']);
  });

  it('closes the iterable when the caller stops early', async () => {
    const log: string[] = [];
    for await (const _ of untilAborted(counting(log), new AbortController().signal)) break;
    expect(log).toEqual(['closed']);
  });

  it('rethrows an error', async () => {
    async function* failing(): AsyncGenerator<number> {
      yield 1;
      throw new Error('no more');
    }
    await expect(all(untilAborted(failing(), undefined))).rejects.toThrow('no more');
  });

  it('does not close an iterable that failed', async () => {
    let closed = 0;
    const items = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error('no more')),
        return: () => Promise.resolve({ done: true as const, value: closed++ }),
      }),
    };
    await expect(all(untilAborted(items, undefined))).rejects.toThrow('no more');
    expect(closed).toBe(0);
  });

  it('ends when the signal is aborted while it waits for an item', async () => {
    const run = new AbortController();
    async function* stuck(): AsyncGenerator<number> {
      yield 1;
      await new Promise(() => {});
    }
    const items = untilAborted(stuck(), run.signal);
    expect((await items.next()).value).toBe(1);
    const next = items.next();
    run.abort();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('requests nothing when the signal is already aborted, and ends after the current item', async () => {
    const log: string[] = [];
    expect(await all(untilAborted(counting(log), AbortSignal.abort()))).toEqual([]);
    const run = new AbortController();
    const items = untilAborted(counting(log), run.signal);
    await items.next();
    run.abort();
    expect((await items.next()).done).toBe(true);
    expect(log).toEqual(['closed']);
  });
});
