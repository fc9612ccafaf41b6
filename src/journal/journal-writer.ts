import type { FileHandle } from 'node:fs/promises';
import type { Clock } from '../core/clock.ts';
import { type OutputError, toOutputError } from '../model/errors.ts';
import { NEWLINE } from './journal-format.ts';

/** A batch of at least this length, in UTF-16 units, is written at once. */
const BATCH_LENGTH = 64 * 1024;
/** How long lines are collected for one write: a kill loses at most these lines and the write in flight. */
const BATCH_MS = 4;
/** The interval of `fdatasync` while there are new lines: a power cut loses at most this much more. */
const SYNC_INTERVAL_MS = 1000;

interface JournalWriterOptions {
  readonly file: Pick<FileHandle, 'write' | 'truncate' | 'datasync'>;
  /** The name of the file in errors. */
  readonly name: string;
  /** The end of the file, in bytes. */
  readonly end: number;
  readonly after: Clock['after'];
  /** Changes the bytes of a batch before it is written, except its newlines. */
  readonly seal?: (batch: Buffer) => void;
}

/**
 * Appends lines to a journal, in batches.
 * - A kill loses the lines of the last 4 ms and the write in flight; a power cut also those of the last second.
 * - After a failed write the file is truncated to its last whole line, and nothing more is written. The error is an
 *   `OutputError`, thrown by the next `write()` and by `end()`.
 */
export class JournalWriter {
  readonly #options: JournalWriterOptions;
  #end: number;
  #pending = '';
  #cancelFlush: (() => void) | undefined;
  #cancelSync: (() => void) | undefined;
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #failure: OutputError | undefined;

  constructor(options: JournalWriterOptions) {
    this.#options = options;
    this.#end = options.end;
  }

  /**
   * Appends whole lines, with their newlines. Returns a promise if the caller must wait: a batch is full and another
   * in flight.
   */
  write(lines: string): void | Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#pending += lines;
    if (this.#pending.length < BATCH_LENGTH) return this.#scheduleFlush();
    return this.#writing === undefined ? this.#flush() : this.#waitForRoom();
  }

  /** Writes the pending lines and waits until everything is on the disk. Does not close the file. */
  async end(): Promise<void> {
    for (this.#flush(); this.#writing !== undefined; this.#flush()) await this.#writing;
    await this.#syncing;
    this.#cancelSync?.();
    await this.#sync();
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #waitForRoom(): Promise<void> {
    while (this.#writing !== undefined && this.#pending.length >= BATCH_LENGTH) await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #scheduleFlush(): void {
    if (this.#writing !== undefined) return;
    this.#cancelFlush ??= this.#options.after(BATCH_MS, () => this.#flush());
  }

  #flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    if (this.#writing !== undefined || this.#pending === '' || this.#failure !== undefined) return;
    const batch = Buffer.from(this.#pending);
    this.#pending = '';
    this.#options.seal?.(batch);
    this.#writing = this.#append(batch).then(() => {
      this.#writing = undefined;
      this.#cancelSync ??= this.#options.after(SYNC_INTERVAL_MS, this.#startSync);
      if (this.#pending.length >= BATCH_LENGTH) this.#flush();
      // Not at once: one write per turn of the event loop costs as much as fetching a URL.
      else if (this.#pending !== '') this.#scheduleFlush();
    });
  }

  /** Never rejects. */
  async #append(batch: Buffer): Promise<void> {
    const { file } = this.#options;
    let written = 0;
    try {
      while (written < batch.length) {
        const rest = batch.length - written;
        written += (await file.write(batch, written, rest, this.#end + written)).bytesWritten;
      }
      this.#end += written;
    } catch (error) {
      this.#fail(error);
      this.#end += batch.subarray(0, written).lastIndexOf(NEWLINE) + 1;
      await file.truncate(this.#end).catch(() => {}); // the next run truncates what is left
    }
  }

  readonly #startSync = (): void => {
    const end = this.#end;
    this.#syncing = this.#sync().then(() => {
      const isBehind = this.#end > end && this.#failure === undefined;
      this.#cancelSync = isBehind ? this.#options.after(SYNC_INTERVAL_MS, this.#startSync) : undefined;
    });
  };

  async #sync(): Promise<void> {
    try {
      await this.#options.file.datasync();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= toOutputError(this.#options.name, error);
    this.#pending = '';
  }
}
