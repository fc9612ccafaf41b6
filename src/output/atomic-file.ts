import { open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, toOutputError } from '../model/errors.ts';
import { LineWriter, openOutputFile } from './line-writer.ts';

/** The directory cannot be opened for reading, or the file system or platform does not support fsync on directories. */
const UNSYNCABLE = new Set<string | undefined>(['EACCES', 'EINVAL', 'EISDIR', 'ENOSYS', 'ENOTSUP', 'EPERM']);

/**
 * A file of lines that replaces an existing file only when it is complete. It is written as `PATH.part`, flushed to the disk
 * and renamed, so that after a crash or a power failure the path has either the old or the new contents.
 */
export class AtomicFile {
  readonly #path: string;
  readonly #lines: LineWriter;

  private constructor(path: string, lines: LineWriter) {
    this.#path = path;
    this.#lines = lines;
  }

  /** Throws an `OutputError` if the file cannot be written. Call it before anything is fetched. */
  static async open(path: string): Promise<AtomicFile> {
    const stream = await openOutputFile(partPath(path), { flush: true });
    return new AtomicFile(path, new LineWriter(stream, { name: path }));
  }

  /** Takes whole lines with their newlines, like `LineWriter.write`. */
  write(lines: string): void | Promise<void> {
    return this.#lines.write(lines);
  }

  /** Replaces the old file. Throws an `OutputError` if that fails. */
  async commit(): Promise<void> {
    await this.#lines.end();
    try {
      await replaceByPart(this.#path);
    } catch (error) {
      throw toOutputError(this.#path, error);
    }
  }

  /** Removes the new file and keeps the old one. */
  async discard(): Promise<void> {
    this.#lines.destroy();
    await rm(partPath(this.#path), { force: true });
  }
}

/** Replaces a file with one that has these contents, as safely as `AtomicFile`. Throws the error of the file system. */
export async function replaceFile(path: string, contents: string): Promise<void> {
  await writeFile(partPath(path), contents, { flush: true });
  await replaceByPart(path);
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
