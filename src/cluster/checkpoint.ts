import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { errorCode, outputError, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import type { RunSettings } from './run-settings.ts';

/** More chunks than this are not believed: 10^8 of 500 URLs, and 12.5 MB of bits. */
export const MAX_CHUNKS = 100_000_000;

/** Which chunks are finished: one bit for each. */
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

  has(index: number): boolean {
    return ((this.#bytes[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  set(index: number): void {
    if (this.has(index)) return;
    const at = index >> 3;
    if (at >= this.#bytes.length) this.#grow(at);
    this.#bytes[at] = (this.#bytes[at] ?? 0) | (1 << (index & 7));
    this.#count += 1;
  }

  /** The lowest index that is not set. */
  get firstClear(): number {
    const found = this.#bytes.findIndex((byte) => byte !== 0xff);
    let index = 8 * (found === -1 ? this.#bytes.length : found);
    while (this.has(index)) index += 1;
    return index;
  }

  /** A copy, without the zeros at its end. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#bytes.findLastIndex((byte) => byte !== 0) + 1);
  }

  #grow(at: number): void {
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, at + 1, 64));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** A bitmap as it is kept and sent. */
export function packBitmap(bitmap: Bitmap): Buffer {
  return gzipSync(bitmap.toBytes());
}

/** Reads what `packBitmap` made. Throws when it is damaged, or larger than any list. */
export function unpackBitmap(packed: Uint8Array): Bitmap {
  return new Bitmap(gunzipSync(packed, { maxOutputLength: MAX_CHUNKS / 8 }));
}

/** What gives the chunks of a list their numbers: with another layout they would mean other URLs. */
export type Layout = Pick<RunSettings, 'chunk' | 'partitions'>;

/** What a collector knows of its file of results: it stands beside it, in `FILE.checkpoint`. */
export interface Checkpoint {
  readonly run: string;
  readonly layout: Layout;
  /** Of this file of results: another one of the same run has another id. */
  readonly id: string;
  /** So long is the file of results; what stands behind that came after this was written. */
  readonly bytes: number;
  /** The finished chunks. */
  readonly done: Bitmap;
}

/** The checkpoint of a file of results; `undefined` when there is none. Throws a `UsageError` when it is damaged. */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  const name = nameOf(path);
  let text: string;
  try {
    text = await readFile(name, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw outputError(name, error, 'read');
  }
  const found = parsed(text);
  if (found === undefined) throw new UsageError(`${cannotUse(path)}: ${printable(name)} is damaged`);
  return found;
}

/** Writes the checkpoint so that it is there as a whole, or as it was before, whatever happens. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const name = nameOf(path);
  const file = await open(`${name}.part`, 'w');
  try {
    const done = packBitmap(checkpoint.done).toString('base64');
    await file.writeFile(JSON.stringify({ ...checkpoint, done }));
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(`${name}.part`, name);
  const directory = await open(dirname(name), 'r');
  await directory.sync().finally(() => directory.close());
}

/** A layout as the flags that give it. */
export function layoutText({ chunk, partitions }: Layout): string {
  return `--chunk ${chunk} --partitions ${partitions}`;
}

export function cannotUse(path: string): string {
  return `Cannot use "${printable(path)}" for the results of this run`;
}

function nameOf(path: string): string {
  return `${path}.checkpoint`;
}

function parsed(text: string): Checkpoint | undefined {
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
