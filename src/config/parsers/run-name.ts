import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/** The name of a run over several machines: what may stand in a subject of NATS, and in the name of a file. */
export const runName: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(value)) {
      throw new BadValue('it must be 1 to 64 letters, digits, dashes and underscores');
    }
    return value;
  },
  print: (value) => value,
};
