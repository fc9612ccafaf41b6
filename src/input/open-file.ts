import { close, constants, createReadStream, open } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { inputFault } from './input-fault.ts';

const openFd = promisify(open);
const closeFd = promisify(close);

/** How much of a file is read, and given out, at once. */
export const CHUNK_BYTES = 64 * 1024;

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
