import type { FileHandle } from 'node:fs/promises';
import { type OutputError, outputError } from '../model/errors.ts';
import { NEWLINE } from './journal-format.ts';

/** Length of a batch, in UTF-16 units. */
const BATCH = 64 * 1024;
/** How long lines are gathered: what a kill can lose, beside the write that is under way. */
const GATHER_MS = 4;
/** How long the system may keep what was written to itself: what a power cut can lose. */
const SYNC_EVERY_MS = 1000;

/** Calls `wake` once after `delayMs`; the function returned calls it off. */
export type After = (delayMs: number, wake: () => void) => () => void;

export interface JournalWriterOptions {
  readonly file: Pick<FileHandle, 'write' | 'truncate' | 'datasync'>;
  /** What the file is called in an error. */
  readonly name: string;
  /** Where the file ends, in bytes. */
  readonly end: number;
  readonly after: After;
  /** Changes the bytes of a batch before it is written, newlines aside. */
  readonly seal?: (batch: Buffer) => void;
}

/**
 * Appends lines to a journal, many with each write.
 * - A kill loses what was gathered in the last 4 ms and the write under way; a power cut the last second as well.
 * - A write that fails is cut back to its last whole line, and nothing is written after it: the error is an OutputError,
 *   thrown by the next `write()` and by `end()`.
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

  /** Takes whole lines with their newlines. A promise means: wait, a batch is full and another under way. */
  write(lines: string): void | Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#pending += lines;
    if (this.#pending.length < BATCH) return this.#gather();
    return this.#writing === undefined ? this.#flush() : this.#room();
  }

  /** Writes what is left, and waits until it is on the disk. The file stays open. */
  async end(): Promise<void> {
    for (this.#flush(); this.#writing !== undefined; this.#flush()) await this.#writing;
    await this.#syncing;
    this.#cancelSync?.();
    await this.#sync();
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #room(): Promise<void> {
    while (this.#writing !== undefined && this.#pending.length >= BATCH) await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #gather(): void {
    if (this.#writing !== undefined) return;
    this.#cancelFlush ??= this.#options.after(GATHER_MS, () => this.#flush());
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
      this.#cancelSync ??= this.#options.after(SYNC_EVERY_MS, this.#startSync);
      if (this.#pending.length >= BATCH) this.#flush();
      else if (this.#pending !== '') this.#gather(); // a write for each turn of the event loop costs as much as a URL
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
      await file.truncate(this.#end).catch(() => {}); // what is left there is cut off when it is opened again
    }
  }

  readonly #startSync = (): void => {
    const end = this.#end;
    this.#syncing = this.#sync().then(() => {
      const isBehind = this.#end > end && this.#failure === undefined;
      this.#cancelSync = isBehind ? this.#options.after(SYNC_EVERY_MS, this.#startSync) : undefined;
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
    this.#failure ??= outputError(this.#options.name, error);
    this.#pending = '';
  }
}
