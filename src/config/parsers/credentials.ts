import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/** `NAME:PASSWORD`, where both may be empty and the password may hold colons. Never shown in an error message. */
export const credentials: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || !value.includes(':')) {
      throw new BadValue('it must look like NAME:PASSWORD; with an empty password, NAME:');
    }
    // RFC 7617, section 2. The commonest is the line break at the end of a file.
    if (/[\u0000-\u001f\u007f]/.test(value)) throw new BadValue('it must be without control characters');
    return value;
  },
  print: (value) => value,
  show: () => 'the value',
};
