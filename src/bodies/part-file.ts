import { closeSync, fstatSync, renameSync } from 'node:fs';
import { errorCode } from '../model/error-code.ts';
import { openNew, openOld, removeFile, writeAll } from './new-file.ts';
import type { SaveDirectory } from './save-directory.ts';

/**
 * A body on its way to the disk: a file beside its final place, which gets its final name when it is whole.
 *
 * A record beside it says what body its beginning is of, so that another attempt or run can go on with it: the record
 * comes after the file and goes before it. The last call is `commit`, `discard` or `leave`. Throws the errors of `node:fs`, save for the last two.
 */
export class PartFile {
  readonly #directory: SaveDirectory;
  readonly #name: string;
  readonly #part: string;
  #fd: number | undefined;
  #isThere = false;
  #hasRecord = false;

  constructor(directory: SaveDirectory, name: string) {
    this.#directory = directory;
    this.#name = name;
    this.#part = directory.takePart(name);
  }

  /** Where it is until it is whole. */
  get path(): string {
    return this.#directory.pathOf(this.#part);
  }

  get recordPath(): string {
    return `${this.path}.json`;
  }

  /** Whether others will look for it here: not while the same URL is fetched twice at a time. */
  get isFound(): boolean {
    return this.#part === `${this.#name}.part`;
  }

  /** Starts an empty file in place of what earlier runs have left. */
  create(record: string | undefined): void {
    this.#directory.makeFor(this.#name);
    try {
      this.#fd = this.#open();
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      this.#directory.recover();
      this.#directory.makeFor(this.#name);
      this.#fd = this.#open();
    }
    this.#isThere = true;
    if (record !== undefined && this.isFound) this.#write(record);
  }

  /** Opens what an earlier attempt or run has left, with its record, to go on at its end. */
  reopen(): number {
    this.#isThere = true;
    this.#hasRecord = true;
    this.#fd = openOld(this.path);
    return this.#fd;
  }

  write(bytes: Buffer): void {
    if (this.#fd !== undefined) writeAll(this.#fd, bytes);
  }

  /** Gives the file its final name. */
  commit(): void {
    if (this.#fd === undefined) return;
    // A second program in the same directory would have put a file of its own in the place of this one.
    const isReplaced = fstatSync(this.#fd).nlink === 0;
    this.#close();
    if (isReplaced) throw new Error('another program writes to it, too');
    if (this.#hasRecord) removeFile(this.recordPath);
    renameSync(this.path, this.#directory.pathOf(this.#name));
    this.#directory.givePart(this.#part);
  }

  /** Removes what there is of it; false when it cannot be removed. */
  discard(): boolean {
    try {
      this.#close();
      if (this.#hasRecord) removeFile(this.recordPath);
      if (this.#isThere) removeFile(this.path);
      return true;
    } catch {
      return false; // an unfinished file that stays does no harm
    } finally {
      this.#directory.givePart(this.#part);
    }
  }

  /** Leaves it for another attempt; removes it if that could not go on with it. */
  leave(): void {
    if (!this.#hasRecord) {
      this.discard();
      return;
    }
    this.#directory.givePart(this.#part);
    try {
      this.#close();
    } catch {
      // whether all of it has come to the disk shows when it is read again
    }
  }

  #open(): number {
    return openNew(this.path, () => removeFile(this.recordPath));
  }

  #write(record: string): void {
    const fd = openNew(this.recordPath, () => {});
    this.#hasRecord = true;
    try {
      writeAll(fd, Buffer.from(record));
    } finally {
      closeSync(fd);
    }
  }

  #close(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    closeSync(fd);
  }
}
