import { errorCode } from '../model/error-code.ts';
import { InputError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { excerpt } from './shown-url.ts';

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
