import { isIPv4, isIPv6 } from 'node:net';
import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';
import { linesOf, showLines } from './lines-of.ts';

const WISH =
  'it must be an IPv4 or IPv6 address, with a port if it is not 53, as in 127.0.0.1:5353 or [::1]:5353';

/** Name servers, `ADDRESS` or `ADDRESS:PORT`, in the form that Node takes: one, or a list. */
export const nameServers: Parser<readonly string[]> = {
  parse: (value) => Object.freeze(linesOf(value, WISH).map(parseOne)),
  show: showLines,
  print: (list) => list,
};

function parseOne(text: string): string {
  // Node drops the zone of an address.
  if (isIPv6(text) && !text.includes('%')) return `[${text}]`;
  const [, address = '', digits] = /^(\[[^\]%]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (!isIPv4(address) && !isIPv6(/^\[(.*)\]$/.exec(address)?.[1] ?? '')) throw new BadValue(WISH);
  if (digits === undefined) return address;
  const port = Number(digits);
  // Port 0 ends the whole process in Node 20.
  if (port < 1 || port > 65_535) throw new BadValue('its port must be from 1 to 65535');
  return `${address}:${port}`;
}
