import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { errorCode } from '../model/errors.ts';

// Files whose names fanout chooses itself, such as `FILE.part`. Somebody else may have put something there before: a link
// to a file that must not change, a pipe or a device that never ends, a file that fills the memory. So such a file is
// created new, or it is opened without following a link, must be a regular file, and is read up to a limit.

// Windows has neither flag. O_EXCL refuses links on every system.
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
/** Keeps `open` from waiting for the other end of a named pipe. Has no effect on a regular file. */
const NO_WAIT = constants.O_NONBLOCK ?? 0;

/** The directory cannot be opened for reading, or the file system or platform does not support fsync on directories. */
const UNSYNCABLE = new Set<string | undefined>(['EACCES', 'EINVAL', 'EISDIR', 'ENOSYS', 'ENOTSUP', 'EPERM']);

/** How a file is opened: `create` fails if there is one, and the others fail if there is none. */
const ACCESS = {
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  read: constants.O_RDONLY,
  change: constants.O_RDWR,
  append: constants.O_RDWR | constants.O_APPEND,
} as const;

type Access = keyof typeof ACCESS;

/**
 * Creates a file with these permissions, for reading and writing. Removes a file, link or pipe that has its name, after
 * calling `beforeReplace`. Throws the error of the file system; a directory is not removed.
 */
export async function createOwnFile(
  path: string,
  mode = 0o666,
  beforeReplace?: () => Promise<void>,
): Promise<FileHandle> {
  try {
    return await open(path, ACCESS.create | NO_FOLLOW, mode);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    await beforeReplace?.();
    await unlink(path);
    return open(path, ACCESS.create | NO_FOLLOW, mode);
  }
}

/**
 * Opens a file. Throws if it is a link or not a regular file, or the error of the file system. With `follows`, a link to a
 * regular file is accepted: for a path that the user has named. `mode` is for a new file.
 */
export async function openOwnFile(
  path: string,
  access: Access,
  { follows = false, mode = 0o666 }: { readonly follows?: boolean; readonly mode?: number } = {},
): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, ACCESS[access] | (follows ? 0 : NO_FOLLOW) | NO_WAIT, mode);
  } catch (error) {
    throw described(error);
  }
  try {
    checkRegular(await file.stat());
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Reads a file. Throws what `openOwnFile` throws, and an error if it has more than `maxBytes`. */
export async function readOwnFile(
  path: string,
  maxBytes: number,
  options: { readonly follows?: boolean } = {},
): Promise<Buffer> {
  const file = await openOwnFile(path, 'read', options);
  try {
    const bytes = bufferFor(await file.stat(), maxBytes);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } finally {
    await file.close();
  }
}

/** The largest file of settings that is read: a configuration, certificates, credentials. */
const MAX_SETTINGS_BYTES = 16 * 1024 * 1024;

/**
 * Reads a file of settings as UTF-8. One that the user has named may be a pipe, such as `<(command)` of a shell; one that is
 * only found, such as a configuration file in the working directory, must be a regular file.
 */
export async function readSettings(path: string, isNamed = true): Promise<string> {
  if (!isNamed) return (await readOwnFile(path, MAX_SETTINGS_BYTES, { follows: true })).toString();
  const file = await open(path, constants.O_RDONLY);
  try {
    const pieces: Buffer[] = [];
    let bytes = 0;
    for (let length = -1; length !== 0; bytes += length) {
      if (bytes > MAX_SETTINGS_BYTES) throw new Error(`it has more than ${MAX_SETTINGS_BYTES} bytes`);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, null);
      pieces.push(buffer.subarray(0, bytesRead));
      length = bytesRead;
    }
    return Buffer.concat(pieces).toString();
  } finally {
    await file.close();
  }
}

/** Flushes a directory, since new and renamed files in it are otherwise lost in a power failure. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, constants.O_RDONLY | NO_WAIT);
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    if (!UNSYNCABLE.has(errorCode(error))) throw error;
  }
}

function checkRegular(status: Stats): void {
  if (!status.isFile()) throw new Error('it is not a regular file');
}

function bufferFor({ size }: Stats, maxBytes: number): Buffer {
  if (size > maxBytes) throw new Error(`it has ${size} bytes; at most ${maxBytes} are read`);
  return Buffer.alloc(size);
}

/** Says in words that a link was refused, or that a pipe, socket or device could not be opened. */
function described(error: unknown): unknown {
  const code = errorCode(error);
  if (code === 'ELOOP' || code === 'EMLINK') return new Error('it is a symbolic link', { cause: error });
  if (code === 'ENXIO' || code === 'ENODEV') return new Error('it is not a regular file', { cause: error });
  return error;
}
