import type { BodySink } from './body-sink.ts';
import { type Decoder, decoderFor, ENCODING_OVERHEAD_BYTES, OverflowError } from './decompress.ts';

export interface BodyOptions {
  /** The body is not read any further than this many bytes, decoded. */
  readonly maxBytes: number;
  /** Content-Encoding to undo. */
  readonly contentEncoding?: string | undefined;
  /** Given the body as it comes, decoded. */
  readonly taker?: BodySink | undefined;
  /** Shown the body as it comes, decoded. */
  readonly reader?: { write(piece: Buffer): void } | undefined;
}

/** One body as it comes in: decoded, measured against the limit, and handed on. */
export class Body {
  readonly #maxBytes: number;
  readonly #contentEncoding: string | undefined;
  readonly #taker: BodySink | undefined;
  readonly #reader: BodyOptions['reader'];
  #decoder: Decoder | undefined;
  #received = 0;
  #bytes = 0;

  constructor(options: BodyOptions) {
    this.#maxBytes = options.maxBytes;
    this.#contentEncoding = options.contentEncoding;
    this.#taker = options.taker;
    this.#reader = options.reader;
  }

  /** Decoded bytes, at most the limit. */
  get bytes(): number {
    return Math.min(this.#bytes, this.#maxBytes);
  }

  /** Whether the body is larger than the limit: the rest is not wanted. */
  get isOverLimit(): boolean {
    // A body that decodes to nothing must come to an end, too.
    return this.#bytes > this.#maxBytes || this.#received > this.#maxBytes + ENCODING_OVERHEAD_BYTES;
  }

  /** @throws DecodeError, and BodyError from the taker */
  write(chunk: Buffer): void {
    // Made with the first bytes: an answer to HEAD names a coding and has no body.
    if (this.#received === 0 && this.#contentEncoding !== undefined) {
      this.#decoder = decoderFor(this.#contentEncoding, this.#maxBytes);
    }
    this.#received += chunk.length;
    const decoder = this.#decoder;
    if (decoder === undefined) this.#hand(chunk);
    else this.#take(() => decoder.write(chunk));
  }

  /** @throws DecodeError, and BodyError from the taker */
  end(): void {
    const decoder = this.#decoder;
    if (decoder !== undefined) this.#take(() => decoder.end());
  }

  #take(decode: () => Iterable<Buffer>): void {
    try {
      for (const piece of decode()) {
        this.#hand(piece);
        if (this.#bytes > this.#maxBytes) return;
      }
    } catch (error) {
      if (!(error instanceof OverflowError)) throw error;
      this.#bytes = Number.POSITIVE_INFINITY;
    }
  }

  #hand(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes > this.#maxBytes) return;
    this.#taker?.write(piece);
    this.#reader?.write(piece);
  }
}
