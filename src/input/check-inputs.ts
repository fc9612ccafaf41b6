import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import type { Input } from './input.ts';
import { inputFault } from './input-fault.ts';

/**
 * Throws an `InputError` for the first file that is missing, a directory, or may not be read, so that the user hears of it
 * before a run of hours. Nothing is opened: opening a pipe would wait for its writer, reading it would lose lines.
 */
export async function checkInputs(inputs: readonly Input[]): Promise<void> {
  for (const input of inputs) {
    if (input.kind === 'file') await checkFile(input.path);
  }
}

async function checkFile(path: string): Promise<void> {
  try {
    const status = await stat(path);
    if (status.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    await access(path, constants.R_OK);
  } catch (error) {
    throw inputFault(path, error);
  }
}
