import type { ExpectedHeader } from '../../model/expectation.ts';
import { printable } from '../../model/printable.ts';
import { isToken, OWNED_HEADERS } from '../../model/request-rules.ts';
import { InvalidValueError, type Parser } from '../option.ts';
import { hostnameOf } from './addresses.ts';

/** The value of a header (RFC 9110, section 5.5): Latin-1 without control characters; white space around it is dropped. */
export const headerValue: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string') throw new InvalidValueError('the value of a header must be text');
    const trimmed = value.replace(/^[ \t]+|[ \t]+$/g, '');
    if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(trimmed)) {
      throw new InvalidValueError('the value of a header must be without control characters');
    }
    if (/[^\u0000-\u00ff]/.test(trimmed)) {
      throw new InvalidValueError('the value of a header must be Latin-1: encode other characters');
    }
    return trimmed;
  },
  print: (value) => value,
};

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
  throw new InvalidValueError('it must look like "Name: value"');
}

function split(line: unknown): readonly [string, string] {
  const colon = typeof line === 'string' ? line.indexOf(':') : -1;
  if (typeof line !== 'string' || colon === -1)
    throw new InvalidValueError('it must look like "Name: value"');
  return [line.slice(0, colon), line.slice(colon + 1)];
}

function parseHeader(name: string, value: unknown): Header {
  if (!isToken(name))
    throw new InvalidValueError(
      'the name of a header must be letters, digits and dashes, as in "Name: value"',
    );
  const lower = name.toLowerCase();
  if (OWNED_HEADERS.has(lower))
    throw new InvalidValueError(`it must not be ${lower}, which is set for each connection and body`);
  return Object.freeze({ name: lower, value: headerValue.parse(value) });
}

// The name alone: what stands behind it may be a secret. With nothing behind it, it may be the secret itself.
function shown(line: unknown): string {
  const [, name] = typeof line === 'string' ? (/^([^\s:]{1,64}[:\s])\s*\S/.exec(line) ?? []) : [];
  return name === undefined ? 'the value' : `"${printable(name.trimEnd())} ***"`;
}

/** A request header for one host alone. */
export interface HostHeader extends Header {
  /** As URLs write it: `example.com`, `[::1]`; with a port (`example.com:8443`) for that port alone. */
  readonly host: string;
}

const WISH = 'it must look like "HOST Name: value"';

/**
 * Headers for one host each: one line `HOST Name: value`, a list of lines, or an object that has for each host what
 * `headers` takes. Values are never shown in an error message.
 */
export const hostHeaders: Parser<readonly HostHeader[]> = {
  parse: (value) =>
    Object.freeze(
      hostHeaderEntries(value).flatMap(([text, given]) => {
        const host = hostIn(text);
        if (host === undefined) {
          throw new InvalidValueError('HOST must be a host such as example.com, [::1] or example.com:8443');
        }
        return headers.parse(given).map((header) => Object.freeze({ host, ...header }));
      }),
    ),
  print: (list) => list.map(({ host, name, value }) => `${host} ${name}: ${value}`),
  show: (value) => (Array.isArray(value) ? value.map(shownHostHeader).join(', ') : shownHostHeader(value)),
};

function hostHeaderEntries(value: unknown): readonly (readonly [string, unknown])[] {
  if (typeof value === 'string') return [splitHostHeader(value)];
  if (Array.isArray(value)) return value.map(splitHostHeader);
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  throw new InvalidValueError(WISH);
}

function splitHostHeader(line: unknown): readonly [string, string] {
  const [, host, rest] = typeof line === 'string' ? (/^\s*(\S+)\s+(.*)$/s.exec(line) ?? []) : [];
  if (host === undefined || rest === undefined) throw new InvalidValueError(WISH);
  return [host, rest];
}

/** The host as a URL has it, or `undefined` when the text is none. */
function hostIn(text: string): string | undefined {
  const [, name = '', port] = /^(\[[^\]]+\]|[^[\]:/\\?#@*%\s]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const hostname = hostnameOf(name);
  if (hostname === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) return undefined;
  return port === undefined ? hostname : `${hostname}:${Number(port)}`;
}

// The host alone, and only if it is one: in a line without a host, a secret stands in its place, as it may in one word.
function shownHostHeader(line: unknown): string {
  const [, first = ''] = typeof line === 'string' ? (/^\s*(\S+)\s+\S/.exec(line) ?? []) : [];
  const host = hostIn(first);
  return host === undefined ? 'the value' : `"${host} ***"`;
}

/** Headers of an answer: `Name: value`, or `Name:` for any value; one, or a JSON list of them. */
export const expectedHeaders: Parser<readonly ExpectedHeader[]> = {
  parse: (value) => Object.freeze((Array.isArray(value) ? value : [value]).map(expectedHeader)),
  print: (list) => list.map(({ name, value }) => `${name}: ${value}`),
};

function expectedHeader(line: unknown): ExpectedHeader {
  const colon = typeof line === 'string' ? line.indexOf(':') : -1;
  const name = typeof line === 'string' ? line.slice(0, Math.max(0, colon)).trim() : '';
  if (typeof line !== 'string' || !isToken(name)) {
    throw new InvalidValueError('it must look like "Name: value", or "Name:" for any value');
  }
  return Object.freeze({ name: name.toLowerCase(), value: line.slice(colon + 1).trim() });
}

/** `NAME:PASSWORD`, where both may be empty and the password may hold colons. Never shown in an error message. */
export const credentials: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || !value.includes(':')) {
      throw new InvalidValueError('it must look like NAME:PASSWORD; with an empty password, NAME:');
    }
    // RFC 7617, section 2. The commonest is the line break at the end of a file.
    if (/[\u0000-\u001f\u007f]/.test(value))
      throw new InvalidValueError('it must be without control characters');
    return value;
  },
  print: (value) => value,
  show: () => 'the value',
};
