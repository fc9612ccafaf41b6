import { close, constants, createReadStream, open, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { promisify, TextDecoder } from 'node:util';
import { createGunzip } from 'node:zlib';
import { InputError } from '../model/errors.ts';
import { quotedInputName, statInputFile, toInputError } from './input.ts';

const openFd = promisify(open);
const closeFd = promisify(close);

/** The size of the pieces in which a file is read, and gzip data is unpacked. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Opens a file or a named pipe as a stream that can be destroyed at any time.
 * - Waits for the writer of a pipe. An abort ends the wait, and the stream is then empty.
 * - Throws an `InputError` if the file is missing or a directory. Later failures are errors of the stream.
 */
export async function openFile(path: string, signal?: AbortSignal): Promise<Readable> {
  const status = statInputFile(path);
  if (!status.isFIFO()) return createReadStream(path, { highWaterMark: CHUNK_BYTES });
  try {
    return await openPipe(path, signal);
  } catch (error) {
    throw toInputError(path, error);
  }
}

/** A file up to this size is read at once: in pieces, in threads of their own, it would take ten times the CPU. */
const SMALL_BYTES = 256 * 1024;

/**
 * The bytes of a small file; `undefined` for a larger one, or what is no regular file, such as a pipe. Throws an `InputError` if
 * it cannot be read.
 */
export function readSmallFile(path: string): Buffer | undefined {
  const status = statInputFile(path);
  try {
    return status.isFile() && status.size <= SMALL_BYTES ? readFileSync(path) : undefined;
  } catch (error) {
    throw toInputError(path, error);
  }
}

// Reading an idle pipe as a file blocks a thread, and so the end of the process, until something is written; a socket
// is polled.
async function openPipe(path: string, signal?: AbortSignal): Promise<Readable> {
  if (signal?.aborted) return Readable.from([]);
  // Opening a pipe waits for its writer and cannot be cancelled, so on an abort we open it as a writer ourselves. We
  // open it for reading and writing, which succeeds whether or not the first `open` has begun.
  let writerFd: Promise<number> | undefined;
  const openAsWriter = (): void => {
    writerFd = openFd(path, constants.O_RDWR | constants.O_NONBLOCK);
  };
  signal?.addEventListener('abort', openAsWriter, { once: true });
  try {
    return new Socket({ fd: await openFd(path, 'r'), readable: true, writable: false });
  } finally {
    signal?.removeEventListener('abort', openAsWriter);
    if (writerFd !== undefined) await closeFd(await writerFd);
  }
}

type Chunks = AsyncGenerator<Buffer, void, undefined>;

/**
 * Yields the bytes of an input, unpacked if they start as gzip does (several members in a row are one file), and as UTF-8 if
 * they start with a byte-order mark of UTF-16.
 * - Ends early, without an error, when the signal is aborted, even while it waits for bytes.
 * - Always destroys the source at the end, so that no file stays open and nothing keeps the process alive.
 * - Throws an `InputError` that names the input if it cannot be read or unpacked.
 *
 * @param mustBeGzip refuse data that is not gzip; if unset, the extension `.gz` of the name decides
 */
export async function* readChunks(
  source: Readable,
  name: string,
  signal?: AbortSignal,
  mustBeGzip = /\.gz$/i.test(name),
): Chunks {
  const destroySource = (): void => void source.destroy();
  signal?.addEventListener('abort', destroySource, { once: true });
  try {
    if (signal?.aborted) return;
    const chunks = source[Symbol.asyncIterator]();
    const head = await readMagicBytes(chunks);
    const all = prepend(head, chunks);
    if (mustBeGzip && !isGzip(head)) {
      throw new InputError(`cannot unpack ${quotedInputName(name)}: it is not a gzip file`);
    }
    for await (const chunk of isGzip(head) ? unpack(all) : toUtf8(head, all)) {
      // What gzip unpacks to may be endless after the source has ended.
      if (signal?.aborted) return;
      yield chunk;
    }
  } catch (error) {
    // After an abort, errors are ignored: a source that is destroyed while it is read reports a premature close.
    if (!signal?.aborted) throw toInputError(name, error);
  } finally {
    signal?.removeEventListener('abort', destroySource);
    source.destroy();
  }
}

// Two bytes identify gzip and UTF-16. Waits for the second byte only if the first may begin one of them.
async function readMagicBytes(chunks: AsyncIterator<Buffer | string>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length === 0 || (head.length === 1 && [0x1f, 0xfe, 0xff].includes(head[0] ?? 0))) {
    const next = await chunks.next();
    if (next.done) break;
    head = Buffer.concat([head, toBuffer(next.value)]);
  }
  return head;
}

/** Decodes UTF-16, which a byte-order mark in `head` shows. */
function toUtf8(head: Buffer, chunks: Chunks): Chunks {
  if (head[0] === 0xff && head[1] === 0xfe) return decodeUtf16(chunks, 'utf-16le');
  if (head[0] === 0xfe && head[1] === 0xff) return decodeUtf16(chunks, 'utf-16be');
  return chunks;
}

async function* decodeUtf16(chunks: Chunks, encoding: 'utf-16le' | 'utf-16be'): Chunks {
  const decoder = new TextDecoder(encoding, { fatal: true });
  for await (const chunk of chunks) yield Buffer.from(decoder.decode(chunk, { stream: true }));
  yield Buffer.from(decoder.decode());
}

async function* unpack(chunks: Chunks): Chunks {
  const unpacked = gunzip(chunks);
  const start = await readMagicBytes(unpacked);
  yield* toUtf8(start, prepend(start, unpacked));
}

/** Whether these bytes are text as they are: not gzip, which a name that ends in .gz promises, and not UTF-16. */
export function isPlainText(bytes: Buffer, name: string): boolean {
  return (
    !/\.gz$/i.test(name) && !isGzip(bytes) && !/^(?:\xff\xfe|\xfe\xff)/.test(bytes.toString('latin1', 0, 2))
  );
}

function isGzip(head: Buffer): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

async function* prepend(head: Buffer, chunks: AsyncIterable<Buffer | string>): Chunks {
  if (head.length > 0) yield head;
  for await (const chunk of chunks) yield toBuffer(chunk);
}

async function* gunzip(chunks: Chunks): Chunks {
  const unpacked = createGunzip({ chunkSize: CHUNK_BYTES });
  // `pipeline` destroys both sides with an error of either, so the loop throws it.
  pipeline(chunks, unpacked, () => {});
  for await (const chunk of unpacked) yield toBuffer(chunk);
}

function toBuffer(chunk: Buffer | string): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

/**
 * Yields the items of an asynchronous iterable until the signal is aborted, even while it waits for the next one.
 * Closes the iterable when the caller stops early; after an abort without waiting for it, since it may never respond.
 */
export async function* untilAborted<T>(
  items: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  let wake = (): void => {};
  let mustClose = true;
  const onAbort = (): void => wake();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal?.aborted) {
      // An iterable that fails or ends is closed already.
      mustClose = false;
      // Not `Promise.race`: racing each item against one long-lived promise keeps every item in memory.
      const next = await new Promise<IteratorResult<T> | undefined>((resolve, reject) => {
        wake = () => resolve(undefined);
        Promise.resolve(iterator.next()).then(resolve, reject);
      });
      if (next?.done) return;
      mustClose = true;
      if (next !== undefined) yield next.value;
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    if (mustClose) await closeIterator(iterator, signal);
  }
}

async function closeIterator(
  iterator: AsyncIterator<unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const closing = iterator.return?.();
  if (!signal?.aborted) await closing;
  else closing?.catch(() => {}); // the reading has ended, so its error is ignored
}
