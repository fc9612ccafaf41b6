import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { outputError, systemReason } from '../model/output-error.ts';
import { journalFault } from './journal-fault.ts';
import { HEADER, HEADER_START } from './journal-line.ts';

/** Opens a regular file for reading and writing, and makes it if there is none. Rejects with a UsageError. */
export async function openJournalFile(path: string): Promise<FileHandle> {
  try {
    const found = await stat(path).catch(() => undefined); // if there is more wrong with it, opening it says what
    // Opening a pipe or a device may do something to it, or wait for ever.
    if (found !== undefined && !found.isFile()) throw journalFault(path, 'it is not a regular file');
    return await open(path, constants.O_RDWR | constants.O_CREAT);
  } catch (error) {
    throw error instanceof Error && 'code' in error ? journalFault(path, systemReason(error)) : error;
  }
}

/**
 * Makes sure that a file is a journal. One that is empty, or ends within its first line, becomes one, so that not even a
 * power cut can lose it. Rejects with a UsageError for any other file, and leaves that as it is.
 */
export async function checkHeader(file: FileHandle, path: string): Promise<void> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(HEADER.length), 0, HEADER.length, 0);
  const start = buffer.toString('latin1', 0, bytesRead);
  if (start === HEADER) return;
  if (HEADER.startsWith(start)) return writeHeader(file, path);
  if (start.startsWith(HEADER_START)) throw journalFault(path, 'another version of fanout has made it');
  throw journalFault(path, 'it holds something else');
}

async function writeHeader(file: FileHandle, path: string): Promise<void> {
  try {
    await file.write(HEADER, 0);
    await file.sync();
  } catch (error) {
    throw outputError(path, error);
  }
  await syncDirectory(dirname(path)).catch(() => {}); // not every system can
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
