import { isUtf8 } from 'node:buffer';
import type { KeptBody } from '../model/result.ts';
import type { BodyTaker } from './taker.ts';

/** `--inline-body`: keeps a body in memory for its record. One that is larger than wanted is left out as a whole. */
export class InlineTaker implements BodyTaker {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  write(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes <= this.#maxBytes) this.#pieces.push(Buffer.from(piece));
    else this.#pieces = [];
  }

  /** Also of a failure: what a server says to it is what people look for. */
  end(_isOk: boolean, isWhole: boolean): KeptBody | undefined {
    if (!isWhole || this.#bytes > this.#maxBytes) return undefined;
    const body = Buffer.concat(this.#pieces);
    this.#pieces = [];
    const bytes = body.length;
    return isUtf8(body) ? { bytes, text: body.toString('utf8') } : { bytes, base64: body.toString('base64') };
  }

  drop(): void {
    this.#bytes = Number.POSITIVE_INFINITY;
    this.#pieces = [];
  }
}
