import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

// As much as is searched for in one piece.
const MAX_LENGTH = 64 * 1024;

/** Texts to look for: one, or a JSON list of them. None is empty. */
export const texts: Parser<readonly string[]> = {
  parse: (value) => Object.freeze((Array.isArray(value) ? value : [value]).map(searchText)),
  print: (list) => list,
};

function searchText(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new BadValue('it must be text that is not empty');
  if (value.length > MAX_LENGTH) throw new BadValue(`it must be ${MAX_LENGTH} characters or less`);
  return value;
}
