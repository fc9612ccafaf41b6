import { Socket } from 'node:net';

/**
 * The buffer that all sockets of a thread read into, one read at a time. A new buffer for each read of a large body costs as
 * much as everything else that is done with it; so do four small reads instead of one large read.
 */
const SHARED = Buffer.allocUnsafeSlow(256 * 1024);

/** A piece up to this size is copied, which costs next to nothing, so that the reader may keep it. */
const COPIED_BYTES = 16 * 1024;

/**
 * A TCP socket that hands each read to its `readable` listener at once, without the queue of a Node stream. That takes
 * 0.7 times the CPU for large bodies (docs/benchmarks.md, "sockets read into one shared buffer").
 * The listener must call `read()` until it returns null, as undici's does. To any other reader it is an ordinary stream.
 */
export class SharedBufferSocket extends Socket {
  /**
   * Whether a piece may be overwritten after the event. A piece of a body may; part of a head may not, since undici keeps it
   * until the rest arrives.
   */
  isTransient = false;
  #piece: Buffer | null = null;
  #isHandingOver = false;

  constructor() {
    // `onread` is an option of `net.connect` and of the constructor, which the type of the latter leaves out.
    const options: object = {
      onread: {
        buffer: SHARED,
        callback: (bytes: number) => this.#handOver(SHARED.subarray(0, bytes)),
      },
    };
    super(options);
  }

  override read(size?: number): Buffer | null {
    if (!this.#isHandingOver) return super.read(size);
    const piece = this.#piece;
    this.#piece = null;
    return piece;
  }

  /** Returns false to stop reading. */
  #handOver(shared: Buffer): boolean {
    if (this.readableLength > 0) return this.push(Buffer.from(shared)); // after what is queued already
    const isCopied = !this.isTransient || shared.length <= COPIED_BYTES;
    this.#piece = isCopied ? Buffer.from(shared) : shared;
    this.#isHandingOver = true;
    this.emit('readable');
    this.#isHandingOver = false;
    const unread = this.#piece;
    this.#piece = null;
    return unread === null || this.destroyed || this.push(Buffer.from(unread));
  }
}
