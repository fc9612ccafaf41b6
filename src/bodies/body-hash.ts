import { createHash, type Hash, hash } from 'node:crypto';

const NOTHING = Buffer.alloc(0);
const MAX_COPIED_BYTES = 16 * 1024;

/** The SHA-256 of a body. Most come in one piece, for which no object of OpenSSL is made: it costs more than the hash. */
export class BodyHash {
  #hash: Hash | undefined;
  #first: Buffer | undefined;

  /** @param start of the body, if the beginning of it was hashed before */
  constructor(start?: Hash) {
    this.#hash = start;
  }

  /** Holds a copy of the first piece until there is another. */
  update(piece: Buffer): void {
    if (this.#hash !== undefined) this.#hash.update(piece);
    else if (this.#first === undefined && piece.length <= MAX_COPIED_BYTES) this.#first = Buffer.from(piece);
    else if (this.#first === undefined) this.#hash = createHash('sha256').update(piece);
    else {
      this.#hash = createHash('sha256').update(this.#first).update(piece);
      this.#first = undefined;
    }
  }

  /** In lower-case hex, once. */
  hex(): string {
    return this.#hash === undefined
      ? hash('sha256', this.#first ?? NOTHING, 'hex')
      : this.#hash.digest('hex');
  }
}
