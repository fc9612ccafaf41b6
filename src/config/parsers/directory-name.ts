import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/** The name of a directory. */
export const directoryName: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || value === '' || value.includes('\0')) {
      throw new BadValue('it must be the name of a directory');
    }
    return value;
  },
  print: (value) => value,
  suggestions: 'directories',
};
