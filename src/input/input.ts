import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { errorCode, InputError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { parseLine } from './parse-job.ts';
import { excerpt } from './parse-url.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  ENXIO: 'it is a socket',
};

/** The error for an input that cannot be opened or read to its end: an `InputError` that says why. */
export function inputFault(name: string, error: unknown): InputError {
  if (error instanceof InputError) return error;
  const code = errorCode(error) ?? String(error);
  if (code.startsWith('Z_')) {
    return new InputError(
      `Cannot unpack ${named(name)}: its gzip data is damaged or cut off (${code}); it must be a whole gzip file`,
      { cause: error },
    );
  }
  return new InputError(`Cannot read ${named(name)}: ${REASONS[code] ?? code}; ${WISH}`, { cause: error });
}

const WISH =
  'an input must be a file of URLs, - for standard input, or a URL that starts with http:// or https://';

/** An input's name as it stands in a message; `-` is standard input. What looks like a URL may hold a password. */
export function named(name: string): string {
  if (name === '-') return 'standard input';
  return `"${name.includes('://') ? excerpt(name) : printable(name, 200)}"`;
}

/** Where URLs come from: a file, standard input, or one URL given as an argument. */
export type Input =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdin' }
  | { readonly kind: 'url'; readonly url: string };

/** What an `INPUT` argument means: `-` is standard input, `http://` or `https://` starts a URL, all else is a file. */
export function classifyInput(argument: string): Input {
  if (argument === '-') return { kind: 'stdin' };
  if (/^https?:\/\//i.test(argument)) return { kind: 'url', url: argument };
  return { kind: 'file', path: argument };
}

/** What an input is called in a record and in a message: its path, its URL without user and password, or `-`. */
export function inputName(input: Input): string {
  switch (input.kind) {
    case 'file':
      return input.path;
    case 'stdin':
      return '-';
    case 'url':
      return parseLine(input.url).url;
  }
}

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
