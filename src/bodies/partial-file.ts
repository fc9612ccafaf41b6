import { closeSync, fstatSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { createOwnFileSync, openOwnFileSync } from '../core/own-file.ts';
import { errorCode } from '../model/errors.ts';
import type { SaveDirectory } from './save-directory.ts';

/**
 * A body while it is written: a file `NAME.part`, renamed to its final name when the body is whole. `NAME` is the final name,
 * or, if the download can be resumed, one that does not depend on the response.
 *
 * The resume record `NAME.part.json` beside it says which body it is the start of, so that another attempt or run can
 * resume it. The record is created after the file and removed before it.
 *
 * The last call must be `commit`, `discard` or `keep`. The other methods throw errors of `node:fs`.
 */
export class PartialFile {
  readonly #directory: SaveDirectory;
  readonly #name: string;
  readonly #partName: string;
  #fd: number | undefined;
  #exists = false;
  #hasRecord = false;

  /**
   * @param name the final name if it is known, relative to the directory; otherwise a name that is the same in each run
   * @param isSecond whether it must not replace the partial file that an earlier attempt or run left
   */
  constructor(directory: SaveDirectory, name: string, isSecond = false) {
    this.#directory = directory;
    this.#name = name;
    this.#partName = directory.reservePartName(name, isSecond);
  }

  get path(): string {
    return this.#directory.pathOf(this.#partName);
  }

  get recordPath(): string {
    return `${this.path}.json`;
  }

  /** Whether another attempt or run looks for the file here. False for a second, simultaneous download of the same URL. */
  get isResumable(): boolean {
    return this.#partName === `${this.#name}.part`;
  }

  /** Creates an empty file, with a resume record if there is one, and replaces what earlier runs left. */
  create(resumeRecord: string | undefined): void {
    this.#directory.makeParents(this.#name);
    try {
      this.#fd = this.#createFile();
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      this.#directory.recover();
      this.#directory.makeParents(this.#name);
      this.#fd = this.#createFile();
    }
    this.#exists = true;
    if (resumeRecord !== undefined && this.isResumable) this.#createRecord(resumeRecord);
  }

  /** Opens the file that an earlier attempt or run left, to read it and to append to it. Returns the file descriptor. */
  reopen(): number {
    this.#exists = true;
    this.#hasRecord = true;
    this.#fd = openOwnFileSync(this.path, 'append');
    return this.#fd;
  }

  write(bytes: Buffer): void {
    if (this.#fd !== undefined) writeAll(this.#fd, bytes);
  }

  /** Gives the file its final name, which is relative to the directory. */
  commit(finalName: string): void {
    if (this.#fd === undefined) return;
    // Another program that saves to the same directory has replaced the file with its own.
    const isReplaced = fstatSync(this.#fd).nlink === 0;
    this.#close();
    if (isReplaced) throw new Error('another program writes to it, too');
    if (this.#hasRecord) removeIfExists(this.recordPath);
    if (finalName !== this.#name) this.#directory.makeParents(finalName);
    renameSync(this.path, this.#directory.pathOf(finalName));
    this.#directory.releasePartName(this.#partName);
  }

  /** Removes the file and its record. Never throws; returns false if they cannot be removed. */
  discard(): boolean {
    try {
      this.#close();
      if (this.#hasRecord) removeIfExists(this.recordPath);
      if (this.#exists) removeIfExists(this.path);
      return true;
    } catch {
      return false; // a partial file that remains does no harm
    } finally {
      this.#directory.releasePartName(this.#partName);
    }
  }

  /** Keeps the file for another attempt; discards it if it has no resume record. Never throws. */
  keep(): void {
    if (!this.#hasRecord) {
      this.discard();
      return;
    }
    this.#directory.releasePartName(this.#partName);
    try {
      this.#close();
    } catch {
      // If bytes were lost, the file is shorter when it is resumed.
    }
  }

  #createFile(): number {
    return createOwnFileSync(this.path, () => removeIfExists(this.recordPath));
  }

  #createRecord(text: string): void {
    const fd = createOwnFileSync(this.recordPath);
    this.#hasRecord = true;
    try {
      writeAll(fd, Buffer.from(text));
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

/** Repeats short writes, such as the last one before a disk is full. */
function writeAll(fd: number, bytes: Buffer): void {
  let written = writeSync(fd, bytes);
  while (written < bytes.length) written += writeSync(fd, bytes, written);
}

function removeIfExists(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
