import { isIP, isIPv4, isIPv6 } from 'node:net';
import { printable } from '../../model/printable.ts';
import { type ProxyServer, proxyAuthority } from '../../model/proxy-server.ts';
import { InvalidValueError, type Parser } from '../option.ts';

/** The host of `HOST` or `HOST:PORT` as a URL has it, with brackets around an IPv6 address; `undefined` when it is none. */
export function hostnameOf(authority: string): string | undefined {
  try {
    // Not `URL.canParse`, which on Node 20 is wrong about all but ASCII once it has been optimised.
    return new URL(`http://${authority}/`).hostname;
  } catch {
    return undefined;
  }
}

/** The values of a repeatable option: one text, or a list of them. Throws `InvalidValueError` with the wish. */
function linesOf(value: unknown, wish: string): readonly string[] {
  const lines: readonly unknown[] = Array.isArray(value) ? value : [value];
  return lines.map((line) => {
    if (typeof line !== 'string') throw new InvalidValueError(wish);
    return line.trim();
  });
}

/** What a message shows of such a value. */
function showLines(value: unknown): string {
  const lines: readonly unknown[] = Array.isArray(value) ? value : [value];
  return lines
    .map((line) => (typeof line === 'string' ? `"${printable(line, 200)}"` : 'a value that is no text'))
    .join(', ');
}

/** The addresses to connect to for a host and a port. */
export interface AddressOverride {
  /** As a URL has it, without brackets and without a dot at its end; `*` is any host. */
  readonly host: string;
  readonly port: number;
  /** At least one. */
  readonly addresses: readonly string[];
}

const OVERRIDE_WISH = 'it must look like HOST:PORT:ADDRESS, as in example.com:443:127.0.0.1 or *:80:[::1]';
const PARTS = /^(\*|\[[^[\]]+\]|[^\s:/?#@[\]\\]+):(\d{1,5}):(.+)$/;

/** `HOST:PORT:ADDRESS[,ADDRESS]...` as curl takes it: one line, or a list of lines. */
export const addressOverrides: Parser<readonly AddressOverride[]> = {
  parse: (value) => Object.freeze(linesOf(value, OVERRIDE_WISH).map(parseLine)),
  show: showLines,
  print: (list) =>
    list.map(
      ({ host, port, addresses }) => `${bracketed(host)}:${port}:${addresses.map(bracketed).join(',')}`,
    ),
};

function parseLine(line: string): AddressOverride {
  const [, name = '', digits = '', list = ''] = PARTS.exec(line) ?? [];
  const port = Number(digits);
  if (name === '') throw new InvalidValueError(OVERRIDE_WISH);
  if (port < 1 || port > 65_535) throw new InvalidValueError('its port must be from 1 to 65535');
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
  if (hostname === undefined) throw new InvalidValueError(OVERRIDE_WISH);
  return hostname.replace(/^\[|\]$|\.$/g, '');
}

function addressOf(text: string): string {
  const trimmed = text.trim();
  const address = /^\[(.*)\]$/.exec(trimmed)?.[1] ?? trimmed;
  if (isIP(address) === 0 || (address !== trimmed && !isIPv6(address))) {
    throw new InvalidValueError(
      'what stands behind its port must be IPv4 or IPv6 addresses, with commas between them',
    );
  }
  return address;
}

function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

const NAME_SERVER_WISH =
  'it must be an IPv4 or IPv6 address, with a port if it is not 53, as in 127.0.0.1:5353 or [::1]:5353';

/** Name servers, `ADDRESS` or `ADDRESS:PORT`, in the form that Node takes: one, or a list. */
export const nameServers: Parser<readonly string[]> = {
  parse: (value) => Object.freeze(linesOf(value, NAME_SERVER_WISH).map(parseOne)),
  show: showLines,
  print: (list) => list,
};

function parseOne(text: string): string {
  // Node drops the zone of an address.
  if (isIPv6(text) && !text.includes('%')) return `[${text}]`;
  const [, address = '', digits] = /^(\[[^\]%]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (!isIPv4(address) && !isIPv6(/^\[(.*)\]$/.exec(address)?.[1] ?? ''))
    throw new InvalidValueError(NAME_SERVER_WISH);
  if (digits === undefined) return address;
  const port = Number(digits);
  // Port 0 ends the whole process in Node 20.
  if (port < 1 || port > 65_535) throw new InvalidValueError('its port must be from 1 to 65535');
  return `${address}:${port}`;
}

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
}

const LISTEN_WISH =
  'it must be a port, for this machine alone, or an address of this machine with a port: 9464, 127.0.0.1:9464, [::1]:9464, 0.0.0.0:9464';
const LOOPBACK = '127.0.0.1';

/** `PORT`, `:PORT` and `localhost:PORT` are on the loopback; others are open only to those who name an address. */
export const listenAddress: Parser<ListenAddress> = {
  parse(value) {
    const text = typeof value === 'number' ? String(value) : value;
    const [, bracketed, plain, digits = ''] =
      (typeof text === 'string' && /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d{1,5})$/.exec(text)) || [];
    const port = Number(digits);
    if (digits === '') throw new InvalidValueError(LISTEN_WISH);
    if (port > 65_535) throw new InvalidValueError('its port must be from 0 to 65535, 0 for any free one');
    return Object.freeze({ host: bracketed === undefined ? v4(plain ?? '') : v6(bracketed), port });
  },
  print: addressText,
};

function addressText({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function v4(text: string): string {
  if (text === '' || text.toLowerCase() === 'localhost') return LOOPBACK;
  if (!isIPv4(text)) throw new InvalidValueError(LISTEN_WISH);
  return text;
}

function v6(text: string): string {
  if (!isIPv6(text)) throw new InvalidValueError(LISTEN_WISH);
  return text;
}

// Scheme, credentials, host, port. WHATWG's parser is asked for the host alone: it ends a password at a `#` or `/`, and
// does not tell `:80` from no port.
const PROXY_URL =
  /^(?:([a-z][a-z\d+.-]*):\/\/)?(?:(.*)@)?(\[[\da-f:.]+\]|[^\s:/?#@\\[\]]+)(?::(\d{0,5}))?\/?$/is;
const PROXY_WISH = 'it must look like http://[user:password@]host[:port]';

/**
 * The URL of a proxy, as curl reads it: without a scheme it is an `http://` one, without a port it is 1080, and 443 for
 * `https://`; user name and password are percent-decoded. Empty text gives `null`, no proxy at all. A refused value is
 * not shown, since it may hold a password at any place.
 */
export const proxy: Parser<ProxyServer | null> = {
  parse: (value) => (value === '' ? null : parseProxy(value)),
  print: (value) => (value === null ? '' : proxyUrl(value, proxyUserinfo(value))),
  show: () => 'the value',
};

/** The URL of a proxy with `***` for its credentials. */
export function maskProxy(value: ProxyServer | null): string {
  return value === null ? '' : proxyUrl(value, value.credentials === undefined ? '' : '***@');
}

function parseProxy(value: unknown): ProxyServer {
  const [, scheme = 'http', userinfo, host = '', port] =
    (typeof value === 'string' && PROXY_URL.exec(value.trim())) || [];
  const hostname = hostnameOf(host);
  if (/^socks/i.test(scheme))
    throw new InvalidValueError('it must be an http:// or https:// proxy; SOCKS is not known');
  if (!/^https?$/i.test(scheme) || hostname === undefined) throw new InvalidValueError(PROXY_WISH);
  const isSecure = scheme.length === 5;
  const number = Number(port || (isSecure ? 443 : 1080));
  if (number < 1 || number > 65_535) throw new InvalidValueError('its port must be from 1 to 65535');
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
    throw new InvalidValueError('a % in its user name or password must be written as %25');
  }
}

function proxyUserinfo({ credentials }: ProxyServer): string {
  if (credentials === undefined) return '';
  return `${encodeURIComponent(credentials.user)}:${encodeURIComponent(credentials.password)}@`;
}

function proxyUrl(server: ProxyServer, userinfo: string): string {
  return `${server.isSecure ? 'https' : 'http'}://${userinfo}${proxyAuthority(server)}`;
}

/** Where a broker is, and who asks. */
export interface BrokerUrl {
  /** `host:port`, one for each server of a cluster. */
  readonly servers: readonly string[];
  readonly isSecure: boolean;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

const BROKER_WISH = 'it must look like nats://[user:password@]host[:port][,host...], or tls://...';
const BROKER_URL = /^(nats|tls):\/\/(?:([^@]*)@)?([^@/?#]+)\/?$/i;
const DEFAULT_PORT = 4222;

/** The URL of a NATS server, or of several of one cluster. A refused value is not shown: it may hold a password. */
export const brokerUrl: Parser<BrokerUrl> = {
  parse(value) {
    const [, scheme = '', userinfo, hosts = ''] =
      (typeof value === 'string' && BROKER_URL.exec(value.trim())) || [];
    if (scheme === '') throw new InvalidValueError(BROKER_WISH);
    return Object.freeze({
      servers: hosts.split(',').map(serverOf),
      isSecure: scheme.toLowerCase() === 'tls',
      ...credentialsOf(userinfo),
    });
  },
  print: (value) => brokerUrlOf(value, brokerUserinfo(value)),
  show: () => 'the value',
};

/** The URL with `***` for its credentials. */
export function maskBroker(value: BrokerUrl): string {
  return brokerUrlOf(value, brokerUserinfo(value) === '' ? '' : '***@');
}

function serverOf(host: string): string {
  // Parsed as another scheme, since WHATWG leaves hosts of unknown ones as they are.
  const hostname = hostnameOf(host);
  if (hostname === undefined) throw new InvalidValueError(BROKER_WISH);
  const port = /:(\d+)$/.exec(host)?.[1];
  return `${hostname}:${port ?? DEFAULT_PORT}`;
}

function credentialsOf(userinfo: string | undefined): Pick<BrokerUrl, 'user' | 'password' | 'token'> {
  if (!userinfo) return {};
  const [user = '', password] = [userinfo.split(':', 1)[0], userinfo.split(':').slice(1).join(':')];
  try {
    if (!userinfo.includes(':')) return { token: decodeURIComponent(user) };
    return { user: decodeURIComponent(user), password: decodeURIComponent(password) };
  } catch {
    throw new InvalidValueError('a % in its user name or password must be written as %25');
  }
}

function brokerUserinfo({ user, password, token }: BrokerUrl): string {
  if (token !== undefined) return `${encodeURIComponent(token)}@`;
  return user === undefined ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password ?? '')}@`;
}

function brokerUrlOf({ servers, isSecure }: BrokerUrl, userinfo: string): string {
  return `${isSecure ? 'tls' : 'nats'}://${userinfo}${servers.join(',')}`;
}
