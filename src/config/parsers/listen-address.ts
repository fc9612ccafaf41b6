import { isIPv4, isIPv6 } from 'node:net';
import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
}

const WISH =
  'it must be a port, for this machine alone, or an address of this machine with a port: 9464, 127.0.0.1:9464, [::1]:9464, 0.0.0.0:9464';
const LOOPBACK = '127.0.0.1';

/** `PORT`, `:PORT` and `localhost:PORT` are on the loopback; others are open only to those who name an address. */
export const listenAddress: Parser<ListenAddress> = {
  parse(value) {
    const text = typeof value === 'number' ? String(value) : value;
    const [, bracketed, plain, digits = ''] =
      (typeof text === 'string' && /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d{1,5})$/.exec(text)) || [];
    const port = Number(digits);
    if (digits === '') throw new BadValue(WISH);
    if (port > 65_535) throw new BadValue('its port must be from 0 to 65535, 0 for any free one');
    return Object.freeze({ host: bracketed === undefined ? v4(plain ?? '') : v6(bracketed), port });
  },
  print: addressText,
};

export function addressText({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function v4(text: string): string {
  if (text === '' || text.toLowerCase() === 'localhost') return LOOPBACK;
  if (!isIPv4(text)) throw new BadValue(WISH);
  return text;
}

function v6(text: string): string {
  if (!isIPv6(text)) throw new BadValue(WISH);
  return text;
}
