import { isIP, isIPv6 } from 'node:net';
import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';
import { hostnameOf } from './hostname-of.ts';
import { linesOf, showLines } from './lines-of.ts';

/** The addresses to connect to for a host and a port. */
export interface AddressOverride {
  /** As a URL has it, without brackets and without a dot at its end; `*` is any host. */
  readonly host: string;
  readonly port: number;
  /** At least one. */
  readonly addresses: readonly string[];
}

const WISH = 'it must look like HOST:PORT:ADDRESS, as in example.com:443:127.0.0.1 or *:80:[::1]';
const PARTS = /^(\*|\[[^[\]]+\]|[^\s:/?#@[\]\\]+):(\d{1,5}):(.+)$/;

/** `HOST:PORT:ADDRESS[,ADDRESS]...` as curl takes it: one line, or a list of lines. */
export const addressOverrides: Parser<readonly AddressOverride[]> = {
  parse: (value) => Object.freeze(linesOf(value, WISH).map(parseLine)),
  show: showLines,
  print: (list) =>
    list.map(
      ({ host, port, addresses }) => `${bracketed(host)}:${port}:${addresses.map(bracketed).join(',')}`,
    ),
};

function parseLine(line: string): AddressOverride {
  const [, name = '', digits = '', list = ''] = PARTS.exec(line) ?? [];
  const port = Number(digits);
  if (name === '') throw new BadValue(WISH);
  if (port < 1 || port > 65_535) throw new BadValue('its port must be from 1 to 65535');
  return Object.freeze({
    host: hostOf(name),
    port,
    addresses: Object.freeze(list.split(',').map(addressOf)),
  });
}

/** The host in the form that a URL gives it. */
function hostOf(name: string): string {
  if (name === '*') return name;
  const hostname = hostnameOf(name);
  if (hostname === undefined) throw new BadValue(WISH);
  return hostname.replace(/^\[|\]$|\.$/g, '');
}

function addressOf(text: string): string {
  const trimmed = text.trim();
  const address = /^\[(.*)\]$/.exec(trimmed)?.[1] ?? trimmed;
  if (isIP(address) === 0 || (address !== trimmed && !isIPv6(address))) {
    throw new BadValue(
      'what stands behind its port must be IPv4 or IPv6 addresses, with commas between them',
    );
  }
  return address;
}

function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
