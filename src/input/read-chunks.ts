import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { InputError } from '../model/errors.ts';
import { inputFault, named } from './input-fault.ts';
import { CHUNK_BYTES } from './open-file.ts';

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
