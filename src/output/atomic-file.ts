import { open, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, OutputError, toOutputError } from '../model/errors.ts';
import { LineWriter } from './line-writer.ts';
import { flushSchedule, isGzipName, missingTarget, openOutputFile, statIfExists } from './output-file.ts';

/** The directory cannot be opened for reading, or the file system or platform does not support fsync on directories. */
const UNSYNCABLE = new Set<string | undefined>(['EACCES', 'EINVAL', 'EISDIR', 'ENOSYS', 'ENOTSUP', 'EPERM']);

/**
 * A file of lines that replaces an existing file only when it is complete. It is written as `PATH.part`, flushed to the disk
 * and renamed, so that after a crash or a power failure the path has either the old or the new contents.
 */
export class AtomicFile {
  readonly #path: string;
  readonly #lines: LineWriter;
  #isOpen = true;

  private constructor(path: string, lines: LineWriter) {
    this.#path = path;
    this.#lines = lines;
  }

  /**
   * Throws an `OutputError` if the file cannot be written, or is a device, a pipe or a directory. Call it before anything is
   * fetched. If the path is a symbolic link, the file that it leads to is replaced.
   */
  static async open(path: string): Promise<AtomicFile> {
    const target = await followLink(path);
    const stream = await openOutputFile(partPath(target), { flush: true, compresses: isGzipName(path) });
    return new AtomicFile(target, new LineWriter(stream, { name: path, ...flushSchedule(path) }));
  }

  /** Takes whole lines with their newlines, like `LineWriter.write`. */
  write(lines: string): void | Promise<void> {
    return this.#lines.write(lines);
  }

  /** Replaces the old file. Throws an `OutputError` if that fails. */
  async commit(): Promise<void> {
    try {
      await this.#lines.end();
      await replaceByPart(this.#path);
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
    await rm(partPath(this.#path), { force: true });
  }
}

/** The path without symbolic links. Throws an `OutputError` if it is neither a regular file nor free. */
async function followLink(path: string): Promise<string> {
  try {
    const status = await statIfExists(path);
    if (status?.isFile()) return await realpath(path);
    if (status !== undefined)
      throw new Error(status.isDirectory() ? 'it is a directory' : 'it is not a regular file');
    return await missingTarget(path);
  } catch (error) {
    throw toOutputError(path, error);
  }
}

/** Replaces a file with one that has these contents, as safely as `AtomicFile`. Throws the error of the file system. */
export async function replaceFile(path: string, contents: string): Promise<void> {
  try {
    await writeFile(partPath(path), contents, { flush: true });
    await replaceByPart(path);
  } catch (error) {
    await rm(partPath(path), { force: true });
    throw error;
  }
}

async function replaceByPart(path: string): Promise<void> {
  await rename(partPath(path), path);
  await syncDirectory(dirname(path));
}

/** Flushes a directory, since a rename is otherwise lost in a power failure. */
async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, 'r');
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    if (!UNSYNCABLE.has(errorCode(error))) throw error;
  }
}

function partPath(path: string): string {
  return `${path}.part`;
}
