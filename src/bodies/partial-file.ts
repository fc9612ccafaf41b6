import { closeSync, constants, fstatSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { errorCode } from '../model/errors.ts';
import type { SaveDirectory } from './save-directory.ts';

// Windows has no O_NOFOLLOW; O_EXCL alone refuses links, too.
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
const OLD = constants.O_RDWR | constants.O_APPEND | NO_FOLLOW;

/** Opens a file that was not there before. `wasThere` is called when there is one, which is removed, also a link. */
function openNew(path: string, wasThere: () => void): number {
  try {
    return openSync(path, NEW);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    wasThere();
    unlinkSync(path);
    return openSync(path, NEW);
  }
}

/** Opens a file, and no link, for reading, and for writing at its end. */
function openOld(path: string): number {
  return openSync(path, OLD);
}

/** A write may take less than it is given, such as the last one before a disk is full. */
function writeAll(fd: number, bytes: Buffer): void {
  let written = writeSync(fd, bytes);
  while (written < bytes.length) written += writeSync(fd, bytes, written);
}

/** Removes a file, if it is there. */
function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

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
