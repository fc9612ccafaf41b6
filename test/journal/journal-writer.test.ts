import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import { OutputError } from '../../src/model/errors.ts';
import { FakeClock } from '../core/fake-clock.ts';
import { tempDir } from '../origin/temp-dir.ts';

/** A writer to a real file that counts the calls and can fail them. */
async function aWriter(start = '') {
  const path = join(await tempDir(), 'journal');
  const file = await open(path, 'w+');
  onTestFinished(() => file.close());
  await file.write(start);
  const calls = { writes: 0, syncs: 0 };
  const faults: { write?: (call: number) => void; sync?: () => Promise<void> | void; most?: number } = {};
  const counted: Pick<FileHandle, 'write' | 'truncate' | 'datasync'> = {
    ...file,
    write: async (bytes: Uint8Array, from: number, length: number, position: number) => {
      calls.writes++;
      faults.write?.(calls.writes);
      expect(from + length).toBeLessThanOrEqual(bytes.length); // a file refuses it
      return file.write(bytes, from, Math.min(length, faults.most ?? length), position);
    },
    truncate: (length?: number) => file.truncate(length),
    datasync: async () => {
      calls.syncs++;
      await faults.sync?.();
    },
  } as FileHandle; // the writer uses this one of its many overloads
  const clock = new FakeClock();
  const after = clock.after.bind(clock);
  const writer = new JournalWriter({ file: counted, name: 'run.journal', end: start.length, after });
  return { writer, clock, calls, faults, text: () => readFile(path, 'utf8') };
}

function full(): never {
  throw Object.assign(new Error('ENOSPC'), { errno: -28, code: 'ENOSPC' });
}

test('lines of a few ms are appended with one write', async () => {
  const { writer, clock, calls, text } = await aWriter('header\n');
  writer.write('a\n');
  clock.turnTo(3.9);
  writer.write('b\n');
  expect(calls.writes).toBe(0);
  clock.turnTo(4);
  expect(calls.writes).toBe(1);
  writer.write('c\n');
  await writer.end();
  expect(calls.writes).toBe(2);
  expect(await text()).toBe('header\na\nb\nc\n');
});

test('a full batch is written at once, and the next one waits for it', async () => {
  const { writer, calls, text } = await aWriter();
  const batch = `${'x'.repeat(64 * 1024 - 1)}\n`;
  expect(writer.write(batch)).toBeUndefined();
  expect(calls.writes).toBe(1);
  expect(writer.write('y\n')).toBeUndefined();
  const room = writer.write(batch);
  expect(room).toBeInstanceOf(Promise);
  await room;
  expect(calls.writes).toBe(2);
  await writer.end();
  expect(await text()).toBe(`${batch}y\n${batch}`);
});

test('a partial write continues with the rest', async () => {
  const { writer, faults, text } = await aWriter();
  faults.most = 3;
  writer.write('one line\nüber\n');
  await writer.end();
  expect(await text()).toBe('one line\nüber\n');
});

test('lines that arrive during a write follow it', async () => {
  const { writer, clock, text } = await aWriter();
  writer.write('a\n');
  clock.turnTo(4);
  writer.write('b\n');
  await writer.end();
  expect(await text()).toBe('a\nb\n');
});

test('a few lines that arrive during a write are collected for 4 ms after it', async () => {
  const { writer, clock, calls } = await aWriter();
  writer.write('a\n');
  clock.turnTo(4);
  writer.write('b\n');
  await expect.poll(() => clock.pending, { interval: 1 }).toBe(2); // the timers of the next write, and of the sync
  expect([calls.writes, clock.nextAt]).toEqual([1, 8]);
  clock.turnTo(8);
  expect(calls.writes).toBe(2);
  await writer.end();
});

test('the file is synced once a second while there are new lines', async () => {
  const { writer, clock, calls, text } = await aWriter();
  const written = async (lines: string): Promise<void> => {
    writer.write(lines);
    clock.turnTo(clock.now() + 4);
    await expect.poll(text, { interval: 1 }).toContain(lines);
    await expect.poll(() => clock.pending, { interval: 1 }).toBe(1); // the timer of the sync
  };
  await written('a\n');
  await written('b\n');
  expect(calls.syncs).toBe(0);
  clock.turnTo(1100);
  expect(calls.syncs).toBe(1);
  await expect.poll(() => clock.pending, { interval: 1 }).toBe(0);
  clock.turnTo(10_000);
  expect(calls.syncs).toBe(1);
  await written('c\n');
  clock.turnTo(20_000);
  expect(calls.syncs).toBe(2);
  await writer.end();
});

test('lines that are written during a sync are synced a second later', async () => {
  const { writer, clock, calls, faults, text } = await aWriter();
  let finish = (): void => {};
  faults.sync = () =>
    new Promise((resolve) => {
      finish = resolve;
    });
  writer.write('a\n');
  clock.turnTo(4);
  await expect.poll(() => clock.pending, { interval: 1 }).toBe(1);
  clock.turnTo(2000);
  writer.write('b\n');
  clock.turnTo(2010);
  await expect.poll(text, { interval: 1 }).toBe('a\nb\n');
  finish();
  await expect.poll(() => clock.pending, { interval: 1 }).toBe(1);
  faults.sync = () => {};
  clock.turnTo(4000);
  expect(calls.syncs).toBe(2);
  await writer.end();
});

test('end() leaves no timer behind, even during a sync', async () => {
  const { writer, clock, faults, text } = await aWriter();
  let finish = (): void => {};
  faults.sync = () =>
    new Promise((resolve) => {
      finish = resolve;
    });
  writer.write('a\n');
  clock.turnTo(4);
  await expect.poll(() => clock.pending, { interval: 1 }).toBe(1);
  clock.turnTo(2000);
  writer.write('b\n');
  clock.turnTo(2004);
  await expect.poll(text, { interval: 1 }).toBe('a\nb\n');
  faults.sync = () => {};
  const ended = writer.end();
  finish();
  await ended;
  expect(clock.pending).toBe(0);
});

test('end() waits for a sync', async () => {
  const { writer, calls, text } = await aWriter();
  writer.write('a\n');
  await writer.end();
  expect([await text(), calls.syncs]).toEqual(['a\n', 1]);
});

test('a full disk makes the next write() and end() throw an OutputError, and keeps whole lines', async () => {
  const { writer, clock, faults, text } = await aWriter('header\n');
  faults.most = 7;
  faults.write = (call) => call > 1 && full();
  writer.write('one\ntwo\nthree\n');
  clock.turnTo(4);
  const message = 'cannot write to "run.journal": no space left on device';
  await expect.poll(() => failureOf(() => writer.write('four\n'))).toEqual(new OutputError(message));
  await expect(writer.end()).rejects.toThrow(new OutputError(message));
  expect(await text()).toBe('header\none\n');
});

test('a full disk keeps the file as it was if the first line did not fit', async () => {
  const { writer, faults, text } = await aWriter('header\n');
  faults.most = 2;
  faults.write = (call) => call > 1 && full();
  writer.write('one\n');
  await expect(writer.end()).rejects.toThrow(OutputError);
  expect(await text()).toBe('header\n');
});

test('a write() that waits for room rejects when the disk is full', async () => {
  const { writer, faults } = await aWriter();
  faults.write = full;
  writer.write(`${'x'.repeat(70_000)}\n`);
  await expect(writer.write(`${'x'.repeat(70_000)}\n`)).rejects.toThrow(OutputError);
});

test('a failed sync makes end() reject with an OutputError', async () => {
  const { writer, faults } = await aWriter();
  faults.sync = full;
  writer.write('a\n');
  await expect(writer.end()).rejects.toThrow(OutputError);
});

function failureOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}
