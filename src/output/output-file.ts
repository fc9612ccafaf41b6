import { createWriteStream, fstatSync, open as openFdCallback, type Stats } from 'node:fs';
import { constants, type FileHandle, open, readlink, stat, unlink } from 'node:fs/promises';
import { Socket } from 'node:net';
import { dirname, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { syncDirectory } from '../core/own-file.ts';
import { errorCode, toOutputError } from '../model/errors.ts';

const openFd = promisify(openFdCallback);
const compress = promisify(gzip);

/** How long lines for a gzip file are collected. Each write becomes a member of its own, so short ones compress badly. */
const GZIP_DELAY_MS = 1000;

interface OutputFileOptions {
  /** Flush the file to the disk (fsync) before it is closed, and its directory if it is new. */
  readonly flush?: boolean;
  /** Whether a file that is created may be read by its owner only. */
  readonly isPrivate?: boolean | undefined;
  /** Whether to compress; by default the name of the file decides. */
  readonly compresses?: boolean;
}

/** Whether the name of a file asks for gzip data. */
export function isGzipName(path: string): boolean {
  return /\.gz$/i.test(path);
}

/** The option of `LineWriter` for a file of `openOutputFile`. */
export function flushSchedule(path: string): { readonly scheduleFlush?: (flush: () => void) => void } {
  if (!isGzipName(path)) return {};
  return { scheduleFlush: (flush) => void setTimeout(flush, GZIP_DELAY_MS).unref() };
}

/**
 * Opens a file, a device or a named pipe for writing, before anything is fetched. Throws an `OutputError`.
 * - A file keeps its old contents until the first write or the end. Until then `destroy()` leaves everything as it was.
 * - In a gzip file each write is a whole member, so that it is readable up to the last write after a kill.
 */
export async function openOutputFile(path: string, given: OutputFileOptions = {}): Promise<Writable> {
  const options = { compresses: isGzipName(path), ...given };
  try {
    const status = await statIfExists(path);
    // A socket is polled. Writing to a pipe that nobody reads would block a thread, and so the end of the process.
    if (status?.isFIFO()) {
      const pipe = new Socket({ fd: await openFd(path, 'w'), readable: false, writable: true });
      return options.compresses ? new GzipStream(pipe) : pipe;
    }
    if (status !== undefined) return await FileStream.open(path, options);
    return await FileStream.create(path, options);
  } catch (error) {
    throw toOutputError(path, error);
  }
}

/** Writes to a file that was created for this: flushes it to the disk at the end, and then closes it. */
export function createFileStream(file: FileHandle, compresses: boolean): Writable {
  return new FileStream(file, { flush: true, compresses });
}

/**
 * Opens standard output by its descriptor. Unlike `process.stdout`, which is passed as `fallback` and used for terminals:
 * - `destroy()` releases a pipe whose reader never reads, so that the process can exit.
 * - On a full disk, a write that is cut short is an error, too.
 */
export function openStandardOutput(fd: number, fallback: Writable): Writable {
  const status = fstatSync(fd);
  if (status.isFIFO() || status.isSocket()) return new Socket({ fd, readable: false, writable: true });
  if (status.isFile()) return createWriteStream('', { fd, autoClose: false });
  return fallback;
}

/** The status of a file, or `undefined` if there is none. */
export async function statIfExists(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Where a file is created that does not exist: the path, or what it leads to if it is a symbolic link. */
export async function missingTarget(path: string): Promise<string> {
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? path : resolve(dirname(path), target);
}

/** Writes to a pipe in gzip format, with each write as a whole member, as a gzip file has them. */
class GzipStream extends Writable {
  readonly #pipe: Writable;
  #hasMember = false;

  constructor(pipe: Writable) {
    super();
    this.#pipe = pipe;
    pipe.on('error', (error) => this.destroy(error));
    pipe.on('close', () => this.destroy());
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#hasMember = true;
    compress(chunk).then((member) => this.#pipe.write(member, done), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#hasMember) this.#pipe.end(done);
    else compress(Buffer.alloc(0)).then((member) => this.#pipe.end(member, () => done()), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#pipe.destroy();
    done(error);
  }
}

/** Writes to a file that is emptied by the first write, or at the end. */
class FileStream extends Writable {
  readonly #handle: FileHandle;
  readonly #flushes: boolean;
  readonly #compresses: boolean;
  /** The path of a file that did not exist before. */
  readonly #newPath: string | undefined;
  #isEmptied = false;

  constructor(
    handle: FileHandle,
    { flush = false, compresses = false }: OutputFileOptions,
    newPath?: string,
  ) {
    super();
    this.#handle = handle;
    this.#flushes = flush;
    this.#compresses = compresses;
    this.#newPath = newPath;
  }

  static async open(path: string, options: OutputFileOptions): Promise<FileStream> {
    return new FileStream(await open(path, constants.O_WRONLY | constants.O_CREAT), options);
  }

  static async create(path: string, options: OutputFileOptions): Promise<FileStream> {
    try {
      return new FileStream(await open(path, 'wx', options.isPrivate ? 0o600 : 0o666), options, path);
    } catch (error) {
      // Another process was faster, or the path is a symbolic link to a file that does not exist.
      if (errorCode(error) !== 'EEXIST') throw error;
      return FileStream.open(path, options);
    }
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#append(chunk).then(() => done(), done);
  }

  override _final(done: (error?: Error) => void): void {
    this.#finish().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#close().then(() => done(error), done);
  }

  async #append(chunk: Buffer): Promise<void> {
    await this.#empty();
    await this.#handle.writeFile(this.#compresses ? await compress(chunk) : chunk); // from the current position
  }

  async #finish(): Promise<void> {
    if (this.#compresses && !this.#isEmptied) await this.#append(Buffer.alloc(0));
    await this.#empty();
    if (!this.#flushes || !(await this.#handle.stat()).isFile()) return; // a device cannot be flushed
    await this.#handle.sync();
    if (this.#newPath !== undefined) await syncDirectory(dirname(this.#newPath));
  }

  async #empty(): Promise<void> {
    if (this.#isEmptied) return;
    this.#isEmptied = true;
    const status = await this.#handle.stat();
    if (status.isFile()) await this.#handle.truncate(0);
  }

  async #close(): Promise<void> {
    await this.#handle.close();
    if (!this.#isEmptied && this.#newPath !== undefined) await unlink(this.#newPath).catch(() => {});
  }
}
