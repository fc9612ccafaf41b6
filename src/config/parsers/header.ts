import { printable } from '../../model/printable.ts';
import { isToken, OWNED_HEADERS } from '../../model/request-rules.ts';
import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';
import { headerValue } from './header-value.ts';

/** One request header; the name is in lower case. */
export interface Header {
  readonly name: string;
  readonly value: string;
}

/**
 * Request headers: one line `Name: value`, a list of lines, or an object of names and values. `Name:` sends the
 * header empty. Values are never shown in an error message.
 */
export const headers: Parser<readonly Header[]> = {
  parse: (value) => Object.freeze(entriesOf(value).map(([name, text]) => parseHeader(name, text))),
  print: (list) => list.map(({ name, value }) => `${name}: ${value}`),
  show: (value) => (Array.isArray(value) ? value.map(shown).join(', ') : shown(value)),
};

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  if (typeof value === 'string') return [split(value)];
  if (Array.isArray(value)) return value.map(split);
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  throw new BadValue('it must look like "Name: value"');
}

function split(line: unknown): readonly [string, string] {
  const colon = typeof line === 'string' ? line.indexOf(':') : -1;
  if (typeof line !== 'string' || colon === -1) throw new BadValue('it must look like "Name: value"');
  return [line.slice(0, colon), line.slice(colon + 1)];
}

function parseHeader(name: string, value: unknown): Header {
  if (!isToken(name))
    throw new BadValue('the name of a header must be letters, digits and dashes, as in "Name: value"');
  const lower = name.toLowerCase();
  if (OWNED_HEADERS.has(lower))
    throw new BadValue(`it must not be ${lower}, which is set for each connection and body`);
  return Object.freeze({ name: lower, value: headerValue.parse(value) });
}

// The name alone: what stands behind it may be a secret. With nothing behind it, it may be the secret itself.
function shown(line: unknown): string {
  const [, name] = typeof line === 'string' ? (/^([^\s:]{1,64}[:\s])\s*\S/.exec(line) ?? []) : [];
  return name === undefined ? 'the value' : `"${printable(name.trimEnd())} ***"`;
}
