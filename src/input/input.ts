import { constants, type Stats } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { errorCode, InputError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { parseLine } from './parse-job.ts';
import { redactedExcerpt } from './parse-url.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENXIO: 'it is a socket',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not valid UTF-16',
};

/** Where URLs come from: a file, standard input, or one URL given as an argument. */
export type Input =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdin' }
  | { readonly kind: 'url'; readonly url: string };

/** What an `INPUT` argument means: `-` is standard input, `http://` or `https://` starts a URL, anything else is a file. */
export function classifyInput(argument: string): Input {
  if (argument === '-') return { kind: 'stdin' };
  if (/^https?:\/\//i.test(argument)) return { kind: 'url', url: argument };
  return { kind: 'file', path: argument };
}

/** The name of an input in records and messages: its path, its URL without user and password, or `-`. */
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
 * Throws an `InputError` for the first file that is missing, a directory, or not readable, before a run of hours starts.
 * Nothing is opened: opening a pipe would wait for its writer, and reading it would lose lines.
 */
export async function checkInputs(inputs: readonly Input[]): Promise<void> {
  for (const input of inputs) {
    if (input.kind === 'file') await checkFile(input.path);
  }
}

async function checkFile(path: string): Promise<void> {
  await statInputFile(path);
  try {
    await access(path, constants.R_OK);
  } catch (error) {
    throw toInputError(path, error);
  }
}

/** The status of an input file. Throws an `InputError` if it is missing or a directory. */
export async function statInputFile(path: string): Promise<Stats> {
  try {
    const status = await stat(path);
    if (status.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    return status;
  } catch (error) {
    throw toInputError(path, error);
  }
}

/** Converts what was thrown while an input was opened or read into an `InputError` that names the input and the reason. */
export function toInputError(name: string, error: unknown): InputError {
  if (error instanceof InputError) return error;
  const code = errorCode(error) ?? String(error);
  const reason = REASONS[code] ?? code;
  const message = code.startsWith('Z_')
    ? `cannot unpack ${quotedInputName(name)}: the gzip data is damaged or cut off (${code})`
    : `cannot read ${quotedInputName(name)}: ${reason}`;
  return new InputError(message, { cause: error });
}

/** The name of an input as a message shows it: in quotes, printable, without the password of a URL. */
export function quotedInputName(name: string): string {
  if (name === '-') return 'standard input';
  return `"${/:.*@/.test(name) ? redactedExcerpt(name) : printable(name, 200)}"`;
}
