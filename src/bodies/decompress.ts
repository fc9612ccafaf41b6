import { createRequire } from 'node:module';
import type { BrotliDecompress, Gunzip, Inflate, InflateRaw, ZlibOptions } from 'minizlib';

/** Undoes one content coding, piece by piece and synchronously: as far as its output is walked over. */
export interface Decoder {
  /** @throws DecodeError when the bytes are not what the coding says. */
  write(chunk: Buffer): Iterable<Buffer>;
  /** What is left. @throws DecodeError when the encoded body has not come to its end. */
  end(): Iterable<Buffer>;
}

/** The body is not what its Content-Encoding says. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

/** What comes out of the coding is larger than wanted: a bomb, or just a large body. */
export class OverflowError extends Error {
  override readonly name = 'OverflowError';
}

/** The codings that fanout asks for. */
export const ACCEPT_ENCODING = 'gzip, deflate, br';

const MAX_CODINGS = 3;

// A small piece of a bomb must not become a large piece of memory: this much goes in at once, and this much may come out.
const MAX_PIECE_BYTES = 16 * 1024;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

// Ten bytes of brotli can stand for 16 MiB of zeros, which is no bomb where large bodies are wanted: then as much goes in
// at once as what came out of the piece before allows.
const MIN_PIECE_BYTES = 32;
const LARGE_OUTPUT_BYTES = 4 * 1024 * 1024;

/** By how much an encoded body may be larger than the decoded one. */
export const ENCODING_OVERHEAD_BYTES = 64 * 1024;

/**
 * The decoder for a Content-Encoding header; `undefined` when there is nothing to undo, or a coding that was not asked
 * for, whose body is then taken as it is. One piece that gives more than `maxBytes` ends in an OverflowError.
 */
export function decoderFor(contentEncoding: string, maxBytes: number): Decoder | undefined {
  const names = contentEncoding
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const codings = names.filter((name) => name !== '' && name !== 'identity').reverse();
  if (codings.length > MAX_CODINGS) return undefined;
  let decoder: Decoder | undefined;
  for (const [index, coding] of codings.entries()) {
    const isLast = index === codings.length - 1;
    const wantedBytes = maxBytes + (isLast ? 1 : ENCODING_OVERHEAD_BYTES);
    // An object for each: minizlib writes into it, and what it writes for brotli makes gzip overlook a missing end.
    const next = decoderOf(coding, { maxOutputLength: Math.min(wantedBytes, MAX_OUTPUT_BYTES) });
    if (next === undefined) return undefined;
    decoder = decoder === undefined ? next : chain(decoder, next);
  }
  return decoder;
}

let loaded: typeof import('minizlib') | undefined;

/** Loaded for the first encoded body, since it takes a tenth of a short run; at once, since the head of an answer waits for it. */
function minizlib(): typeof import('minizlib') {
  loaded ??= createRequire(import.meta.url)('minizlib') as typeof import('minizlib'); // require() gives `any`
  return loaded;
}

/** An option of Node's zlib, which minizlib hands on and its types leave out. */
type Limits = ZlibOptions & { readonly maxOutputLength: number };

function decoderOf(coding: string, limits: Limits): Decoder | undefined {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return new ZlibDecoder(coding, new (minizlib().Gunzip)(limits));
    case 'br':
      return new ZlibDecoder(coding, new (minizlib().BrotliDecompress)(limits), firstPieceBytes(limits));
    case 'deflate':
      return new DeflateDecoder(limits);
    default:
      return undefined;
  }
}

function firstPieceBytes({ maxOutputLength }: Limits): number {
  return maxOutputLength < MAX_OUTPUT_BYTES ? MAX_PIECE_BYTES : MIN_PIECE_BYTES;
}

type ZlibStream = Gunzip | BrotliDecompress | Inflate | InflateRaw;

class ZlibDecoder implements Decoder {
  readonly #coding: string;
  readonly #stream: ZlibStream;
  #output: Buffer[] = [];
  #pieceBytes: number;
  #error: (Error & { code?: string }) | undefined;

  constructor(coding: string, stream: ZlibStream, firstPieceBytes = MAX_PIECE_BYTES) {
    this.#coding = coding;
    this.#pieceBytes = firstPieceBytes;
    this.#stream = stream;
    stream.on('data', (chunk) => this.#output.push(chunk as Buffer)); // no encoding is set, so it gives buffers
    stream.on('error', (error) => {
      this.#error = error as Error; // minizlib emits nothing else here
    });
  }

  *write(chunk: Buffer): Generator<Buffer> {
    for (let at = 0; at < chunk.length; ) {
      const end = at + this.#pieceBytes;
      this.#stream.write(chunk.subarray(at, end));
      at = end;
      const output = this.#take();
      this.#adapt(output);
      yield* output;
    }
  }

  end(): Buffer[] {
    this.#stream.end();
    this.#stream.close();
    return this.#take();
  }

  #adapt(output: readonly Buffer[]): void {
    const bytes = output.reduce((sum, piece) => sum + piece.length, 0);
    const grown = Math.min(4 * this.#pieceBytes, MAX_PIECE_BYTES);
    this.#pieceBytes = bytes > LARGE_OUTPUT_BYTES ? MIN_PIECE_BYTES : grown;
  }

  #take(): Buffer[] {
    if (this.#error !== undefined) {
      if (this.#error.code === 'ERR_BUFFER_TOO_LARGE') throw new OverflowError(this.#error.message);
      throw new DecodeError(`the ${this.#coding} body is broken: ${this.#error.message}`, this.#error.code);
    }
    const output = this.#output;
    this.#output = [];
    return output;
  }
}

/** `deflate` is zlib by RFC 9110, and raw in the practice of some servers; the first byte tells which. */
class DeflateDecoder implements Decoder {
  readonly #limits: Limits;
  #decoder: Decoder | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  write(chunk: Buffer): Iterable<Buffer> {
    if (chunk.length === 0) return [];
    const isZlib = ((chunk[0] ?? 0) & 0x0f) === 8;
    const limits = this.#limits;
    this.#decoder ??= new ZlibDecoder(
      'deflate',
      new (isZlib ? minizlib().Inflate : minizlib().InflateRaw)(limits),
    );
    return this.#decoder.write(chunk);
  }

  end(): Iterable<Buffer> {
    return this.#decoder?.end() ?? [];
  }
}

function chain(first: Decoder, second: Decoder): Decoder {
  function* through(pieces: Iterable<Buffer>): Generator<Buffer> {
    for (const piece of pieces) yield* second.write(piece);
  }
  return {
    write: (chunk) => through(first.write(chunk)),
    *end() {
      yield* through(first.end());
      yield* second.end();
    },
  };
}
