import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/** Any text, also an empty one. */
export const text: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string') throw new BadValue('it must be text');
    return value;
  },
  print: (value) => value,
};

/** Text of which an error message shows nothing. */
export const secretText: Parser<string> = { ...text, show: () => 'the value' };

/** The name of a file. */
export const fileName: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || value === '' || value.includes('\0')) {
      throw new BadValue('it must be the name of a file');
    }
    return value;
  },
  print: (value) => value,
  suggestions: 'files',
};
