import { createWriteStream, fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { outputError } from '../model/output-error.ts';

/** Creates or empties a file for `--output`. Throws an OutputError before anything is fetched, not after. */
export async function openOutputFile(path: string): Promise<Writable> {
  try {
    return (await open(path, 'w')).createWriteStream();
  } catch (error) {
    throw outputError(path, error);
  }
}

/**
 * Opens standard output by its descriptor, for what Node's own `process.stdout` (`fallback`, used for terminals)
 * cannot do: a pipe whose reader never reads is let go by `destroy()`, where `process.stdout` keeps the process
 * alive; and a file on a disk that fills up is an error even when the last write was cut short.
 */
export function openStandardOutput(fd: number, fallback: Writable): Writable {
  const stat = fstatSync(fd);
  if (stat.isFIFO() || stat.isSocket()) return new Socket({ fd, readable: false, writable: true });
  if (stat.isFile()) return createWriteStream('', { fd, autoClose: false });
  return fallback;
}
