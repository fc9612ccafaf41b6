import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { OutputError } from '../../src/model/errors.ts';
import { LineWriter, openOutputFile, openStandardOutput } from '../../src/output/line-writer.ts';
import { tempDir } from '../origin/temp-dir.ts';

const fallback = new Writable();

/** A named pipe with a reader that reads only when told to. */
async function openPipe(): Promise<{ reader: number; stream: Writable }> {
  const path = join(await tempDir(), 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, stream: openStandardOutput(openSync(path, 'w'), fallback) };
}

test('openOutputFile() creates a file, and what is written is in it at the end', async () => {
  const path = join(await tempDir(), 'results.jsonl');
  const writer = new LineWriter(await openOutputFile(path), { name: path });
  writer.write('a\n');
  await writer.end();
  expect(readFileSync(path, 'utf8')).toBe('a\n');
});

test('openOutputFile() empties a file that is there', async () => {
  const path = join(await tempDir(), 'results.jsonl');
  writeFileSync(path, 'old and longer');
  await new LineWriter(await openOutputFile(path), { name: path }).end();
  expect(readFileSync(path, 'utf8')).toBe('');
});

test('openOutputFile() refuses a directory, and a file in one that is missing', async () => {
  const directory = await tempDir();
  await expect(openOutputFile(directory)).rejects.toThrow(
    new OutputError(`Cannot write to "${directory}": illegal operation on a directory`),
  );
  await expect(openOutputFile(join(directory, 'no', 'x'))).rejects.toThrow(
    new OutputError(`Cannot write to "${directory}/no/x": no such file or directory`),
  );
});

test.skipIf(process.getuid?.() === 0)('openOutputFile() refuses a file that may not be written', async () => {
  const directory = join(await tempDir(), 'locked');
  mkdirSync(directory);
  chmodSync(directory, 0o500);
  await expect(openOutputFile(join(directory, 'x'))).rejects.toThrow(
    /^Cannot write to ".*x": permission denied$/,
  );
});

test.skipIf(process.platform !== 'linux')('a full device is an OutputError', async () => {
  const writer = new LineWriter(await openOutputFile('/dev/full'), { name: '/dev/full' });
  writer.write('a\n');
  await expect(writer.end()).rejects.toThrow(
    new OutputError('Cannot write to "/dev/full": no space left on device'),
  );
});

test('openStandardOutput() writes to a file and leaves its descriptor open', async () => {
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

test.skipIf(process.platform === 'win32')(
  'openStandardOutput() gives what it was handed for a device',
  () => {
    const fd = openSync('/dev/null', 'w');
    expect(openStandardOutput(fd, fallback)).toBe(fallback);
    closeSync(fd);
  },
);

test.skipIf(process.platform === 'win32')(
  'a pipe that is never read is let go by destroy(), and its descriptor closed',
  async () => {
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
  },
);

test.skipIf(process.platform === 'win32')(
  'a pipe whose reader goes away is reported by closed, quietly',
  async () => {
    const { reader, stream } = await openPipe();
    const writer = new LineWriter(stream, { name: 'standard output' });
    closeSync(reader);
    writer.write('nobody reads this\n');
    await writer.closed;
    await writer.end();
  },
);
