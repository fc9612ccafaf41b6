import { type ProxyServer, proxyAuthority, type Socks } from '../../model/url.ts';
import { InvalidValueError, type Parser } from '../option.ts';
import { parsePort, toHostname } from './addresses.ts';
import { splitAt } from './texts.ts';

const PROXY_REQUIREMENT =
  'must look like http://[user:password@]host[:port], or start with https://, socks5:// or socks5h://';
/** As in curl, `socks://` is SOCKS 4. */
const SOCKS_SCHEMES: Readonly<Record<string, Socks>> = {
  socks5h: { version: 5, resolvesNames: true },
  socks5: { version: 5, resolvesNames: false },
  socks4a: { version: 4, resolvesNames: true },
  socks4: { version: 4, resolvesNames: false },
  socks: { version: 4, resolvesNames: false },
};
/** What a length of one byte in SOCKS 5 can say (RFC 1929). */
const MAX_SOCKS_TEXT = 255;
// Scheme, credentials, host, port. The URL parser reads only the host: it would end a password at a `#` or `/`, and
// cannot tell `:80` from a missing port.
const PROXY_URL =
  /^(?:([a-z][a-z\d+.-]*):\/\/)?(?:(.*)@)?(\[[\da-f:.]+\]|[^\s:/?#@\\[\]]+)(?::(\d{0,5}))?\/?$/is;
const DEFAULT_PROXY_PORT = 1080;
const DEFAULT_HTTPS_PROXY_PORT = 443;

const BROKER_REQUIREMENT = 'must look like nats://[user:password@]host[:port][,host...], or tls://...';
// Scheme, credentials, hosts.
const BROKER_URL = /^(nats|tls):\/\/(?:([^@]*)@)?([^@/?#]+)\/?$/i;
const DEFAULT_BROKER_PORT = 4222;

/** The URL of a page or a directory on the web, without its fragment. */
export const webUrl: Parser<string> = {
  parse(value) {
    const url = typeof value === 'string' && URL.canParse(value.trim()) ? new URL(value.trim()) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
      throw new InvalidValueError('must start with http:// or https://, and have no user name or password');
    }
    url.hash = '';
    return url.href;
  },
  print: (value) => value,
  show: () => '',
};

const MASKED_USERINFO = '***@';

/**
 * The URL of a proxy, as curl reads it: the default scheme is `http://`, the default port 1080, or 443 for `https://`. With
 * `socks5://` and `socks4://` names are looked up here, with `socks5h://` and `socks4a://` by the proxy. User name and password are
 * percent-decoded. Empty text gives `null`, which disables proxies. Error messages do not show a rejected value: any part of it
 * may be a password.
 */
export const proxy: Parser<ProxyServer | null> = {
  parse: (value) => (value === '' ? null : parseProxy(value)),
  print: (value) => (value === null ? '' : formatProxy(value, proxyUserinfo(value))),
  show: () => '',
};

/** The URL of a proxy with `***` for its credentials. */
export function maskProxy(value: ProxyServer | null): string {
  return value === null ? '' : formatProxy(value, value.credentials === undefined ? '' : MASKED_USERINFO);
}

function parseProxy(value: unknown): ProxyServer {
  const [, written = 'http', userinfo, host = '', digits] =
    (typeof value === 'string' && PROXY_URL.exec(value.trim())) || [];
  const scheme = written.toLowerCase();
  const hostname = toHostname(host);
  const socks = Object.hasOwn(SOCKS_SCHEMES, scheme) ? SOCKS_SCHEMES[scheme] : undefined;
  const isHttp = scheme === 'http' || scheme === 'https';
  if ((!isHttp && socks === undefined) || hostname === undefined)
    throw new InvalidValueError(PROXY_REQUIREMENT);
  const isSecure = scheme === 'https';
  const defaultPort = isSecure ? DEFAULT_HTTPS_PROXY_PORT : DEFAULT_PROXY_PORT;
  const port = digits ? parsePort(digits) : defaultPort;
  const server = { ...(socks && { socks }), isSecure, hostname: hostname.replace(/^\[|\]$/g, ''), port };
  if (!userinfo) return Object.freeze(server);
  const { user, password = '' } = decodeUserinfo(userinfo);
  if (socks !== undefined) checkSocksCredentials(socks, user, password);
  return Object.freeze({ ...server, credentials: Object.freeze({ user, password }) });
}

function checkSocksCredentials({ version }: Socks, user: string, password: string): void {
  const isTooLong = [user, password].some((text) => Buffer.byteLength(text) > MAX_SOCKS_TEXT);
  if (version === 5 && isTooLong) {
    throw new InvalidValueError(`must have a user name and a password of at most ${MAX_SOCKS_TEXT} bytes`);
  }
  if (version === 4 && (password !== '' || user.includes('\0'))) {
    throw new InvalidValueError('must have no password, since SOCKS 4 has only a user name (use socks5://)');
  }
}

function proxyUserinfo({ credentials }: ProxyServer): string {
  return credentials === undefined ? '' : encodeUserinfo(credentials.user, credentials.password);
}

function formatProxy(server: ProxyServer, userinfo: string): string {
  return `${schemeOf(server)}://${userinfo}${proxyAuthority(server)}`;
}

function schemeOf({ socks, isSecure }: ProxyServer): string {
  if (socks === undefined) return isSecure ? 'https' : 'http';
  if (socks.version === 5) return socks.resolvesNames ? 'socks5h' : 'socks5';
  return socks.resolvesNames ? 'socks4a' : 'socks4';
}

/** The servers of a broker, and how to log in. */
export interface BrokerUrl {
  /** `host:port`, one for each server of a cluster. */
  readonly servers: readonly string[];
  readonly isSecure: boolean;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

/**
 * The URL of a NATS server, or of several of one cluster; credentials without a colon are a token. Error messages do not
 * show a rejected value, which may contain a password.
 */
export const brokerUrl: Parser<BrokerUrl> = {
  parse(value) {
    const [, scheme, userinfo, hosts = ''] =
      (typeof value === 'string' && BROKER_URL.exec(value.trim())) || [];
    if (scheme === undefined) throw new InvalidValueError(BROKER_REQUIREMENT);
    return Object.freeze({
      servers: hosts.split(',').map(parseBrokerServer),
      isSecure: scheme.toLowerCase() === 'tls',
      ...parseBrokerCredentials(userinfo),
    });
  },
  print: (value) => formatBroker(value, brokerUserinfo(value)),
  show: () => '',
};

/** The URL of a broker with `***` for its credentials. */
export function maskBroker(value: BrokerUrl): string {
  return formatBroker(value, brokerUserinfo(value) === '' ? '' : MASKED_USERINFO);
}

function parseBrokerServer(text: string): string {
  const hostname = toHostname(text);
  if (hostname === undefined) throw new InvalidValueError(BROKER_REQUIREMENT);
  return `${hostname}:${/:(\d+)$/.exec(text)?.[1] ?? DEFAULT_BROKER_PORT}`;
}

function parseBrokerCredentials(
  userinfo: string | undefined,
): Pick<BrokerUrl, 'user' | 'password' | 'token'> {
  if (!userinfo) return {};
  const { user, password } = decodeUserinfo(userinfo);
  return password === undefined ? { token: user } : { user, password };
}

function brokerUserinfo({ user, password = '', token }: BrokerUrl): string {
  if (token !== undefined) return encodeUserinfo(token);
  return user === undefined ? '' : encodeUserinfo(user, password);
}

function formatBroker({ servers, isSecure }: BrokerUrl, userinfo: string): string {
  return `${isSecure ? 'tls' : 'nats'}://${userinfo}${servers.join(',')}`;
}

/** Reads `user:password`, percent-encoded; `password` is missing if there is no colon. */
function decodeUserinfo(userinfo: string): { readonly user: string; readonly password?: string } {
  const [user, password] = splitAt(userinfo, ':') ?? [userinfo];
  try {
    return {
      user: decodeURIComponent(user),
      ...(password === undefined ? {} : { password: decodeURIComponent(password) }),
    };
  } catch {
    throw new InvalidValueError('write a % in the user name or password as %25');
  }
}

function encodeUserinfo(user: string, password?: string): string {
  return `${encodePart(user)}${password === undefined ? '' : `:${encodePart(password)}`}@`;
}

/** As `encodeURIComponent`, with U+FFFD for a lone surrogate, which no UTF-8 text has. */
function encodePart(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}
