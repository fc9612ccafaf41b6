import { createRequire } from 'node:module';
import { crc32 } from 'node:zlib';
import type { BrotliDecompress, Inflate, InflateRaw, ZlibOptions } from 'minizlib';
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
 * become as small again after a piece with a large output. So one step of a body of zeros puts out 32 MiB at most.
 */
const MIN_INPUT_BYTES = 4;
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
      return new GzipDecoder(coding, options);
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

type ZlibStream = BrotliDecompress | Inflate | InflateRaw;

const NOTHING = Buffer.alloc(0);

/** Decodes one stream. What follows its end is ignored, as browsers do. */
class ZlibDecoder implements Decoder {
  readonly innerBytes = 0;
  outputBytes = 0;
  /** What follows the end of the stream in the last chunk; `undefined` until the stream has ended. */
  rest: Buffer | undefined;
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
    for (let at = 0; at < chunk.length && this.rest === undefined; ) {
      const piece = chunk.subarray(at, at + this.#inputBytes);
      this.#stream.write(piece);
      at += piece.length;
      const taken = this.#stream.handle?.bytesWritten ?? 0;
      // All is taken until the end.
      if (taken < piece.length) this.rest = chunk.subarray(at - piece.length + taken);
      const before = this.outputBytes;
      const output = this.#takeOutput();
      this.#adaptInput(this.outputBytes - before);
      if (output.length === 0) yield NOTHING;
      else yield* output;
    }
  }

  /** Starts anew with another stream. Not for brotli. */
  reset(): void {
    this.#stream.reset();
    this.rest = undefined;
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
      throw brokenBody(this.#coding, this.#error.message, this.#error.code);
    }
    const output = this.#output;
    for (const piece of output) this.outputBytes += piece.length;
    this.#output = [];
    return output;
  }
}

function brokenBody(coding: string, reason: string, code: string | undefined): DecodeError {
  return new DecodeError(`the ${coding} body is broken: ${reason}`, code);
}

/** The checksum and the length of a member, 4 bytes each. */
const TRAILER_BYTES = 8;

/** Longest header of a member, which may contain a file name and a comment. */
const MAX_HEADER_BYTES = 64 * 1024;

/**
 * gzip (RFC 1952): one member or more. What follows a member and does not start as one is ignored, as browsers and gzip(1) do.
 * Not zlib's own reader, which loses the end of the last member if anything follows it.
 */
class GzipDecoder implements Decoder {
  readonly innerBytes = 0;
  readonly #coding: string;
  readonly #options: DecoderOptions;
  #part: 'header' | 'data' | 'trailer' | 'junk' = 'header';
  /** A header or trailer of which a part is missing. */
  #held: Buffer = NOTHING;
  /** One for all members. */
  #inflater: ZlibDecoder | undefined;
  /** Where the current member starts in the output. */
  #start = 0;
  #checksum = 0;

  constructor(coding: string, options: DecoderOptions) {
    this.#coding = coding;
    this.#options = options;
  }

  get outputBytes(): number {
    return this.#inflater?.outputBytes ?? 0;
  }

  *write(chunk: Buffer): Generator<Buffer> {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = NOTHING;
    while (rest.length > 0 && this.#part !== 'junk') {
      if (this.#part === 'data') rest = yield* this.#readData(rest);
      else rest = this.#part === 'header' ? this.#readHeader(rest) : this.#readTrailer(rest);
      if (this.#held.length > 0) return;
    }
  }

  *end(): Generator<Buffer> {
    if (this.#part === 'junk' || (this.#part === 'header' && this.#held.length === 0)) return;
    if (this.#part === 'data') yield* this.#inflater?.end() ?? [];
    throw brokenBody(this.#coding, 'zlib: unexpected end of file', 'Z_BUF_ERROR');
  }

  #readHeader(bytes: Buffer): Buffer {
    const length = memberHeaderLength(bytes);
    if (length === undefined && bytes.length <= MAX_HEADER_BYTES) return this.#hold(bytes);
    if (length === 'no member' && this.#inflater !== undefined) {
      this.#part = 'junk';
      return NOTHING;
    }
    if (typeof length !== 'number') throw this.#broken('incorrect header check');
    this.#part = 'data';
    this.#checksum = 0;
    this.#start = this.outputBytes;
    if (this.#inflater !== undefined) this.#inflater.reset();
    else this.#inflater = new ZlibDecoder(this.#coding, new (minizlib().InflateRaw)(this.#options));
    return bytes.subarray(length);
  }

  *#readData(bytes: Buffer): Generator<Buffer, Buffer> {
    for (const piece of this.#inflater?.write(bytes) ?? []) {
      this.#checksum = crc32(piece, this.#checksum);
      yield piece;
    }
    const rest = this.#inflater?.rest;
    if (rest !== undefined) this.#part = 'trailer';
    return rest ?? NOTHING;
  }

  #readTrailer(bytes: Buffer): Buffer {
    if (bytes.length < TRAILER_BYTES) return this.#hold(bytes);
    if (bytes.readUInt32LE(0) !== this.#checksum) throw this.#broken('incorrect data check');
    const length = (this.outputBytes - this.#start) % 2 ** 32;
    if (bytes.readUInt32LE(4) !== length) throw this.#broken('incorrect length check');
    this.#part = 'header';
    return bytes.subarray(TRAILER_BYTES);
  }

  #hold(bytes: Buffer): Buffer {
    this.#held = bytes;
    return NOTHING;
  }

  #broken(reason: string): DecodeError {
    return brokenBody(this.#coding, `zlib: ${reason}`, 'Z_DATA_ERROR');
  }
}

/**
 * The length of the header of a member (RFC 1952, 2.3) at the start of these bytes. `undefined` if they are too few;
 * `no member` if they do not start as one; `broken` if they do, but the rest is not valid.
 */
function memberHeaderLength(bytes: Buffer): number | undefined | 'no member' | 'broken' {
  const [first, second = 0x8b, method = 8, flags = 0] = bytes;
  if (first !== 0x1f || second !== 0x8b) return 'no member';
  if (method !== 8 || (flags & 0xe0) !== 0) return 'broken';
  let at = 10;
  if ((flags & 4) !== 0) {
    if (bytes.length < at + 2) return undefined;
    at += 2 + bytes.readUInt16LE(at);
  }
  // A file name, and a comment, each up to a NUL.
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end === -1) return undefined;
    at = end + 1;
  }
  const hasChecksum = (flags & 2) !== 0;
  if (bytes.length < at + (hasChecksum ? 2 : 0)) return undefined;
  if (!hasChecksum) return at;
  return bytes.readUInt16LE(at) === crc32(bytes.subarray(0, at)) % 2 ** 16 ? at + 2 : 'broken';
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
