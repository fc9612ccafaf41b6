import { close, constants, createReadStream, open } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { InputError } from '../model/errors.ts';
import { inputFault, named } from './input.ts';

/**
 * The items of an asynchronous iterable until the signal is aborted, even while the next one is awaited.
 * The iterable is closed when no more is asked for; after an abort without waiting, as it may never answer.
 */
export async function* untilAborted<T>(
  items: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  let wake = (): void => {};
  let open = true;
  const onAbort = (): void => wake();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal?.aborted) {
      open = false;
      // Not `Promise.race`: racing each item against one long-lived promise keeps every item in memory.
      const next = await new Promise<IteratorResult<T> | undefined>((resolve, reject) => {
        wake = () => resolve(undefined);
        Promise.resolve(iterator.next()).then(resolve, reject);
      });
      if (next?.done) return;
      open = true;
      if (next !== undefined) yield next.value;
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    if (open) await closed(iterator, signal);
  }
}

async function closed(iterator: AsyncIterator<unknown>, signal: AbortSignal | undefined): Promise<void> {
  const closing = iterator.return?.();
  if (!signal?.aborted) await closing;
  // What goes wrong after an abort is of no more use to anybody.
  else closing?.catch(() => {});
}

const openFd = promisify(open);
const closeFd = promisify(close);

/** How much of a file is read, and given out, at once. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Opens a file or a named pipe as a stream that can be destroyed at any time.
 * - Waits for the writer of a pipe; an abort ends the waiting, and the stream is empty then.
 * - Throws an `InputError` when there is no such file or it is a directory. What fails later is an error of the stream.
 */
export async function openFile(path: string, signal?: AbortSignal): Promise<Readable> {
  try {
    const status = await stat(path);
    if (status.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    return status.isFIFO()
      ? await openPipe(path, signal)
      : createReadStream(path, { highWaterMark: CHUNK_BYTES });
  } catch (error) {
    throw inputFault(path, error);
  }
}

// Reading an idle pipe as a file holds a thread, and so the process, until somebody writes; a socket is polled.
async function openPipe(path: string, signal?: AbortSignal): Promise<Readable> {
  if (signal?.aborted) return Readable.from([]);
  // Opening one waits for its writer and cannot be cancelled, so on an abort we come as the writer ourselves. Opened for both
  // ways, since that succeeds whether the other opening has begun or not.
  let released: Promise<number> | undefined;
  const release = (): void => {
    released = openFd(path, constants.O_RDWR | constants.O_NONBLOCK);
  };
  signal?.addEventListener('abort', release, { once: true });
  try {
    return new Socket({ fd: await openFd(path, 'r'), readable: true, writable: false });
  } finally {
    signal?.removeEventListener('abort', release);
    if (released !== undefined) await closeFd(await released);
  }
}

type Chunks = AsyncGenerator<Buffer, void, undefined>;

/**
 * The bytes of an input, unpacked when they start as gzip does (several members in a row are one file).
 * - Ends early, without an error, when the signal is aborted, even while it waits for bytes.
 * - The source is destroyed at the end, whatever the end is, so that it keeps no file open and no process alive.
 * - Throws an `InputError` that names the input when it cannot be read or unpacked.
 *
 * @param mustBeGzip refuse what is not; by the name if left out
 */
export async function* readChunks(
  source: Readable,
  name: string,
  signal?: AbortSignal,
  mustBeGzip = /\.gz$/i.test(name),
): Chunks {
  const stop = (): void => void source.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    if (signal?.aborted) return;
    const chunks = source[Symbol.asyncIterator]();
    const head = await firstBytes(chunks);
    refuseOtherFormats(head, name, mustBeGzip);
    const all = joined(head, chunks);
    yield* isGzip(head) ? gunzipped(all) : all;
  } catch (error) {
    // Nothing but the abort itself is hidden: a source that is destroyed while it is read reports a premature close.
    if (!signal?.aborted) throw inputFault(name, error);
  } finally {
    signal?.removeEventListener('abort', stop);
    source.destroy();
  }
}

// Two bytes tell gzip and UTF-16 from all else; waits for the second only where the first leaves it open.
async function firstBytes(chunks: AsyncIterator<Buffer | string>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length === 0 || (head.length === 1 && [0x1f, 0xfe, 0xff].includes(head[0] ?? 0))) {
    const next = await chunks.next();
    if (next.done) break;
    head = Buffer.concat([head, asBuffer(next.value)]);
  }
  return head;
}

async function* joined(head: Buffer, chunks: AsyncIterable<Buffer | string>): Chunks {
  if (head.length > 0) yield head;
  for await (const chunk of chunks) yield asBuffer(chunk);
}

async function* gunzipped(chunks: Chunks): Chunks {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  // An error of either side is given to both, so it is thrown by the loop.
  pipeline(chunks, gunzip, () => {});
  for await (const chunk of gunzip) yield asBuffer(chunk);
}

function isGzip(head: Buffer): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

function refuseOtherFormats(head: Buffer, name: string, mustBeGzip: boolean): void {
  if (mustBeGzip && !isGzip(head)) {
    throw new InputError(
      `Cannot unpack ${named(name)}: it does not start as gzip data does; it must be a gzip file`,
    );
  }
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) {
    throw new InputError(`Cannot read ${named(name)}: it is UTF-16; it must be UTF-8`);
  }
}

function asBuffer(chunk: Buffer | string): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}
