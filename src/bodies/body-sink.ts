import { isUtf8 } from 'node:buffer';
import { errorCode, systemReason } from '../model/errors.ts';
import type { FailureKind } from '../model/failure.ts';
import { excerpt } from '../model/printable.ts';
import type { KeptBody } from '../model/result.ts';

/** Takes one decoded body as it arrives: any number of `write`, then `end` or `drop`. */
export interface BodySink {
  /**
   * Takes a piece, which is valid only during the call. Returns a promise if it should get no more before that is
   * fulfilled.
   *
   * @throws BodyError, or rejects with it; after which only `drop` may be called
   */
  write(piece: Buffer): Promise<void> | undefined;
  /**
   * Completes the body after its response was validated, and returns what was kept.
   *
   * @param isOk whether the URL is OK unless the body cannot be kept
   * @param isWhole false if the body was cut at its size limit
   * @throws BodyError, or rejects with it, if the body of a response that is otherwise OK cannot be kept
   */
  end(isOk: boolean, isWhole: boolean): Promise<KeptBody | undefined> | KeptBody | undefined;
  /**
   * Discards the body. Has no effect after `end` or an error. Returns a promise if it takes time, which never rejects.
   *
   * @param isInterrupted whether the body ended early, so that the rest may still be fetched
   */
  drop(isInterrupted: boolean): Promise<void> | undefined;
}

/** Passes one body to several sinks. */
export class BodySinkGroup implements BodySink {
  readonly #sinks: readonly BodySink[];

  constructor(sinks: readonly BodySink[]) {
    this.#sinks = sinks;
  }

  write(piece: Buffer): Promise<void> | undefined {
    const waits = this.#sinks.map((sink) => sink.write(piece)).filter((wait) => wait !== undefined);
    return waits.length > 1 ? Promise.all(waits).then(() => {}) : waits[0];
  }

  async end(isOk: boolean, isWhole: boolean): Promise<KeptBody | undefined> {
    let kept: KeptBody | undefined;
    for (const sink of this.#sinks) {
      const part = await sink.end(isOk, isWhole);
      if (part !== undefined) kept = { ...kept, ...part };
    }
    return kept;
  }

  async drop(isInterrupted: boolean): Promise<void> {
    await Promise.all(this.#sinks.map((sink) => sink.drop(isInterrupted)));
  }
}

/** Keeps a body in memory for its result, as text or base64, or as a `Buffer`. A body over the limit is left out entirely. */
export class InlineSink implements BodySink {
  readonly #maxBytes: number;
  readonly #isBuffer: boolean;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number, isBuffer = false) {
    this.#maxBytes = maxBytes;
    this.#isBuffer = isBuffer;
  }

  write(piece: Buffer): undefined {
    this.#bytes += piece.length;
    if (this.#bytes <= this.#maxBytes) this.#pieces.push(Buffer.from(piece));
    else this.#pieces = [];
  }

  /** Also keeps the body of a failure, since it often explains the failure. */
  end(_isOk: boolean, isWhole: boolean): KeptBody | undefined {
    if (!isWhole || this.#bytes > this.#maxBytes) return undefined;
    const body = Buffer.concat(this.#pieces);
    this.#pieces = [];
    const bytes = body.length;
    if (this.#isBuffer) return { bytes, buffer: body };
    return isUtf8(body) ? { bytes, text: body.toString('utf8') } : { bytes, base64: body.toString('base64') };
  }

  drop(): undefined {
    this.#bytes = Number.POSITIVE_INFINITY;
    this.#pieces = [];
  }
}

/** The body of a response cannot be kept, so its URL failed. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  /** Whether the body is lost through no fault of its response, so that it may be fetched again. */
  readonly isLost: boolean = false;
  readonly kind: FailureKind;
  readonly code: string | undefined;

  constructor(kind: FailureKind, code: string | undefined, message: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

/** Converts an error of the file system to a failure of kind `write`. `name` is the file or directory. */
export function writeError(name: string, cause: unknown): BodyError {
  const code = errorCode(cause);
  return new BodyError('write', code, `cannot write "${excerpt(name, 2000)}": ${systemReason(cause)}`);
}
