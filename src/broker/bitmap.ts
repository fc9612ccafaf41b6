import { gunzipSync, gzipSync } from 'node:zlib';

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
