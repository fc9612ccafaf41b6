import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/** One of a few words, written exactly so. */
export function oneOf<const Word extends string>(words: readonly Word[]): Parser<Word> {
  return {
    parse(value) {
      const found = words.find((word) => word === value);
      if (found === undefined) throw new BadValue(`it must be one of ${words.join(', ')}`);
      return found;
    },
    print: (value) => value,
    suggestions: words,
  };
}
