import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/** Regular expressions of JavaScript: one, or a JSON list of them. */
export const regexps: Parser<readonly RegExp[]> = {
  parse: (value) => Object.freeze((Array.isArray(value) ? value : [value]).map(regexp)),
  print: (list) => list.map(({ source }) => source),
};

function regexp(value: unknown): RegExp {
  if (typeof value !== 'string' || value === '') {
    throw new BadValue('it must be a regular expression that is not empty');
  }
  try {
    return new RegExp(value);
  } catch (error) {
    const [, reason] = /: ([^:]*)$/.exec(error instanceof Error ? error.message : '') ?? [];
    throw new BadValue(`it must be a regular expression of JavaScript${reason ? ` (${reason})` : ''}`);
  }
}
