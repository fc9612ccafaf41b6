import { constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { errorCode } from '../model/error-code.ts';

// Windows has no O_NOFOLLOW; O_EXCL alone refuses links, too.
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
const OLD = constants.O_RDWR | constants.O_APPEND | NO_FOLLOW;

/** Opens a file that was not there before. `wasThere` is called when there is one, which is removed, also a link. */
export function openNew(path: string, wasThere: () => void): number {
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
export function openOld(path: string): number {
  return openSync(path, OLD);
}

/** A write may take less than it is given, such as the last one before a disk is full. */
export function writeAll(fd: number, bytes: Buffer): void {
  let written = writeSync(fd, bytes);
  while (written < bytes.length) written += writeSync(fd, bytes, written);
}

/** Removes a file, if it is there. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
