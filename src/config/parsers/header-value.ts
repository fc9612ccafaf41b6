import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/** The value of a header (RFC 9110, section 5.5): Latin-1 without control characters; white space around it is dropped. */
export const headerValue: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string') throw new BadValue('the value of a header must be text');
    const trimmed = value.replace(/^[ \t]+|[ \t]+$/g, '');
    if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(trimmed)) {
      throw new BadValue('the value of a header must be without control characters');
    }
    if (/[^\u0000-\u00ff]/.test(trimmed)) {
      throw new BadValue('the value of a header must be Latin-1: encode other characters');
    }
    return trimmed;
  },
  print: (value) => value,
};
