import { isUtf8 } from 'node:buffer';
import { errorCode, systemReason } from '../model/errors.ts';
import type { FailureKind } from '../model/failure.ts';
import { printable } from '../model/printable.ts';
import type { KeptBody } from '../model/result.ts';

/** Why the body of an answer cannot be kept, which makes its URL a failure. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly kind: FailureKind;
  readonly code: string | undefined;

  constructor(kind: FailureKind, code: string | undefined, message: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

/** The failure `write`, from an error of the file system. `name` is that of the file or directory. */
export function writeError(name: string, cause: unknown): BodyError {
  const code = errorCode(cause);
  return new BodyError('write', code, `Cannot write "${printable(name)}": ${systemReason(cause)}`);
}

/** Takes one body as it comes in, decoded: any number of `write`, and then `end` or `drop`. */
export interface BodySink {
  /** The piece is of no use after the call. @throws BodyError, after which `drop` is the only call */
  write(piece: Buffer): void;
  /**
   * The answer is judged. Gives what is kept of its body.
   *
   * @param isOk whether the URL is OK as far as is known
   * @param isWhole false when the body was not read to its end, being larger than wanted
   * @throws BodyError why an answer that is OK otherwise is a failure
   */
  end(isOk: boolean, isWhole: boolean): KeptBody | undefined;
  /**
   * The body is not wanted. Does nothing when it has come to its end, or to an error.
   *
   * @param isBrokenOff whether it came to an early end, so that the rest of it may still be had
   */
  drop(isBrokenOff: boolean): void;
}

/** Lets several listen to one body. */
export class BodySinkGroup implements BodySink {
  readonly #takers: readonly BodySink[];

  constructor(takers: readonly BodySink[]) {
    this.#takers = takers;
  }

  write(piece: Buffer): void {
    for (const taker of this.#takers) taker.write(piece);
  }

  end(isOk: boolean, isWhole: boolean): KeptBody | undefined {
    let kept: KeptBody | undefined;
    for (const taker of this.#takers) {
      const part = taker.end(isOk, isWhole);
      if (part !== undefined) kept = { ...kept, ...part };
    }
    return kept;
  }

  drop(isBrokenOff: boolean): void {
    for (const taker of this.#takers) taker.drop(isBrokenOff);
  }
}

/** `--inline-body`: keeps a body in memory for its record. One that is larger than wanted is left out as a whole. */
export class InlineSink implements BodySink {
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
