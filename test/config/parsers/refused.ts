import { InvalidValueError, type Parser } from '../../../src/config/option.ts';

/** The wish with which a parser refuses a value; fails when it takes the value, or throws anything else. */
export function refused(parser: Parser<unknown>, value: unknown): string {
  let parsed: unknown;
  try {
    parsed = parser.parse(value);
  } catch (error) {
    if (error instanceof InvalidValueError) return error.message;
    throw error;
  }
  throw new Error(`taken as ${JSON.stringify(parsed)}: ${JSON.stringify(value)}`);
}
