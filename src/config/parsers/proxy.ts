import { type ProxyServer, proxyAuthority } from '../../model/proxy.ts';
import { BadValue } from '../bad-value.ts';
import type { Parser } from '../parser.ts';
import { hostnameOf } from './hostname-of.ts';

// Scheme, credentials, host, port. WHATWG's parser is asked for the host alone: it ends a password at a `#` or `/`, and
// does not tell `:80` from no port.
const PROXY_URL =
  /^(?:([a-z][a-z\d+.-]*):\/\/)?(?:(.*)@)?(\[[\da-f:.]+\]|[^\s:/?#@\\[\]]+)(?::(\d{0,5}))?\/?$/is;
const WISH = 'it must look like http://[user:password@]host[:port]';

/**
 * The URL of a proxy, as curl reads it: without a scheme it is an `http://` one, without a port it is 1080, and 443 for
 * `https://`; user name and password are percent-decoded. Empty text gives `null`, no proxy at all. A refused value is
 * not shown, since it may hold a password at any place.
 */
export const proxy: Parser<ProxyServer | null> = {
  parse: (value) => (value === '' ? null : parseProxy(value)),
  print: (value) => (value === null ? '' : urlOf(value, userinfoOf(value))),
  show: () => 'the value',
};

/** The URL of a proxy with `***` for its credentials. */
export function maskProxy(value: ProxyServer | null): string {
  return value === null ? '' : urlOf(value, value.credentials === undefined ? '' : '***@');
}

function parseProxy(value: unknown): ProxyServer {
  const [, scheme = 'http', userinfo, host = '', port] =
    (typeof value === 'string' && PROXY_URL.exec(value.trim())) || [];
  const hostname = hostnameOf(host);
  if (/^socks/i.test(scheme))
    throw new BadValue('it must be an http:// or https:// proxy; SOCKS is not known');
  if (!/^https?$/i.test(scheme) || hostname === undefined) throw new BadValue(WISH);
  const isSecure = scheme.length === 5;
  const number = Number(port || (isSecure ? 443 : 1080));
  if (number < 1 || number > 65_535) throw new BadValue('its port must be from 1 to 65535');
  return Object.freeze({
    isSecure,
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: number,
    ...(userinfo ? { credentials: parseUserinfo(userinfo) } : {}),
  });
}

function parseUserinfo(text: string): NonNullable<ProxyServer['credentials']> {
  const [, user = '', password = ''] = /^([^:]*):?(.*)$/s.exec(text) ?? [];
  try {
    return Object.freeze({ user: decodeURIComponent(user), password: decodeURIComponent(password) });
  } catch {
    throw new BadValue('a % in its user name or password must be written as %25');
  }
}

function userinfoOf({ credentials }: ProxyServer): string {
  if (credentials === undefined) return '';
  return `${encodeURIComponent(credentials.user)}:${encodeURIComponent(credentials.password)}@`;
}

function urlOf(server: ProxyServer, userinfo: string): string {
  return `${server.isSecure ? 'https' : 'http'}://${userinfo}${proxyAuthority(server)}`;
}
