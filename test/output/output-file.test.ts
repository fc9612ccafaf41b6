import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { OutputError } from '../../src/model/errors.ts';
import { LineWriter } from '../../src/output/line-writer.ts';
import { flushSchedule, openOutputFile, openStandardOutput } from '../../src/output/output-file.ts';
import { tempDir } from '../origin/temp-dir.ts';

describe('openOutputFile()', () => {
  it('creates a file that has all lines at the end', async () => {
    const path = join(await tempDir(), 'results.jsonl');
    const writer = new LineWriter(await openOutputFile(path), { name: path });
    writer.write('a\n');
    await writer.end();
    expect(readFileSync(path, 'utf8')).toBe('a\n');
  });

  it('truncates an existing file', async () => {
    const path = join(await tempDir(), 'results.jsonl');
    writeFileSync(path, 'old and longer');
    await new LineWriter(await openOutputFile(path), { name: path }).end();
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it('keeps the old contents until the first write, and if it is destroyed before', async () => {
    const path = join(await tempDir(), 'results.jsonl');
    writeFileSync(path, 'old and longer\n');
    await destroy(await openOutputFile(path));
    expect(readFileSync(path, 'utf8')).toBe('old and longer\n');
    const writer = new LineWriter(await openOutputFile(path), { name: path });
    expect(readFileSync(path, 'utf8')).toBe('old and longer\n');
    writer.write('a\n');
    writer.write('b\n');
    await writer.end();
    expect(readFileSync(path, 'utf8')).toBe('a\nb\n');
  });

  it('removes a new file that is destroyed before the first write', async () => {
    const path = join(await tempDir(), 'new');
    const stream = await openOutputFile(path);
    expect(existsSync(path)).toBe(true);
    await destroy(stream);
    expect(existsSync(path)).toBe(false);
  });

  it('compresses a file whose name ends in .gz, readable at any time up to the last write', async () => {
    const path = join(await tempDir(), 'results.jsonl.gz');
    const stream = await openOutputFile(path);
    const write = promisify((text: string, done: () => void) => stream.write(text, done));
    for (const [text, all] of [
      ['a\n', 'a\n'],
      ['b\n', 'a\nb\n'],
    ] as const) {
      await write(text);
      expect(gunzipSync(readFileSync(path)).toString()).toBe(all);
    }
    await destroy(stream);
    expect(gunzipSync(readFileSync(path)).toString()).toBe('a\nb\n');
  });

  it('makes a gzip file without lines too', async () => {
    const path = join(await tempDir(), 'results.jsonl.gz');
    await new LineWriter(await openOutputFile(path), { name: path }).end();
    expect(gunzipSync(readFileSync(path)).length).toBe(0);
  });

  it('follows a symbolic link to a file that does not exist', async () => {
    const directory = await tempDir();
    symlinkSync('target', join(directory, 'link'));
    const writer = new LineWriter(await openOutputFile(join(directory, 'link')), { name: 'link' });
    writer.write('a\n');
    await writer.end();
    expect(readFileSync(join(directory, 'target'), 'utf8')).toBe('a\n');
  });

  it.skipIf(process.platform === 'win32')('writes to a named pipe', async () => {
    const path = join(await tempDir(), 'pipe');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = new LineWriter(await openOutputFile(path), { name: path });
    writer.write('a\n');
    await writer.end();
    expect(readSync(reader, Buffer.alloc(9), 0, 9, null)).toBe(2);
    closeSync(reader);
  });

  it.skipIf(process.platform === 'win32').each([
    ['with lines', ['a\n', 'b\n']],
    ['without lines', []],
  ])('writes gzip data %s to a named pipe whose name ends in .gz', async (_, lines) => {
    const path = join(await tempDir(), 'pipe.gz');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = new LineWriter(await openOutputFile(path), { name: path });
    for (const line of lines) writer.write(line);
    await writer.end();
    const bytes = Buffer.alloc(1000);
    expect(gunzipSync(bytes.subarray(0, readSync(reader, bytes, 0, 1000, null))).toString()).toBe(
      lines.join(''),
    );
    closeSync(reader);
  });

  it.skipIf(process.platform === 'win32')('ends at a gzip pipe whose reader has gone away', async () => {
    const path = join(await tempDir(), 'pipe.gz');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = new LineWriter(await openOutputFile(path), { name: path });
    closeSync(reader);
    writer.write('a\n');
    await writer.end();
    await writer.closed;
  });

  it('refuses a directory, and a file in a missing directory', async () => {
    const directory = await tempDir();
    await expect(openOutputFile(directory)).rejects.toThrow(
      new OutputError(`cannot write to "${directory}": illegal operation on a directory`),
    );
    await expect(openOutputFile(join(directory, 'no', 'x'))).rejects.toThrow(
      new OutputError(`cannot write to "${directory}/no/x": no such file or directory`),
    );
  });

  it.skipIf(process.getuid?.() === 0)('refuses a file without write permission', async () => {
    const directory = join(await tempDir(), 'locked');
    mkdirSync(directory);
    chmodSync(directory, 0o500);
    await expect(openOutputFile(join(directory, 'x'))).rejects.toThrow(
      /^cannot write to ".*x": permission denied$/,
    );
  });

  it.skipIf(process.platform !== 'linux')('gives a stream that reports a full device', async () => {
    const writer = new LineWriter(await openOutputFile('/dev/full'), { name: '/dev/full' });
    writer.write('a\n');
    await expect(writer.end()).rejects.toThrow(
      new OutputError('cannot write to "/dev/full": no space left on device'),
    );
  });
});

describe('flushSchedule()', () => {
  it('collects the lines of a gzip file for a second, and those of other files as LineWriter does', () => {
    vi.useFakeTimers();
    const flush = vi.fn();
    flushSchedule('a.GZ').scheduleFlush?.(flush);
    vi.advanceTimersByTime(999);
    expect(flush).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(flush).toHaveBeenCalledOnce();
    vi.useRealTimers();
    expect(flushSchedule('a.gz.txt')).toEqual({});
  });
});

async function destroy(stream: Writable): Promise<void> {
  stream.destroy();
  await finished(stream).catch(() => {});
}

const fallback = new Writable();

/** A named pipe whose reader does not read by itself. */
async function openPipe(): Promise<{ reader: number; stream: Writable }> {
  const path = join(await tempDir(), 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, stream: openStandardOutput(openSync(path, 'w'), fallback) };
}

describe('openStandardOutput()', () => {
  it('writes to a file and leaves its descriptor open', async () => {
    const path = join(await tempDir(), 'out');
    const fd = openSync(path, 'w+');
    const writer = new LineWriter(openStandardOutput(fd, fallback), {
      name: 'standard output',
      keepOpen: true,
    });
    writer.write('a\n');
    await writer.end();
    expect(readSync(fd, Buffer.alloc(9), 0, 9, 0)).toBe(2);
    closeSync(fd);
  });

  it.skipIf(process.platform === 'win32')('returns the fallback for a device', () => {
    const fd = openSync('/dev/null', 'w');
    expect(openStandardOutput(fd, fallback)).toBe(fallback);
    closeSync(fd);
  });

  it.skipIf(process.platform === 'win32')('releases a pipe that is never read on destroy()', async () => {
    const { reader, stream } = await openPipe();
    expect(stream).toBeInstanceOf(Socket);
    const writer = new LineWriter(stream, { name: 'standard output' });
    let room = writer.write('first\n');
    for (let written = 0; room === undefined && written < 100; written += 1)
      room = writer.write(`${'x'.repeat(100_000)}\n`);
    expect(room).toBeInstanceOf(Promise);
    writer.destroy();
    await room;
    await writer.end();
    if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve));
    closeSync(reader);
  });

  it.skipIf(process.platform === 'win32')(
    'reports a pipe that the reader closes by closed, without an error',
    async () => {
      const { reader, stream } = await openPipe();
      const writer = new LineWriter(stream, { name: 'standard output' });
      closeSync(reader);
      writer.write('nobody reads this\n');
      await writer.closed;
      await writer.end();
    },
  );
});

describe('openOutputFile() with flush', () => {
  /** Counts the calls of fsync through a `FileHandle`. */
  async function countSyncs(path: string): Promise<number> {
    const handle = await open('/dev/null');
    const sync = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'sync'); // each handle has this prototype
    await handle.close();
    try {
      const stream = await openOutputFile(path, { flush: true });
      stream.end('line\n');
      await finished(stream);
      return sync.mock.calls.length;
    } finally {
      sync.mockRestore();
    }
  }

  it('flushes a file, and the directory of a new one', async () => {
    const path = join(await tempDir(), 'file');
    expect(await countSyncs(path)).toBe(2);
    expect(await countSyncs(path)).toBe(1);
  });

  it('flushes no device, which does not support it', async () => {
    expect(await countSyncs('/dev/null')).toBe(0);
  });
});
