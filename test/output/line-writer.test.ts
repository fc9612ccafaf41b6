import { constants as osConstants } from 'node:os';
import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { OutputError } from '../../src/model/errors.ts';
import { LineWriter } from '../../src/output/line-writer.ts';

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
  throw new Error(`${most} lines were taken without a wait`);
}

/** A stream that takes a write only when its `accept` or `refuse` is called. */
class SlowStream extends Writable {
  readonly writes: string[] = [];
  #accept: ((error?: Error | null) => void) | undefined;

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.writes.push(chunk.toString());
    this.#accept = callback;
  }

  accept(): void {
    this.#accept?.();
  }

  refuse(code: string, errno = 0): void {
    this.#accept?.(Object.assign(new Error(`${code}: refused`), { code, errno }));
  }
}

describe('LineWriter', () => {
  it('joins the lines of one turn of the event loop into one write', async () => {
    const stream = new SlowStream();
    const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
    for (const line of ['a\n', 'b\n', 'c\n']) expect(writer.write(line)).toBeUndefined();
    expect(stream.writes).toEqual([]);
    await turn();
    await turn();
    expect(stream.writes).toEqual(['a\nb\nc\n']);
  });

  it('writes a full batch immediately, and the lines after it at the end of the turn', async () => {
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

  it('makes the caller wait for a slow reader when one batch is in flight and another is full', async () => {
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

  it('writes whole lines, and keeps all of them in order', async () => {
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

  it('end() waits until the stream has taken the last line, then closes it', async () => {
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

  it('end() leaves the stream open with keepOpen', async () => {
    const stream = new SlowStream();
    const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate, keepOpen: true });
    writer.write('last\n');
    const ended = writer.end();
    stream.accept();
    await ended;
    expect(stream).toMatchObject({ writableEnded: false, destroyed: false });
  });

  it('end() writes nothing if there was no line', async () => {
    const stream = new SlowStream();
    await new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate }).end();
    expect(stream).toMatchObject({ writes: [], closed: true });
  });

  it('drops lines without an error when the reader closes the pipe, resolves waiting calls and fulfils closed', async () => {
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

  it('throws an OutputError with name and reason from write() and end() if the disk is full', async () => {
    const stream = new SlowStream();
    const writer = new LineWriter(stream, { name: 'results.jsonl' });
    const { room } = fill(writer);
    stream.refuse('ENOSPC', -osConstants.errno.ENOSPC);
    const message = 'cannot write to "results.jsonl": no space left on device';
    await expect(room).rejects.toThrow(new OutputError(message));
    expect(() => writer.write(LINE)).toThrow(message);
    await expect(writer.end()).rejects.toThrow(message);
    expect(await isSettled(writer.closed)).toBe(false);
  });

  it('throws an error that occurs between two writes from the next one', async () => {
    const stream = new SlowStream();
    const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
    stream.destroy(new Error('gone wrong'));
    await turn();
    expect(() => writer.write(LINE)).toThrow('cannot write to "out": gone wrong');
  });

  it('throws an OutputError from end() if the stream throws', async () => {
    const stream = new Writable({
      write() {
        throw new Error('thrown');
      },
    });
    const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
    writer.write('a\n');
    await expect(writer.end()).rejects.toThrow(new OutputError('cannot write to "out": thrown'));
  });

  it('throws an error that occurs when the file is closed', async () => {
    const stream = new Writable({
      write: (_chunk, _encoding, callback) => callback(),
      destroy: (_error, callback) => callback(new Error('quota exceeded')),
    });
    const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
    writer.write('a\n');
    await expect(writer.end()).rejects.toThrow('cannot write to "out": quota exceeded');
  });

  it.each(['destroy()', 'its signal'])('resolves all calls on %s if the reader never reads', async (how) => {
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

  it('does not wait for the file to close after destroy()', async () => {
    const stream = new Writable({ write: (_chunk, _encoding, callback) => callback(), final() {} });
    const writer = new LineWriter(stream, { name: 'out', scheduleFlush: setImmediate });
    writer.write('a\n');
    const ended = writer.end();
    expect(await isSettled(ended)).toBe(false);
    writer.destroy();
    await ended;
  });

  it('writes nothing if the signal is already aborted', async () => {
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

  it('ignores the signal after end()', async () => {
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

  it('calls the hooks around each write, not around each line', async () => {
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
});
