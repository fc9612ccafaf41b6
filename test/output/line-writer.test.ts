import { constants } from 'node:os';
import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { OutputError } from '../../src/model/errors.ts';
import { LineWriter } from '../../src/output/line-writer.ts';
import { SlowStream } from './slow-stream.ts';

const LINE = `${'x'.repeat(99)}\n`;
const BATCH_LINES = Math.ceil((64 * 1024) / LINE.length);

function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => true,
    () => true,
  );
  return Promise.race([settled, turn().then(() => false)]);
}

/** Writes lines until the writer asks to wait, which it must do before `most` of them. */
function fill(writer: LineWriter, most = 10 * BATCH_LINES): { lines: number; room: Promise<void> } {
  for (let lines = 1; lines <= most; lines += 1) {
    const room = writer.write(LINE);
    if (room !== undefined) return { lines, room };
  }
  throw new Error(`${most} lines were taken without a word`);
}

test('the lines of one turn of the event loop are one write', async () => {
  const stream = new SlowStream();
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
  for (const line of ['a\n', 'b\n', 'c\n']) expect(writer.write(line)).toBeUndefined();
  expect(stream.writes).toEqual([]);
  await turn();
  await turn();
  expect(stream.writes).toEqual(['a\nb\nc\n']);
});

test('a full batch is written at once, and the lines behind it wait for the turn to end', async () => {
  const stream = new SlowStream();
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
  for (let line = 0; line < BATCH_LINES; line += 1) writer.write(LINE);
  expect(stream.writes).toEqual([LINE.repeat(BATCH_LINES)]);
  writer.write('next\n');
  stream.accept();
  await turn();
  await turn();
  expect(stream.writes.slice(1)).toEqual(['next\n']);
});

test('a slow reader holds the caller back: one batch under way and one gathered is all there is', async () => {
  const stream = new SlowStream();
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
  const { lines, room } = fill(writer);
  expect(lines).toBe(2 * BATCH_LINES);
  expect(await isSettled(room)).toBe(false);
  expect(stream.writes).toHaveLength(1);
  stream.accept();
  await room;
  expect(stream.writes).toEqual([LINE.repeat(BATCH_LINES), LINE.repeat(BATCH_LINES)]);
  expect(writer.write(LINE)).toBeUndefined();
});

test('each write is whole lines, and none is lost or moved', async () => {
  const stream = new SlowStream();
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
  const lines = Array.from({ length: 20_000 }, (_, number) => `line ${number}\n`);
  for (const line of lines) {
    const room = writer.write(line);
    if (room === undefined) continue;
    stream.accept();
    await room;
  }
  const ended = writer.end();
  while (!(await isSettled(ended))) stream.accept();
  expect(stream.writes.length).toBeLessThan(8);
  for (const write of stream.writes) expect(write).toMatch(/^line .*\n$/s);
  expect(stream.writes.join('')).toBe(lines.join(''));
});

test('end() waits until the last line was taken, then closes the stream', async () => {
  const stream = new SlowStream();
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
  writer.write('last\n');
  const ended = writer.end();
  expect(stream.writes).toEqual(['last\n']);
  expect(await isSettled(ended)).toBe(false);
  stream.accept();
  await ended;
  expect(stream.closed).toBe(true);
});

test('end() leaves open a stream that is not ours', async () => {
  const stream = new SlowStream();
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate, keepOpen: true });
  writer.write('last\n');
  const ended = writer.end();
  stream.accept();
  await ended;
  expect(stream).toMatchObject({ writableEnded: false, destroyed: false });
});

test('end() without a line writes nothing', async () => {
  const stream = new SlowStream();
  await new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate }).end();
  expect(stream).toMatchObject({ writes: [], closed: true });
});

test('a closed pipe is no error: closed is fulfilled, waiting callers go on, and later lines are dropped', async () => {
  const stream = new SlowStream();
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
  const { room } = fill(writer);
  expect(await isSettled(writer.closed)).toBe(false);
  stream.refuse('EPIPE');
  await writer.closed;
  await room;
  expect(writer.write(LINE)).toBeUndefined();
  await writer.end();
  expect(stream.writes).toHaveLength(1);
});

test('a full disk is an OutputError with the name and the words of the system, from write() and end()', async () => {
  const stream = new SlowStream();
  const writer = new LineWriter(stream, { name: 'results.jsonl' });
  const { room } = fill(writer);
  stream.refuse('ENOSPC', -constants.errno.ENOSPC);
  const message = 'Cannot write to "results.jsonl": no space left on device';
  await expect(room).rejects.toThrow(new OutputError(message));
  expect(() => writer.write(LINE)).toThrow(message);
  await expect(writer.end()).rejects.toThrow(message);
  expect(await isSettled(writer.closed)).toBe(false);
});

test('an error that comes between two writes is thrown by the next', async () => {
  const stream = new SlowStream();
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
  stream.destroy(new Error('gone wrong'));
  await turn();
  expect(() => writer.write(LINE)).toThrow('Cannot write to "out": gone wrong');
});

test('a stream that throws from its write is an OutputError, not an exception out of nowhere', async () => {
  const stream = new Writable({
    write() {
      throw new Error('thrown');
    },
  });
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
  writer.write('a\n');
  await expect(writer.end()).rejects.toThrow(new OutputError('Cannot write to "out": thrown'));
});

test('an error while the file is closed is not lost', async () => {
  const stream = new Writable({
    write: (_chunk, _encoding, callback) => callback(),
    destroy: (_error, callback) => callback(new Error('quota exceeded')),
  });
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
  writer.write('a\n');
  await expect(writer.end()).rejects.toThrow('Cannot write to "out": quota exceeded');
});

test.each(['destroy()', 'its signal'])('a writer whose reader never reads is let go by %s', async (how) => {
  const stop = new AbortController();
  const stream = new SlowStream();
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate, signal: stop.signal });
  const { room } = fill(writer);
  const ended = writer.end();
  expect(await isSettled(Promise.race([room, ended]))).toBe(false);
  if (how === 'destroy()') writer.destroy();
  else stop.abort();
  await room;
  await ended;
  expect(stream.destroyed).toBe(true);
  expect(writer.write(LINE)).toBeUndefined();
  expect(stream.writes).toHaveLength(1);
});

test('a writer that is let go while its file is being closed does not wait for it', async () => {
  const stream = new Writable({ write: (_chunk, _encoding, callback) => callback(), final() {} });
  const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
  writer.write('a\n');
  const ended = writer.end();
  expect(await isSettled(ended)).toBe(false);
  writer.destroy();
  await ended;
});

test('a signal that was aborted before stops the writer at once', async () => {
  const stream = new SlowStream();
  const writer = new LineWriter(stream, {
    name: 'out',
    scheduleFlush: setImmediate,
    signal: AbortSignal.abort(),
  });
  expect(writer.write(LINE)).toBeUndefined();
  await writer.end();
  expect(stream.writes).toEqual([]);
});

test('a signal that is aborted after the end leaves the stream alone', async () => {
  const stop = new AbortController();
  const stream = new SlowStream();
  await new LineWriter(stream, {
    name: 'out',
    scheduleFlush: setImmediate,
    keepOpen: true,
    signal: stop.signal,
  }).end();
  stop.abort();
  expect(stream.destroyed).toBe(false);
});

test('the hooks stand around each write, not around each line', async () => {
  const stream = new SlowStream();
  const order: string[] = [];
  const writer = new LineWriter(stream, {
    scheduleFlush: setImmediate,
    name: 'out',
    beforeWrite: () => order.push(`before ${stream.writes.length}`),
    afterWrite: () => order.push(`after ${stream.writes.length}`),
  });
  writer.write('a\n');
  writer.write('b\n');
  const ended = writer.end();
  stream.accept();
  await ended;
  expect(order).toEqual(['before 0', 'after 1']);
});
