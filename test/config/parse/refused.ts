import { InvalidValueError, type Parser } from '../../../src/config/option.ts';

/** The requirement with which a parser rejects a value. Throws if it accepts the value, or fails in another way. */
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
