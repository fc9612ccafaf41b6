import { createRequire } from 'node:module';
import type { BrotliDecompress, Gunzip, Inflate, InflateRaw, ZlibOptions } from 'minizlib';
import { printable } from '../model/printable.ts';

/** The value of Accept-Encoding: the codings that can be decoded. */
export const ACCEPT_ENCODING = 'gzip, deflate, br';

/** How many bytes an encoded body may be larger than the decoded one. */
export const ENCODING_OVERHEAD_BYTES = 64 * 1024;

/** Most codings of one body that are decoded. */
const MAX_CODINGS = 2;

/** Most bytes that go into a decoder at once, and that may come out at once: a small piece may expand to a large one. */
const MAX_INPUT_BYTES = 16 * 1024;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * Ten bytes of brotli can expand to 16 MiB of zeros. Where large bodies are allowed, input pieces start this small, and
 * become as small again after a piece with a large output.
 */
const MIN_INPUT_BYTES = 32;
const LARGE_OUTPUT_BYTES = 1024 * 1024;

/** Decodes content codings, piece by piece and synchronously, while the returned pieces are iterated. */
export interface Decoder {
  /** Bytes that all codings have put out so far. */
  readonly outputBytes: number;
  /** Bytes that all codings but the last one to undo have put out: they are encoded still. */
  readonly innerBytes: number;
  /**
   * The pieces may be empty: between two of them only a few bytes are decoded, so that the caller may stop there.
   *
   * @throws DecodeError if the bytes are invalid, OverflowError if one piece decodes to too much.
   */
  write(chunk: Buffer): Iterable<Buffer>;
  /** Returns the rest. @throws DecodeError if the body is incomplete. */
  end(): Iterable<Buffer>;
}

/** The body is not valid in its Content-Encoding. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }

  /** Whether the bytes so far are valid, and only the end is missing. */
  get isIncomplete(): boolean {
    return this.code === 'Z_BUF_ERROR';
  }
}

/** The decoded body is larger than the limit. */
export class OverflowError extends Error {
  override readonly name = 'OverflowError';
}

/**
 * Returns the decoder for a Content-Encoding header; `undefined` if there is nothing to decode, or if a coding is not
 * supported and the body is to be taken as it is. A piece that decodes to more than `maxBytes` causes an `OverflowError`.
 */
export function decoderFor(contentEncoding: string, maxBytes: number): Decoder | undefined {
  const codings = toCodings(contentEncoding).reverse();
  if (unsupportedCoding(contentEncoding) !== undefined) return undefined;
  let decoder: Decoder | undefined;
  for (const [index, coding] of codings.entries()) {
    const isLast = index === codings.length - 1;
    const wantedBytes = maxBytes + (isLast ? 1 : ENCODING_OVERHEAD_BYTES);
    // One object per decoder: minizlib writes to it, and what it writes for brotli makes gzip accept a truncated body.
    const next = createDecoder(coding, { maxOutputLength: Math.min(wantedBytes, MAX_OUTPUT_BYTES) });
    if (next === undefined) return undefined;
    decoder = decoder === undefined ? next : chain(decoder, next);
  }
  return decoder;
}

const SUPPORTED_CODINGS: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'br', 'deflate']);

/** Why a body with these codings cannot be decoded, in words; `undefined` if it can. */
export function unsupportedCoding(encoding: string): string | undefined {
  const codings = toCodings(encoding);
  if (codings.length > MAX_CODINGS) return `more than ${MAX_CODINGS} codings`;
  const unknown = codings.find((coding) => !SUPPORTED_CODINGS.has(coding));
  return unknown === undefined ? undefined : `an unknown coding, "${printable(unknown, 40)}"`;
}

/** Names of no coding: the standard one, and one that some servers send and curl accepts. */
const NO_CODING: ReadonlySet<string> = new Set(['', 'identity', 'none']);

/** The codings in the order in which they were applied. */
function toCodings(contentEncoding: string): string[] {
  const names = contentEncoding.toLowerCase().split(',');
  return names.map((name) => name.trim()).filter((name) => !NO_CODING.has(name));
}

/** Zlib options with one that minizlib passes on to Node, and that its types leave out. */
type DecoderOptions = ZlibOptions & { readonly maxOutputLength: number };

function createDecoder(coding: string, options: DecoderOptions): Decoder | undefined {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return new ZlibDecoder(coding, new (minizlib().Gunzip)(options));
    case 'br': {
      const inputBytes = options.maxOutputLength < MAX_OUTPUT_BYTES ? MAX_INPUT_BYTES : MIN_INPUT_BYTES;
      return new ZlibDecoder(coding, new (minizlib().BrotliDecompress)(options), inputBytes);
    }
    case 'deflate':
      return new DeflateDecoder(options);
    default:
      return undefined;
  }
}

let loaded: typeof import('minizlib') | undefined;

/** Loads minizlib for the first encoded body, synchronously: loading it takes a tenth of the time of a short run. */
function minizlib(): typeof import('minizlib') {
  loaded ??= createRequire(import.meta.url)('minizlib') as typeof import('minizlib'); // require() gives `any`
  return loaded;
}

type ZlibStream = Gunzip | BrotliDecompress | Inflate | InflateRaw;

const NOTHING = Buffer.alloc(0);

class ZlibDecoder implements Decoder {
  readonly innerBytes = 0;
  outputBytes = 0;
  readonly #coding: string;
  readonly #stream: ZlibStream;
  #output: Buffer[] = [];
  /** Bytes that go into the stream at once. */
  #inputBytes: number;
  #error: (Error & { code?: string }) | undefined;

  constructor(coding: string, stream: ZlibStream, inputBytes = MAX_INPUT_BYTES) {
    this.#coding = coding;
    this.#inputBytes = inputBytes;
    this.#stream = stream;
    stream.on('data', (chunk) => this.#output.push(chunk as Buffer)); // without an encoding it emits buffers
    stream.on('error', (error) => {
      this.#error = error as Error; // minizlib emits nothing else here
    });
  }

  *write(chunk: Buffer): Generator<Buffer> {
    for (let at = 0; at < chunk.length; ) {
      const end = at + this.#inputBytes;
      this.#stream.write(chunk.subarray(at, end));
      at = end;
      const before = this.outputBytes;
      const output = this.#takeOutput();
      this.#adaptInput(this.outputBytes - before);
      if (output.length === 0) yield NOTHING;
      else yield* output;
    }
  }

  end(): Buffer[] {
    this.#stream.end();
    this.#stream.close();
    return this.#takeOutput();
  }

  #adaptInput(outputBytes: number): void {
    const grown = Math.min(4 * this.#inputBytes, MAX_INPUT_BYTES);
    this.#inputBytes = outputBytes > LARGE_OUTPUT_BYTES ? MIN_INPUT_BYTES : grown;
  }

  #takeOutput(): Buffer[] {
    if (this.#error !== undefined) {
      if (this.#error.code === 'ERR_BUFFER_TOO_LARGE') throw new OverflowError(this.#error.message);
      throw new DecodeError(`the ${this.#coding} body is broken: ${this.#error.message}`, this.#error.code);
    }
    const output = this.#output;
    for (const piece of output) this.outputBytes += piece.length;
    this.#output = [];
    return output;
  }
}

/** `deflate` is the zlib format (RFC 9110, section 8.4.1.2), but some servers send raw deflate. The first byte shows which. */
class DeflateDecoder implements Decoder {
  readonly innerBytes = 0;
  readonly #options: DecoderOptions;
  #decoder: Decoder | undefined;

  constructor(options: DecoderOptions) {
    this.#options = options;
  }

  get outputBytes(): number {
    return this.#decoder?.outputBytes ?? 0;
  }

  write(chunk: Buffer): Iterable<Buffer> {
    if (chunk.length === 0) return [];
    this.#decoder ??= new ZlibDecoder('deflate', this.#createStream(chunk[0] ?? 0));
    return this.#decoder.write(chunk);
  }

  end(): Iterable<Buffer> {
    return this.#decoder?.end() ?? [];
  }

  #createStream(firstByte: number): Inflate | InflateRaw {
    const { Inflate, InflateRaw } = minizlib();
    return (firstByte & 0x0f) === 8 ? new Inflate(this.#options) : new InflateRaw(this.#options);
  }
}

/** Decodes with the first decoder, and its output with the second. */
function chain(first: Decoder, second: Decoder): Decoder {
  function* through(pieces: Iterable<Buffer>): Generator<Buffer> {
    for (const piece of pieces) {
      if (piece.length === 0) yield piece;
      else yield* second.write(piece);
    }
  }
  return {
    get outputBytes() {
      return first.outputBytes + second.outputBytes;
    },
    get innerBytes() {
      return first.outputBytes;
    },
    write: (chunk) => through(first.write(chunk)),
    *end() {
      yield* through(first.end());
      yield* second.end();
    },
  };
}
