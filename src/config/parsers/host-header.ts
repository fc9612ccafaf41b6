import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';
import { type Header, headers } from './header.ts';
import { hostnameOf } from './hostname-of.ts';

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
      entriesOf(value).flatMap(([text, given]) => {
        const host = hostIn(text);
        if (host === undefined) {
          throw new BadValue('HOST must be a host such as example.com, [::1] or example.com:8443');
        }
        return headers.parse(given).map((header) => Object.freeze({ host, ...header }));
      }),
    ),
  print: (list) => list.map(({ host, name, value }) => `${host} ${name}: ${value}`),
  show: (value) => (Array.isArray(value) ? value.map(shown).join(', ') : shown(value)),
};

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  if (typeof value === 'string') return [split(value)];
  if (Array.isArray(value)) return value.map(split);
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  throw new BadValue(WISH);
}

function split(line: unknown): readonly [string, string] {
  const [, host, rest] = typeof line === 'string' ? (/^\s*(\S+)\s+(.*)$/s.exec(line) ?? []) : [];
  if (host === undefined || rest === undefined) throw new BadValue(WISH);
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
function shown(line: unknown): string {
  const [, first = ''] = typeof line === 'string' ? (/^\s*(\S+)\s+\S/.exec(line) ?? []) : [];
  const host = hostIn(first);
  return host === undefined ? 'the value' : `"${host} ***"`;
}
