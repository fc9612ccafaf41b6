import { gunzipSync, gzipSync } from 'node:zlib';

/** The most chunks of a run: a bitmap of them takes 12.5 MB. */
export const MAX_CHUNKS = 100_000_000;

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

/** Compresses a bitmap with gzip, for messages. */
function packBitmap(bitmap: Bitmap): Buffer {
  return gzipSync(bitmap.toBytes());
}

/** Reads what `packBitmap` wrote. Throws when it is damaged, or has more than `MAX_CHUNKS` bits. */
function unpackBitmap(packed: Uint8Array): Bitmap {
  return new Bitmap(gunzipSync(packed, { maxOutputLength: MAX_CHUNKS / 8 }));
}

/** What a running collector reports. */
export interface CollectorState {
  /** The chunks whose results it has. */
  readonly done: Bitmap;
  /** Chunks whose commits it cannot read. */
  readonly refused: readonly number[];
  readonly ok: number;
  readonly failed: number;
}

export function encodeCollectorState({ done, ...rest }: CollectorState): Uint8Array {
  return Buffer.from(JSON.stringify({ ...rest, done: packBitmap(done).toString('base64') }));
}

/** The state in a collector's response, or `undefined` when it is damaged. */
export function decodeCollectorState(bytes: Uint8Array): CollectorState | undefined {
  try {
    const { done, refused, ok, failed }: Record<string, unknown> = JSON.parse(Buffer.from(bytes).toString());
    if (typeof done !== 'string' || !Array.isArray(refused)) return undefined;
    if (typeof ok !== 'number' || typeof failed !== 'number') return undefined;
    return { done: unpackBitmap(Buffer.from(done, 'base64')), refused: refused.map(Number), ok, failed };
  } catch {
    return undefined;
  }
}
