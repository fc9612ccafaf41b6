import type { Stats } from 'node:fs';
import { type FileHandle, lstat, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createOwnFile, syncDirectory } from '../core/own-file.ts';
import { errorCode, OutputError, toOutputError } from '../model/errors.ts';
import { LineWriter } from './line-writer.ts';
import { createFileStream, flushSchedule, isGzipName } from './output-file.ts';

/**
 * A file of lines that replaces an existing file only when it is complete. It is written as `PATH.part`, flushed to the disk
 * and renamed, so that after a crash or a power failure the path has either the old or the new contents.
 */
export class AtomicFile {
  readonly #path: string;
  readonly #part: PartFile;
  readonly #lines: LineWriter;
  #isOpen = true;

  private constructor(path: string, part: PartFile, lines: LineWriter) {
    this.#path = path;
    this.#part = part;
    this.#lines = lines;
  }

  /**
   * Throws an `OutputError` if the file cannot be written, or is a symbolic link, a device, a pipe or a directory. Call it
   * before anything is fetched. With `isPrivate`, a file that did not exist may be read by its owner only.
   */
  static async open(path: string, isPrivate = false): Promise<AtomicFile> {
    const part = await PartFile.create(path, isPrivate).catch((error: unknown) => {
      throw toOutputError(path, error);
    });
    const stream = createFileStream(part.file, isGzipName(path));
    return new AtomicFile(path, part, new LineWriter(stream, { name: path, ...flushSchedule(path) }));
  }

  /** Takes whole lines with their newlines, like `LineWriter.write`. */
  write(lines: string): void | Promise<void> {
    return this.#lines.write(lines);
  }

  /** Replaces the old file. Throws an `OutputError` if that fails. */
  async commit(): Promise<void> {
    try {
      await this.#lines.end();
      await this.#part.replace(this.#path);
      this.#isOpen = false;
    } catch (error) {
      throw error instanceof OutputError ? error : toOutputError(this.#path, error);
    } finally {
      await this.discard();
    }
  }

  /** Removes the new file and keeps the old one. Does nothing after `commit()`. */
  async discard(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#lines.destroy();
    await this.#part.remove();
  }
}

/** Replaces a file with one that has these contents, as safely as `AtomicFile`. Throws the error of the file system. */
export async function replaceFile(path: string, contents: string): Promise<void> {
  const part = await PartFile.create(path);
  try {
    try {
      await part.file.writeFile(contents);
      await part.file.sync();
    } finally {
      await part.file.close();
    }
    await part.replace(path);
  } catch (error) {
    await part.remove();
    throw error;
  }
}

/** The new file `PATH.part`, until it has its final name. */
class PartFile {
  readonly file: FileHandle;
  readonly #path: string;
  readonly #status: Stats;

  private constructor(file: FileHandle, path: string, status: Stats) {
    this.file = file;
    this.#path = path;
    this.#status = status;
  }

  /** Gives the new file the permissions of the one that it replaces. */
  static async create(path: string, isPrivate = false): Promise<PartFile> {
    const old = await oldStatus(path);
    const mode = old && old.mode & 0o777;
    const file = await createOwnFile(`${path}.part`, mode ?? (isPrivate ? 0o600 : 0o666));
    if (mode !== undefined) await file.chmod(mode).catch(() => {}); // not supported by every file system
    return new PartFile(file, `${path}.part`, await file.stat());
  }

  /** Renames the file, which must be closed. Throws if another program has replaced it. */
  async replace(path: string): Promise<void> {
    if (!(await this.#isOurs())) throw new Error('another program writes to it, too');
    await rename(this.#path, path);
    await syncDirectory(dirname(path));
  }

  async remove(): Promise<void> {
    if (await this.#isOurs()) await rm(this.#path, { force: true });
  }

  async #isOurs(): Promise<boolean> {
    const found = await lstat(this.#path).catch(() => undefined);
    return found?.ino === this.#status.ino && found.dev === this.#status.dev;
  }
}

/** The status of the file to be replaced; `undefined` if there is none. Throws if it is not a regular file. */
async function oldStatus(path: string): Promise<Stats | undefined> {
  const status = await lstat(path).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
    return undefined;
  });
  if (status === undefined || status.isFile()) return status;
  if (status.isSymbolicLink()) throw new Error('it is a symbolic link; name the file that it leads to');
  throw new Error(status.isDirectory() ? 'it is a directory' : 'it is not a regular file');
}
