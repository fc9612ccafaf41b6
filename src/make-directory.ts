import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from './model/error-code.ts';

/**
 * Makes a directory, and those above it that are missing. Throws what the file system says. Node's own, with `recursive`,
 * tries for ever where the directory above is there and takes none, such as in /proc.
 */
export function makeDirectory(path: string): void {
  const nothingAbove = makeLast(path);
  if (nothingAbove === undefined) return;
  if (dirname(path) === path) throw nothingAbove;
  makeDirectory(dirname(path));
  const refusal = makeLast(path);
  if (refusal !== undefined) throw refusal;
}

/** The error when the directory above is missing; throws all others. Somebody else may be making the same one. */
function makeLast(path: string): Error | undefined {
  try {
    mkdirSync(path);
  } catch (error) {
    if (error instanceof Error && errorCode(error) === 'ENOENT') return error;
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
  return undefined;
}
