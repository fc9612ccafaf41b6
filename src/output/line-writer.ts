import { createWriteStream, fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { errorCode, OutputError, outputError } from '../model/errors.ts';

/** Creates or empties a file for `--output`. Throws an OutputError before anything is fetched, not after. */
export async function openOutputFile(path: string): Promise<Writable> {
  try {
    return (await open(path, 'w')).createWriteStream();
  } catch (error) {
    throw outputError(path, error);
  }
}

/**
 * Opens standard output by its descriptor, for what Node's own `process.stdout` (`fallback`, used for terminals)
 * cannot do: a pipe whose reader never reads is let go by `destroy()`, where `process.stdout` keeps the process
 * alive; and a file on a disk that fills up is an error even when the last write was cut short.
 */
export function openStandardOutput(fd: number, fallback: Writable): Writable {
  const stat = fstatSync(fd);
  if (stat.isFIFO() || stat.isSocket()) return new Socket({ fd, readable: false, writable: true });
  if (stat.isFile()) return createWriteStream('', { fd, autoClose: false });
  return fallback;
}

/** Length of a batch, in UTF-16 units: enough that the cost of a write is nothing beside that of its lines. */
const BATCH = 64 * 1024;

/** How long lines are gathered: nobody sees it, and a write for each turn of the event loop costs as much as a URL. */
const GATHER_MS = 4;

// EPIPE of a pipe, ECONNRESET of a socket, EOF of a pipe on Windows.
const READER_GONE = new Set(['EPIPE', 'ECONNRESET', 'EOF']);

interface LineWriterOptions {
  /** What the output is called in an error. */
  readonly name: string;
  /** Leave the stream open at the end: it is not ours, such as standard error. */
  readonly keepOpen?: boolean;
  /** Stops at once: what waits is let go, what is not yet written is dropped. */
  readonly signal?: AbortSignal;
  /** When a batch that is not full goes out; a few ms after its first line if left out. */
  readonly later?: (flush: () => void) => void;
  /** Called right before and after each write, to take a progress bar off the same terminal. */
  readonly beforeWrite?: () => void;
  readonly afterWrite?: () => void;
}

function gather(flush: () => void): void {
  setTimeout(flush, GATHER_MS);
}

/** All that a sink needs of a `LineWriter`. */
export type LineOutput = Pick<LineWriter, 'write' | 'end'>;

/**
 * Joins many lines into few writes: a batch goes out when it is full, or a few ms after its first line.
 * - Each write is whole lines, and one is under way at a time; the next batch is gathered meanwhile.
 * - A reader that has gone away (EPIPE) is no error: `closed` is fulfilled, and what comes is dropped.
 * - Any other trouble is an OutputError, thrown by the next `write()` and by `end()`.
 */
export class LineWriter {
  /** Fulfilled when the reader has gone away; otherwise it never settles. */
  readonly closed: Promise<void>;
  readonly #stream: Writable;
  readonly #options: LineWriterOptions;
  #readerGone: () => void = () => {};
  #pending = '';
  #writing = false;
  #scheduled = false;
  /** Why nothing is written any more: an error, or no reader. */
  #stopped: OutputError | 'dropped' | undefined;
  #waiting: (() => void)[] = [];

  constructor(stream: Writable, options: LineWriterOptions) {
    this.#stream = stream;
    this.#options = options;
    this.closed = new Promise((resolve) => {
      this.#readerGone = resolve;
    });
    // For good: standard output may report the same broken pipe again long after the end.
    stream.on('error', this.#fail);
    stream.on('close', this.#wake);
    if (options.signal?.aborted) this.destroy();
    else options.signal?.addEventListener('abort', this.destroy, { once: true });
  }

  /** Takes whole lines with their newlines. A promise means: wait, a batch is full and another under way. */
  write(lines: string): void | Promise<void> {
    if (this.#stopped !== undefined) return this.#throwError();
    this.#pending += lines;
    if (this.#pending.length < BATCH) return this.#schedule();
    if (!this.#writing) return this.#flush();
    return this.#until(() => this.#pending.length < BATCH);
  }

  /** Writes what is left, waits until all of it has been taken, and closes the stream unless it is not ours. */
  async end(): Promise<void> {
    try {
      if (!this.#writing) this.#flush();
      await this.#until(() => this.#pending === '' && !this.#writing);
      if (this.#options.keepOpen || this.#stopped !== undefined) return;
      this.#stream.end();
      await this.#until(() => this.#stream.closed);
    } finally {
      this.#options.signal?.removeEventListener('abort', this.destroy);
    }
  }

  /** Drops what is not yet written, lets everyone go who waits, and closes the stream. */
  readonly destroy = (): void => {
    this.#stop('dropped');
    this.#stream.destroy();
  };

  #schedule(): void {
    if (this.#scheduled || this.#writing) return;
    this.#scheduled = true;
    const { later = gather } = this.#options;
    later(() => {
      this.#scheduled = false;
      if (!this.#writing) this.#flush();
    });
  }

  #flush(): void {
    if (this.#pending === '' || this.#stopped !== undefined) return;
    const batch = this.#pending;
    this.#pending = '';
    this.#writing = true;
    this.#options.beforeWrite?.();
    try {
      this.#stream.write(batch, this.#written);
    } catch (error) {
      this.#fail(error);
    }
    this.#options.afterWrite?.();
  }

  readonly #written = (error?: Error | null): void => {
    this.#writing = false;
    if (error) this.#fail(error);
    else if (this.#pending.length >= BATCH) this.#flush();
    else if (this.#pending !== '') this.#schedule();
    this.#wake();
  };

  readonly #fail = (error: unknown): void => {
    const isReaderGone = READER_GONE.has(errorCode(error) ?? '');
    if (this.#stopped === undefined && isReaderGone) this.#readerGone();
    this.#stop(isReaderGone ? 'dropped' : outputError(this.#options.name, error));
  };

  #stop(reason: OutputError | 'dropped'): void {
    this.#stopped ??= reason;
    this.#pending = '';
    this.#writing = false;
    this.#wake();
  }

  #throwError(): void {
    if (this.#stopped instanceof OutputError) throw this.#stopped;
  }

  async #until(holds: () => boolean): Promise<void> {
    while (this.#stopped === undefined && !holds()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#throwError();
  }

  readonly #wake = (): void => {
    for (const resume of this.#waiting.splice(0)) resume();
  };
}
