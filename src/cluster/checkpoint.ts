import { link, unlink } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { readOwnFile } from '../core/own-file.ts';
import { errorCode, toOutputError, UsageError } from '../model/errors.ts';
import { excerpt } from '../model/printable.ts';
import { replaceFile } from '../output/atomic-file.ts';
import type { RunSettings } from './jetstream-setup.ts';

/** The most chunks of a run: a bitmap of them takes 12.5 MB. */
export const MAX_CHUNKS = 100_000_000;

/** The longest checkpoint that is read: a bitmap of all chunks that does not compress, in base64, and the rest. */
const MAX_CHECKPOINT_BYTES = 32 * 1024 ** 2;

/** The settings that number the chunks of a list: in another layout, the same number means other URLs. */
export type Layout = Pick<RunSettings, 'chunk' | 'partitions'>;

/** What a collector remembers of its file of results between two starts, in `FILE.checkpoint`. */
export interface Checkpoint {
  /** The id of the run. */
  readonly run: string;
  readonly layout: Layout;
  /** The id of this file of results: two files of one run have different ids. */
  readonly id: string;
  /** The length of the file of results. What is behind it was written after this checkpoint. */
  readonly bytes: number;
  /** The finished chunks. */
  readonly done: Bitmap;
}

/** The checkpoint of a file of results; `undefined` when there is none. Throws a `UsageError` when it is damaged. */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  const name = checkpointName(path);
  let text: string;
  try {
    text = (await readOwnFile(name, MAX_CHECKPOINT_BYTES)).toString();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw toOutputError(name, error, 'read');
  }
  const checkpoint = decodeCheckpoint(text);
  if (checkpoint === undefined) throw new UsageError(`${cannotUse(path)}: ${excerpt(name, 2000)} is damaged`);
  return checkpoint;
}

/** Replaces the checkpoint atomically; it is on disk when this resolves. Throws the error of the file system. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const done = packBitmap(checkpoint.done).toString('base64');
  await replaceFile(checkpointName(path), JSON.stringify({ ...checkpoint, done }));
}

/**
 * Renames a file of results and its checkpoint if they belong to another run, whose id is then in their names. Resolves to the new
 * name, or `undefined`. Throws an `OutputError`.
 */
export async function moveEarlierRun(path: string, run: string): Promise<string | undefined> {
  const found = await readCheckpoint(path);
  if (found === undefined || found.run === run) return undefined;
  const { dir, name, ext } = parse(path);
  const moved = join(dir, `${name}-${found.run.replace(/[^\w-]/g, '_')}${ext}`);
  try {
    // A link does not replace a file, as renaming would.
    await link(path, moved);
    await link(checkpointName(path), checkpointName(moved));
    await unlink(path);
    await unlink(checkpointName(path));
  } catch (error) {
    throw toOutputError(moved, error, 'move earlier results to');
  }
  return moved;
}

/** A layout as command-line flags. */
export function layoutText({ chunk, partitions }: Layout): string {
  return `--chunk ${chunk} --partitions ${partitions}`;
}

/** The beginning of a message about a file of results that cannot be used. */
export function cannotUse(path: string): string {
  return `cannot use "${excerpt(path, 2000)}" for the results of this run`;
}

/** A set of small whole numbers, one bit each. */
export class Bitmap {
  #bytes: Uint8Array;
  #count = 0;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = Uint8Array.from(bytes);
    for (let byte of bytes) for (; byte > 0; byte >>= 1) this.#count += byte & 1;
  }

  /** Bits that are set. */
  get count(): number {
    return this.#count;
  }

  /** Bits that are set below an index. */
  countBelow(end: number): number {
    let above = 0;
    for (let index = end; index < 8 * this.#bytes.length; index++) if (this.has(index)) above += 1;
    return this.#count - above;
  }

  /** The lowest index that is not set. */
  get firstClear(): number {
    const byte = this.#bytes.findIndex((bits) => bits !== 0xff);
    let index = 8 * (byte === -1 ? this.#bytes.length : byte);
    while (this.has(index)) index += 1;
    return index;
  }

  has(index: number): boolean {
    return ((this.#bytes[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  set(index: number): void {
    if (this.has(index)) return;
    const byte = index >> 3;
    if (byte >= this.#bytes.length) this.#grow(byte + 1);
    this.#bytes[byte] = (this.#bytes[byte] ?? 0) | (1 << (index & 7));
    this.#count += 1;
  }

  /** A copy of the bytes, without trailing zeros. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#bytes.findLastIndex((byte) => byte !== 0) + 1);
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, length, 64));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Compresses a bitmap with gzip, for files and messages. */
export function packBitmap(bitmap: Bitmap): Buffer {
  return gzipSync(bitmap.toBytes());
}

/** Reads what `packBitmap` wrote. Throws when it is damaged, or has more than `MAX_CHUNKS` bits. */
export function unpackBitmap(packed: Uint8Array): Bitmap {
  return new Bitmap(gunzipSync(packed, { maxOutputLength: MAX_CHUNKS / 8 }));
}

function checkpointName(path: string): string {
  return `${path}.checkpoint`;
}

function decodeCheckpoint(text: string): Checkpoint | undefined {
  try {
    const { run, id, bytes, done, layout }: Record<string, unknown> = JSON.parse(text);
    if (typeof run !== 'string' || typeof id !== 'string' || typeof done !== 'string') return undefined;
    if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) return undefined;
    const { chunk, partitions }: Record<string, unknown> = { ...Object(layout) };
    if (typeof chunk !== 'number' || typeof partitions !== 'number') return undefined;
    const bitmap = unpackBitmap(Buffer.from(done, 'base64'));
    return { run, id, bytes, layout: { chunk, partitions }, done: bitmap };
  } catch {
    return undefined;
  }
}

/** What a collector reports to `fanout cluster feed --reconcile`. */
interface CollectorState {
  readonly layout: Layout;
  /** The finished chunks. */
  readonly done: Bitmap;
}

export function encodeCollectorState({ chunk, partitions }: Layout, done: Bitmap): Uint8Array {
  return Buffer.from(JSON.stringify({ chunk, partitions, done: packBitmap(done).toString('base64') }));
}

/** The state in a collector's response, or `undefined` when it is damaged. */
export function decodeCollectorState(bytes: Uint8Array): CollectorState | undefined {
  try {
    const { chunk, partitions, done }: Record<string, unknown> = JSON.parse(Buffer.from(bytes).toString());
    if (typeof chunk !== 'number' || typeof partitions !== 'number' || typeof done !== 'string')
      return undefined;
    return { layout: { chunk, partitions }, done: unpackBitmap(Buffer.from(done, 'base64')) };
  } catch {
    return undefined;
  }
}
