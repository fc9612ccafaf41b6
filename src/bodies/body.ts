import type { Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { PageAnchors } from '../model/result.ts';
import type { BodySink } from './body-sink.ts';
import {
  DecodeError,
  type Decoder,
  decoderFor,
  ENCODING_OVERHEAD_BYTES,
  OverflowError,
  unsupportedCoding,
} from './decompress.ts';
import type { TitleFinder } from './html-page.ts';
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

/** Decoded bytes and steps after which a decoder gives way to other work: a few milliseconds. */
const TURN_BYTES = 1024 * 1024;
const TURN_STEPS = 100;

/**
 * One body as it arrives: decodes it, enforces the size limit, and passes it to its sink and inspector.
 *
 * `write` and `end` return a promise if there is more to do than one turn should take, or if the sink is slow. Until it is
 * fulfilled the body should get no more; what it gets is kept in memory.
 */
export class Body {
  readonly #maxBytes: number;
  readonly #contentEncoding: string | undefined;
  readonly #sink: BodySink | undefined;
  readonly #inspector: BodyInspector | undefined;
  #decoder: Decoder | undefined;
  #receivedBytes = 0;
  #decodedBytes = 0;
  /** The work that is not finished. */
  #busy: Promise<void> | undefined;
  #isStopped = false;

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
    const encodedBytes = Math.max(this.#receivedBytes, this.#decoder?.innerBytes ?? 0);
    return this.#decodedBytes > this.#maxBytes || encodedBytes > this.#maxBytes + ENCODING_OVERHEAD_BYTES;
  }

  /** @throws DecodeError, and BodyError from the sink, or rejects with it */
  write(chunk: Buffer): Promise<void> | undefined {
    if (this.#busy === undefined) return this.#track(this.#take(chunk));
    const copy = Buffer.from(chunk);
    return this.#track(this.#busy.then(() => this.#take(copy)));
  }

  /** @throws DecodeError, and BodyError from the sink, or rejects with it */
  end(): Promise<void> | undefined {
    return this.#track(this.#busy === undefined ? this.#end() : this.#busy.then(() => this.#end()));
  }

  /** Ends the search of a body that is not read to its end. */
  endSearch(): Promise<void> | undefined {
    return this.#inspector?.end();
  }

  /** Ends the work that is not finished. */
  stop(): void {
    this.#isStopped = true;
    this.#inspector?.stop();
  }

  #end(): Promise<void> | undefined {
    const flushed = this.#flush();
    return flushed === undefined ? this.endSearch() : flushed.then(() => this.endSearch());
  }

  #track(busy: Promise<void> | undefined): Promise<void> | undefined {
    if (busy === undefined) return undefined;
    this.#busy = busy;
    const onIdle = () => {
      if (this.#busy === busy) this.#busy = undefined;
    };
    busy.then(onIdle, () => {}); // what follows is refused with the same error
    return busy;
  }

  #take(chunk: Buffer): Promise<void> | undefined {
    if (this.#isStopped || this.isOverLimit) return undefined;
    // Created with the first bytes: a response to HEAD names a coding and has no body.
    if (this.#receivedBytes === 0 && this.#contentEncoding !== undefined) {
      const fault = unsupportedCoding(this.#contentEncoding);
      // Encoded bytes must be neither saved nor searched as if they were the body.
      const matters = this.#sink !== undefined || this.#inspector?.isSearching === true;
      if (fault !== undefined && matters) throw new DecodeError(`the body has ${fault}`, undefined);
      this.#decoder = decoderFor(this.#contentEncoding, this.#maxBytes);
    }
    this.#receivedBytes += chunk.length;
    // A copy, since it may be decoded later.
    return this.#decoder === undefined
      ? this.#pass(chunk)
      : this.#decode(this.#decoder, this.#decoder.write(Buffer.from(chunk)));
  }

  #flush(): Promise<void> | undefined {
    if (this.#decoder === undefined || this.#isStopped || this.isOverLimit) return undefined;
    return this.#decode(this.#decoder, this.#decoder.end());
  }

  #decode(decoder: Decoder, pieces: Iterable<Buffer>): Promise<void> | undefined {
    const iterator = pieces[Symbol.iterator]();
    const wait = this.#decodeTurn(decoder, iterator);
    return wait === undefined ? undefined : this.#decodeRest(decoder, iterator, wait);
  }

  async #decodeRest(decoder: Decoder, iterator: Iterator<Buffer>, first: Promise<unknown>): Promise<void> {
    for (let wait: Promise<unknown> | undefined = first; wait !== undefined; ) {
      await wait;
      if (this.#isStopped) return;
      wait = this.#decodeTurn(decoder, iterator);
    }
  }

  /** Decodes for one turn. Returns what to wait for before the next turn, or `undefined` at the end. */
  #decodeTurn(decoder: Decoder, iterator: Iterator<Buffer>): Promise<unknown> | undefined {
    const start = decoder.outputBytes;
    let steps = 0;
    try {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
        steps += 1;
        const wait = this.#pass(next.value);
        if (this.isOverLimit) return undefined;
        if (wait !== undefined) return wait;
        if (steps >= TURN_STEPS || decoder.outputBytes - start > TURN_BYTES) return setImmediate();
      }
    } catch (error) {
      if (!(error instanceof OverflowError)) throw error;
      this.#decodedBytes = Number.POSITIVE_INFINITY;
    }
    return undefined;
  }

  #pass(piece: Buffer): Promise<void> | undefined {
    if (piece.length === 0) return undefined;
    const room = this.#maxBytes - this.#decodedBytes;
    this.#decodedBytes += piece.length;
    if (piece.length > room) return room > 0 ? this.#inspector?.write(piece.subarray(0, room)) : undefined;
    const searched = this.#inspector?.write(piece);
    const written = this.#sink?.write(piece);
    if (searched === undefined || written === undefined) return searched ?? written;
    return Promise.all([searched, written]).then(() => {});
  }
}

/** Collects the anchors of a page as it arrives. */
interface AnchorCollector {
  readonly anchors: PageAnchors;
  write(chunk: Buffer): void;
}

interface BodyInspectorOptions {
  /** Searches the whole body. */
  readonly matcher: TextMatcher | undefined;
  /** Collects the anchors of a page. */
  readonly anchors?: AnchorCollector | undefined;
  /** Whether to keep the start of the body. */
  readonly keepStart: boolean;
  /** Computes the hash of the whole body. It has what is in a file already of a body that is resumed. */
  readonly hash?: Hash | undefined;
  /** Finds the title of the page. */
  readonly titleFinder?: TitleFinder | undefined;
}

/** Inspects a body as it arrives: searches it for text, collects its anchors, hashes it, and keeps its start. */
export class BodyInspector {
  readonly #options: BodyInspectorOptions;
  #start = '';
  #sha256: string | undefined;

  constructor(options: BodyInspectorOptions) {
    this.#options = options;
  }

  /** The first 4 KiB as latin1; empty without `keepStart`. */
  get start(): string {
    return this.#start;
  }

  /** Whether it needs the whole body. */
  get isSearching(): boolean {
    return this.#options.matcher !== undefined || this.#options.hash !== undefined;
  }

  /** Returns a promise if it should get no more before that is fulfilled. */
  write(piece: Buffer): Promise<void> | undefined {
    const { matcher, anchors, keepStart, hash, titleFinder } = this.#options;
    const missing = START_BYTES - this.#start.length;
    if (keepStart && missing > 0) this.#start += piece.toString('latin1', 0, missing);
    hash?.update(piece);
    titleFinder?.write(piece);
    anchors?.write(piece);
    return matcher?.write(piece);
  }

  end(): Promise<void> | undefined {
    return this.#options.matcher?.end();
  }

  /** The anchors so far, if they are collected. */
  get anchors(): PageAnchors | undefined {
    return this.#options.anchors?.anchors;
  }

  /** Ends a search that is not finished. */
  stop(): void {
    this.#options.matcher?.stop();
  }

  /** The first text rule that the body does not meet, as a message. Call after the end. */
  get textFault(): string | undefined {
    return this.#options.matcher?.fault;
  }

  /** The title of the page, if it was looked for and found. Call after the end. */
  get title(): string | undefined {
    return this.#options.titleFinder?.title;
  }

  /** SHA-256 of the decoded body in lower-case hex, if it is computed. Call after the end. */
  get sha256(): string | undefined {
    this.#sha256 ??= this.#options.hash?.digest('hex');
    return this.#sha256;
  }
}
