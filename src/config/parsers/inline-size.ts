import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';
import { orNone } from './or-none.ts';
import { size } from './size.ts';

const WITHOUT_SIZE = 64 * 1024;
const MAX = 64 * 1024 ** 2;

const sizeOrNone = orNone(size, undefined);

/** How much of a body goes into its record, in bytes: a flag without a size is 64kb, `none` is nothing. */
export const inlineSize: Parser<number | undefined> = {
  parse(value) {
    if (value === false || value === 'false') return undefined;
    const bytes = sizeOrNone.parse(value === true || value === 'true' ? WITHOUT_SIZE : value);
    if (bytes !== undefined && bytes > MAX) throw new BadValue('it must be 64mb or less');
    return bytes;
  },
  print: sizeOrNone.print,
};
