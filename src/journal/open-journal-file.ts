import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { systemReason } from '../model/output-error.ts';
import { journalFault } from './journal-fault.ts';

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
