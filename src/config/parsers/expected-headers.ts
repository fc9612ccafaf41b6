import type { ExpectedHeader } from '../../model/expectation.ts';
import { isToken } from '../../model/request-rules.ts';
import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/** Headers of an answer: `Name: value`, or `Name:` for any value; one, or a JSON list of them. */
export const expectedHeaders: Parser<readonly ExpectedHeader[]> = {
  parse: (value) => Object.freeze((Array.isArray(value) ? value : [value]).map(expectedHeader)),
  print: (list) => list.map(({ name, value }) => `${name}: ${value}`),
};

function expectedHeader(line: unknown): ExpectedHeader {
  const colon = typeof line === 'string' ? line.indexOf(':') : -1;
  const name = typeof line === 'string' ? line.slice(0, Math.max(0, colon)).trim() : '';
  if (typeof line !== 'string' || !isToken(name)) {
    throw new BadValue('it must look like "Name: value", or "Name:" for any value');
  }
  return Object.freeze({ name: name.toLowerCase(), value: line.slice(colon + 1).trim() });
}
