import type { Writable } from 'node:stream';
import { errorCode, OutputError, toOutputError } from '../model/errors.ts';

/** Length of a batch in UTF-16 units, so large that the cost of a write is negligible. */
const BATCH_LENGTH = 64 * 1024;

/** How long an incomplete batch is held. Too short to notice; a write costs as much CPU as several URLs. */
const FLUSH_DELAY_MS = 20;

/** EPIPE of a pipe, ECONNRESET of a socket, EOF of a pipe on Windows. */
const READER_CLOSED = new Set(['EPIPE', 'ECONNRESET', 'EOF']);

interface LineWriterOptions {
  /** The name of the output in errors. */
  readonly name: string;
  /** Leave the stream open at the end, because it has another owner, such as standard error. */
  readonly keepOpen?: boolean;
  /** Aborting it does the same as `destroy()`. */
  readonly signal?: AbortSignal;
  /** Schedules the write of an incomplete batch; by default 20 ms after its first line. */
  readonly scheduleFlush?: (flush: () => void) => void;
  /** Called before and after each write, to remove a progress bar from the same terminal and draw it again. */
  readonly beforeWrite?: () => void;
  readonly afterWrite?: () => void;
}

/** What a sink needs of a `LineWriter`. */
export type LineOutput = Pick<LineWriter, 'write' | 'end'>;

/**
 * Joins lines into batches: a batch is written when it is full, or a few ms after its first line.
 * - Each write consists of whole lines. One write is in flight at a time while the next batch is collected.
 * - If the reader closes the pipe (EPIPE), `closed` is fulfilled, and later lines are dropped without an error.
 * - Any other error is an `OutputError`, thrown by the next `write()` and by `end()`.
 */
export class LineWriter {
  /** Fulfilled when the reader closes the pipe; otherwise it never settles. */
  readonly closed: Promise<void>;
  readonly #stream: Writable;
  readonly #options: LineWriterOptions;
  #resolveClosed: () => void = () => {};
  #pending = '';
  #isWriting = false;
  #isScheduled = false;
  /** Why nothing is written any more: an error, or lines are dropped. */
  #stopped: OutputError | 'dropped' | undefined;
  #waiting: (() => void)[] = [];

  constructor(stream: Writable, options: LineWriterOptions) {
    this.#stream = stream;
    this.#options = options;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    // Never removed: standard output may report the same broken pipe again long after the end.
    stream.on('error', this.#fail);
    stream.on('close', this.#wake);
    if (options.signal?.aborted) this.destroy();
    else options.signal?.addEventListener('abort', this.destroy, { once: true });
  }

  /**
   * Takes whole lines with their newlines. Returns a promise if the caller must wait, because a batch is full while another is
   * being written.
   */
  write(lines: string): void | Promise<void> {
    if (this.#stopped !== undefined) return this.#throwError();
    this.#pending += lines;
    if (this.#pending.length < BATCH_LENGTH) return this.#schedule();
    if (!this.#isWriting) return this.#flush();
    return this.#until(() => this.#pending.length < BATCH_LENGTH);
  }

  /** Writes the rest, waits until the stream has taken it, and closes the stream unless `keepOpen` is set. */
  async end(): Promise<void> {
    try {
      if (!this.#isWriting) this.#flush();
      await this.#until(() => this.#pending === '' && !this.#isWriting);
      if (this.#options.keepOpen || this.#stopped !== undefined) return;
      this.#stream.end();
      await this.#until(() => this.#stream.closed);
    } finally {
      this.#options.signal?.removeEventListener('abort', this.destroy);
    }
  }

  /** Drops what is not yet written, resolves all promises of `write` and `end`, and destroys the stream. */
  readonly destroy = (): void => {
    this.#stop('dropped');
    this.#stream.destroy();
  };

  /** The same; resolves when the stream is closed, and a new file removed. */
  async discard(): Promise<void> {
    this.destroy();
    if (!this.#stream.closed) await new Promise<void>((resolve) => this.#stream.once('close', resolve));
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isWriting) return;
    this.#isScheduled = true;
    const { scheduleFlush = flushAfterDelay } = this.#options;
    scheduleFlush(() => {
      this.#isScheduled = false;
      if (!this.#isWriting) this.#flush();
    });
  }

  #flush(): void {
    if (this.#pending === '' || this.#stopped !== undefined) return;
    const batch = this.#pending;
    this.#pending = '';
    this.#isWriting = true;
    this.#options.beforeWrite?.();
    try {
      this.#stream.write(batch, this.#onWritten);
    } catch (error) {
      this.#fail(error);
    }
    this.#options.afterWrite?.();
  }

  readonly #onWritten = (error?: Error | null): void => {
    this.#isWriting = false;
    if (error) this.#fail(error);
    else if (this.#pending.length >= BATCH_LENGTH) this.#flush();
    else if (this.#pending !== '') this.#schedule();
    this.#wake();
  };

  readonly #fail = (error: unknown): void => {
    const isReaderClosed = READER_CLOSED.has(errorCode(error) ?? '');
    if (this.#stopped === undefined && isReaderClosed) this.#resolveClosed();
    this.#stop(isReaderClosed ? 'dropped' : toOutputError(this.#options.name, error));
  };

  #stop(reason: OutputError | 'dropped'): void {
    this.#stopped ??= reason;
    this.#pending = '';
    this.#isWriting = false;
    this.#wake();
  }

  #throwError(): void {
    if (this.#stopped instanceof OutputError) throw this.#stopped;
  }

  async #until(isMet: () => boolean): Promise<void> {
    while (this.#stopped === undefined && !isMet()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#throwError();
  }

  readonly #wake = (): void => {
    for (const resume of this.#waiting.splice(0)) resume();
  };
}

function flushAfterDelay(flush: () => void): void {
  setTimeout(flush, FLUSH_DELAY_MS);
}
