import { type FileHandle, rename, unlink } from 'node:fs/promises';
import { createOwnFile, openOwnFile } from '../core/own-file.ts';
import { errorCode } from '../model/errors.ts';
import type { SaveDirectory } from './save-directory.ts';

/** Bytes that may wait for the disk, beside those that are being written. */
const MAX_PENDING_BYTES = 256 * 1024;

/**
 * A body while it is written: a file `NAME.part`, renamed to its final name when the body is whole. `NAME` is the final name,
 * or, if the download can be resumed, one that does not depend on the response.
 *
 * The resume record `NAME.part.json` beside it says which body it is the start of, so that another attempt or run can
 * resume it. The record is created after the file and removed before it.
 *
 * Nothing here waits for the disk synchronously. Operations are done in the order in which they are requested; after one
 * has failed, the others fail with the same error of `node:fs`. The last call must be `commit`, `discard`, `keep` or
 * `release`.
 */
export class PartialFile {
  readonly #directory: SaveDirectory;
  readonly #name: string;
  readonly #partName: string;
  #file: FileHandle | undefined;
  #exists = false;
  #hasRecord = false;
  /** The operations so far. */
  #work: Promise<void> = Promise.resolve();
  #isIdle = true;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #isWriting = false;
  #isReleased = false;

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

  /**
   * Creates an empty file, with a resume record if there is one, and replaces what earlier runs left. A failure is that of
   * the next operation.
   */
  create(resumeRecord: string | undefined): void {
    this.#add(() => this.#create(resumeRecord));
  }

  /** Opens the file that an earlier attempt or run left, to read it and to append to it. */
  async reopen(): Promise<FileHandle> {
    this.#exists = true;
    this.#hasRecord = true;
    this.#file = await openOwnFile(this.path, 'append');
    return this.#file;
  }

  /** Writes a copy of the bytes. Returns a promise if so much waits for the disk that there should be no more until then. */
  write(bytes: Buffer): Promise<void> | undefined {
    this.#pending.push(Buffer.from(bytes));
    this.#pendingBytes += bytes.length;
    if (!this.#isWriting) {
      this.#isWriting = true;
      this.#add(() => this.#writePending());
    }
    return this.#pendingBytes > MAX_PENDING_BYTES ? this.#work : undefined;
  }

  /** Gives the file its final name, which is relative to the directory. */
  async commit(finalName: string): Promise<void> {
    await this.#work;
    if (this.#file === undefined) return;
    // Another program that saves to the same directory has replaced the file with its own.
    const isReplaced = (await this.#file.stat()).nlink === 0;
    await this.#close();
    if (isReplaced) throw new Error('another program writes to it, too');
    if (this.#hasRecord) await removeIfExists(this.recordPath);
    if (finalName !== this.#name) await this.#directory.makeParents(finalName);
    await rename(this.path, this.#directory.pathOf(finalName));
    this.release();
  }

  /** Removes the file and its record. Never rejects. */
  async discard(): Promise<void> {
    this.#pending = [];
    try {
      await this.#work.catch(() => {});
      await this.#close();
      if (this.#hasRecord) await removeIfExists(this.recordPath);
      if (this.#exists) await removeIfExists(this.path);
    } catch {
      // A partial file that remains does no harm.
    } finally {
      this.release();
    }
  }

  /** Keeps the file for another attempt; discards it if it has no resume record. Never rejects. */
  async keep(): Promise<void> {
    // So that a new file, which replaces it, gets its name.
    if (this.#isIdle && this.#hasRecord) this.release();
    await this.#work.catch(() => {});
    if (!this.#hasRecord) {
      await this.discard();
      return;
    }
    // If bytes were lost, the file is shorter when it is resumed.
    await this.#close().catch(() => {});
    this.release();
  }

  /** Gives up the name of a file that was not opened. */
  release(): void {
    if (this.#isReleased) return; // another file may have the name by now
    this.#isReleased = true;
    this.#directory.releasePartName(this.#partName);
  }

  #add(act: () => Promise<void>): void {
    this.#isIdle = false;
    this.#work = this.#work.then(act);
    this.#work.catch(() => {}); // the error is reported to the code that awaits the work
  }

  async #create(resumeRecord: string | undefined): Promise<void> {
    await this.#directory.makeParents(this.#name);
    try {
      this.#file = await this.#createFile();
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      this.#directory.recover();
      await this.#directory.makeParents(this.#name);
      this.#file = await this.#createFile();
    }
    this.#exists = true;
    if (resumeRecord !== undefined && this.isResumable) await this.#createRecord(resumeRecord);
  }

  #createFile(): Promise<FileHandle> {
    return createOwnFile(this.path, 0o666, () => removeIfExists(this.recordPath));
  }

  async #createRecord(text: string): Promise<void> {
    const file = await createOwnFile(this.recordPath);
    this.#hasRecord = true;
    try {
      await writeAll(file, [Buffer.from(text)]);
    } finally {
      await file.close();
    }
  }

  async #writePending(): Promise<void> {
    while (this.#pending.length > 0 && this.#file !== undefined) {
      const pieces = this.#pending;
      this.#pending = [];
      this.#pendingBytes = 0;
      await writeAll(this.#file, pieces);
    }
    this.#isWriting = false;
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

/** Repeats short writes, such as the last one before a disk is full. */
async function writeAll(file: FileHandle, pieces: readonly Buffer[]): Promise<void> {
  let left = pieces;
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left);
    left = after(left, bytesWritten);
  }
}

/** What follows the first bytes of some pieces. */
function after(pieces: readonly Buffer[], bytes: number): readonly Buffer[] {
  let skipped = 0;
  for (const [index, piece] of pieces.entries()) {
    if (skipped + piece.length > bytes) return [piece.subarray(bytes - skipped), ...pieces.slice(index + 1)];
    skipped += piece.length;
  }
  return [];
}

async function removeIfExists(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
