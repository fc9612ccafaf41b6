import { Socket } from 'node:net';

/**
 * What all sockets of a thread are read into, one read after the other. A fresh buffer for each read of a large body costs
 * as much as all else that is done with it, and so do four small reads in place of a large one.
 */
const SHARED = Buffer.allocUnsafeSlow(256 * 1024);

/** A piece up to this long is copied, which costs next to nothing, and may then be kept. */
const COPIED_BYTES = 16 * 1024;

/**
 * A TCP socket that hands what has come to the reader of its `readable` event at once, past the queue of a Node stream.
 * The event is for a reader that calls `read()` until there is no more, as undici does; any other finds an ordinary stream.
 */
export class SharedBufferSocket extends Socket {
  /** Whether what comes is of no use to anybody after the event: a body is, and a head that is cut in two is not. */
  isTransient = false;
  #piece: Buffer | null = null;
  #isHandingOver = false;

  constructor() {
    // `onread` is one of the options of `net.connect`, and so of a socket, which its type leaves out.
    const options: object = {
      onread: {
        buffer: SHARED,
        callback: (bytes: number) => this.#take(SHARED.subarray(0, bytes)),
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

  /** Returns false when no more is to be read for now. */
  #take(shared: Buffer): boolean {
    if (this.readableLength > 0) return this.push(Buffer.from(shared)); // what came first is read first
    const isCopied = !this.isTransient || shared.length <= COPIED_BYTES;
    this.#piece = isCopied ? Buffer.from(shared) : shared;
    this.#isHandingOver = true;
    this.emit('readable');
    this.#isHandingOver = false;
    const left = this.#piece;
    this.#piece = null;
    return left === null || this.destroyed || this.push(Buffer.from(left));
  }
}
