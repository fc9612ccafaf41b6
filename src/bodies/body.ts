import type { BodySink } from './body-sink.ts';
import {
  DecodeError,
  type Decoder,
  decoderFor,
  ENCODING_OVERHEAD_BYTES,
  OverflowError,
  unsupportedCoding,
} from './decompress.ts';
import type { TextMatcher } from './text-matcher.ts';

/** Length of the start of a body that is kept, in bytes. */
const START_BYTES = 4 * 1024;

interface BodyOptions {
  /** Limit in bytes, decoded. The body is not read beyond it. */
  readonly maxBytes: number;
  /** Content-Encoding to decode. */
  readonly contentEncoding?: string | undefined;
  readonly sink?: BodySink | undefined;
  readonly inspector?: BodyInspector | undefined;
}

/** One body as it arrives: decodes it, enforces the size limit, and passes it to its sink and inspector. */
export class Body {
  readonly #maxBytes: number;
  readonly #contentEncoding: string | undefined;
  readonly #sink: BodySink | undefined;
  readonly #inspector: BodyInspector | undefined;
  #decoder: Decoder | undefined;
  #receivedBytes = 0;
  #decodedBytes = 0;

  constructor(options: BodyOptions) {
    this.#maxBytes = options.maxBytes;
    this.#contentEncoding = options.contentEncoding;
    this.#sink = options.sink;
    this.#inspector = options.inspector;
  }

  /** Decoded bytes, at most the limit. */
  get bytes(): number {
    return Math.min(this.#decodedBytes, this.#maxBytes);
  }

  /** Whether the body is larger than the limit, so that the rest need not be read. */
  get isOverLimit(): boolean {
    // A body that decodes to nothing must end, too.
    return (
      this.#decodedBytes > this.#maxBytes || this.#receivedBytes > this.#maxBytes + ENCODING_OVERHEAD_BYTES
    );
  }

  /** @throws DecodeError, and BodyError from the sink */
  write(chunk: Buffer): void {
    // Created with the first bytes: a response to HEAD names a coding and has no body.
    if (this.#receivedBytes === 0 && this.#contentEncoding !== undefined) {
      const fault = unsupportedCoding(this.#contentEncoding);
      // Encoded bytes must be neither saved nor searched as if they were the body.
      const matters = this.#sink !== undefined || this.#inspector?.isSearching === true;
      if (fault !== undefined && matters) throw new DecodeError(`the body has ${fault}`, undefined);
      this.#decoder = decoderFor(this.#contentEncoding, this.#maxBytes);
    }
    this.#receivedBytes += chunk.length;
    const decoder = this.#decoder;
    if (decoder === undefined) this.#pass(chunk);
    else this.#decode(() => decoder.write(chunk));
  }

  /** @throws DecodeError, and BodyError from the sink */
  end(): void {
    const decoder = this.#decoder;
    if (decoder !== undefined) this.#decode(() => decoder.end());
  }

  #decode(pieces: () => Iterable<Buffer>): void {
    try {
      for (const piece of pieces()) {
        this.#pass(piece);
        if (this.#decodedBytes > this.#maxBytes) return;
      }
    } catch (error) {
      if (!(error instanceof OverflowError)) throw error;
      this.#decodedBytes = Number.POSITIVE_INFINITY;
    }
  }

  #pass(piece: Buffer): void {
    this.#decodedBytes += piece.length;
    if (this.#decodedBytes > this.#maxBytes) return;
    this.#sink?.write(piece);
    this.#inspector?.write(piece);
  }
}

interface BodyInspectorOptions {
  /** Searches the whole body. */
  readonly matcher: TextMatcher | undefined;
  /** Whether to keep the start of the body. */
  readonly keepStart: boolean;
}

/** Inspects a body as it arrives: searches it for text, and keeps its start. */
export class BodyInspector {
  readonly #options: BodyInspectorOptions;
  #start = '';

  constructor(options: BodyInspectorOptions) {
    this.#options = options;
  }

  /** The first 4 KiB as latin1; empty without `keepStart`. */
  get start(): string {
    return this.#start;
  }

  /** Whether it searches the whole body. */
  get isSearching(): boolean {
    return this.#options.matcher !== undefined;
  }

  write(piece: Buffer): void {
    const { matcher, keepStart } = this.#options;
    matcher?.write(piece);
    const missing = START_BYTES - this.#start.length;
    if (keepStart && missing > 0) this.#start += piece.toString('latin1', 0, missing);
  }

  /** The first text rule that the body does not meet, as a message. Call once, after the last `write`. */
  textFault(): string | undefined {
    return this.#options.matcher?.end();
  }
}
