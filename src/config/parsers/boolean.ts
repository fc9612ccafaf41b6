import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

const WORDS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [true, true],
  ['true', true],
  ['1', true],
  ['yes', true],
  [false, false],
  ['false', false],
  ['0', false],
  ['no', false],
]);

/** A flag, a JSON boolean, or in the environment one of true, false, 1, 0, yes, no in any case. */
export const boolean: Parser<boolean> = {
  parse(value) {
    const found = WORDS.get(typeof value === 'string' ? value.toLowerCase() : value);
    if (found === undefined) throw new BadValue('it must be true or false');
    return found;
  },
  print: (value) => value,
};
