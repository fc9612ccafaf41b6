import { isToken, sentMethod } from '../../model/request-rules.ts';
import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/**
 * Request methods (RFC 9110, section 9). Standard ones are put in upper case; others are kept as they are,
 * since methods are case-sensitive. CONNECT asks for a tunnel and is no request for a URL.
 */
export const method: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || !isToken(value)) {
      throw new BadValue('it must be a request method such as GET, HEAD or POST');
    }
    if (value.toUpperCase() === 'CONNECT')
      throw new BadValue('it must not be CONNECT, which asks for a tunnel and not for a URL');
    return sentMethod(value);
  },
  print: (value) => value,
};
