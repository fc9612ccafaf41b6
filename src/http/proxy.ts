import { BlockList, isIP } from 'node:net';
import { printable } from '../model/printable.ts';
import { type ProxyServer, type ProxySettings, proxyAuthority } from '../model/proxy-server.ts';
import { hostOf, originOf, pathOf } from '../model/url.ts';
import { type ConnectTarget, portOf } from './connect-target.ts';
import { ConnectError, type NetworkFailure, PROXY_AUTHENTICATION } from './network-errors.ts';

/** Whether a host is asked without a proxy. Takes an IPv6 address without brackets. */
type Bypass = (hostname: string, port: number) => boolean;

const PORT = /^(\[.*\]|[^:]*):(\d+)$/;

/**
 * Reads a `NO_PROXY` list as curl does, and takes ports too: items between commas or white space, `*` for every host.
 * - A name stands for itself and for every name below it, with or without a dot in front.
 * - An address, in brackets or not, and a network such as `10.0.0.0/8` stand for literal addresses in URLs.
 * - An item with a port stands for that port alone. What is none of these stands for nothing.
 */
export function parseBypass(list: string): Bypass {
  const items = list.split(/[\s,]+/).filter((item) => item !== '');
  if (items.includes('*')) return () => true;
  const matchers = items.map(parseItem);
  return (host, port) => {
    const hostname = host.endsWith('.') ? host.slice(0, -1) : host;
    return matchers.some((matches) => matches(hostname, port));
  };
}

function parseItem(item: string): Bypass {
  const [, head = item, digits] = PORT.exec(item) ?? [];
  const bare = head.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  const matches = networkMatcher(bare) ?? nameMatcher(bare);
  return digits === undefined ? matches : (host, port) => port === Number(digits) && matches(host);
}

function networkMatcher(item: string): ((host: string) => boolean) | undefined {
  const [address = '', bits] = item.split('/', 2);
  const version = isIP(address);
  if (version === 0) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const widest = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? widest : Number(bits);
  if (!/^\d+$/.test(bits ?? '0') || prefix > widest) return () => false;
  const network = new BlockList();
  network.addSubnet(address, prefix, family);
  // A BlockList takes an IPv4 address for an IPv4-mapped one, too.
  return (host) => isIP(host) === version && network.check(host, family);
}

function nameMatcher(item: string): (host: string) => boolean {
  const name = item.replace(/^\*?\./, '').replace(/\.$/, '');
  const below = `.${name}`;
  return (host) => isIP(host) === 0 && name !== '' && (host === name || host.endsWith(below));
}

/** A proxy as requests need it. */
export interface ProxyRoute {
  readonly server: ProxyServer;
  /** What messages call it. */
  readonly name: string;
  /** Scheme, host and port of the connections to it. */
  readonly origin: string;
  /** Value of the Proxy-Authorization header: a secret that is sent to this proxy alone. */
  readonly authorization: string | undefined;
  /** What CONNECT says of the client. */
  readonly userAgent: string | undefined;
}

/** Which way each request takes: straight to its origin, or through a proxy. */
export class ProxyRoutes {
  readonly #http: ProxyRoute | undefined;
  readonly #https: ProxyRoute | undefined;
  readonly #isBypassed: Bypass;

  constructor({ http, https, bypass }: ProxySettings, userAgent?: string) {
    this.#http = http && proxyOf(http, userAgent);
    this.#https = https && proxyOf(https, userAgent);
    this.#isBypassed = parseBypass(bypass);
  }

  /** The proxy that a request for this URL is sent to, in place of its origin; https goes through a tunnel instead. */
  forward(url: string): ProxyRoute | undefined {
    if (this.#http === undefined || !url.startsWith('http:')) return undefined;
    const { hostname, port } = new URL(url);
    return this.#isBypassed(withoutBrackets(hostname), Number(port) || 80) ? undefined : this.#http;
  }

  /** The proxy that is asked for a tunnel to this target. */
  tunnel(target: ConnectTarget): ProxyRoute | undefined {
    if (this.#https === undefined || target.protocol !== 'https:' || this.itself(target)) return undefined;
    return this.#isBypassed(target.hostname, portOf(target)) ? undefined : this.#https;
  }

  /** The proxy that this target is: requests are sent to it as to an origin. */
  itself(target: ConnectTarget): ProxyRoute | undefined {
    const server = this.#http?.server;
    const isIt =
      server?.hostname === target.hostname &&
      server.port === portOf(target) &&
      server.isSecure === (target.protocol === 'https:');
    return isIt ? this.#http : undefined;
  }
}

function proxyOf(server: ProxyServer, userAgent: string | undefined): ProxyRoute {
  const { credentials, isSecure } = server;
  const name = proxyAuthority(server);
  const pair = credentials && Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64');
  return {
    server,
    name,
    origin: `${isSecure ? 'https' : 'http'}://${name}`,
    authorization: pair === undefined ? undefined : `Basic ${pair}`,
    userAgent,
  };
}

function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** The proxy answered, and does not do what it is asked for. */
export function refusedByProxy(
  { name }: ProxyRoute,
  wish: 'request' | 'tunnel',
  status: number,
  reason: string,
): ConnectError {
  const code = status === 407 ? PROXY_AUTHENTICATION : 'ERR_PROXY_REFUSED';
  const words = printable(`${status} ${reason}`.trimEnd(), 200);
  return new ConnectError('connect', code, `the proxy ${name} refused the ${wish}: ${words}`);
}

/** The proxy did not answer CONNECT as HTTP says. */
export function brokenProxy({ name }: ProxyRoute, what: string): ConnectError {
  return new ConnectError('connect', 'ERR_PROXY_ANSWER', `the proxy ${name} ${what}`);
}

/** The failure to connect to the proxy itself. That its name is unknown says nothing of the host of the URL. */
export function unreachableProxy({ name }: ProxyRoute, error: Error): Error {
  if (!(error instanceof ConnectError)) return error;
  const kind = error.kind === 'dns' ? 'connect' : error.kind;
  return new ConnectError(kind, error.code, `the proxy ${name} cannot be reached: ${error.message}`);
}

/** Adds the proxy to what went wrong behind it, or with it. */
export function throughProxy(message: string, { name }: ProxyRoute): string {
  return `${message} (through the proxy ${name})`;
}

/** The request target for a proxy: the URL without its fragment (RFC 9112, 3.2.2). */
export function absoluteTarget(url: string): string {
  return originOf(url) + pathOf(url);
}

/** The headers of a request that is sent to a proxy in place of the host of its URL. */
export function forwardedHeaders(
  headers: Readonly<Record<string, string>>,
  url: string,
  { authorization }: ProxyRoute,
): Readonly<Record<string, string>> {
  const credentials = authorization === undefined ? {} : { 'proxy-authorization': authorization };
  return { host: hostOf(url), ...headers, ...credentials };
}

/** The failure of a request that was sent to a proxy: it names the proxy, which may be the one to blame. */
export function forwardedFailure(
  { failure, ...rest }: NetworkFailure,
  error: Error,
  proxy: ProxyRoute,
): NetworkFailure {
  const { kind, message } = failure;
  const isUnnamed = !(error instanceof ConnectError) && (kind === 'reset' || kind === 'timeout');
  return {
    failure: isUnnamed ? { ...failure, message: throughProxy(message, proxy) } : failure,
    ...rest,
  };
}
