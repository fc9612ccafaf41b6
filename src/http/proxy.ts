import { BlockList, isIP } from 'node:net';
import { printable } from '../model/printable.ts';
import {
  hostOf,
  originOf,
  type ProxyServer,
  type ProxySettings,
  pathOf,
  proxyAuthority,
} from '../model/url.ts';
import { type ConnectTarget, toConnectTarget, toPort } from './http1-client.ts';
import { ConnectError, type NetworkFailure, PROXY_AUTHENTICATION_CODE } from './network-errors.ts';

/** A proxy with what requests to it need. */
export interface ProxyRoute {
  readonly server: ProxyServer;
  /** Host and port, for messages. */
  readonly name: string;
  /** Scheme, host and port of the connections to it. */
  readonly origin: string;
  /** Value of the Proxy-Authorization header: a secret that only this proxy gets. */
  readonly authorization: string | undefined;
  /** User-Agent of CONNECT requests. */
  readonly userAgent: string | undefined;
}

/** Selects the proxy of each request, if any. */
export class ProxyRoutes {
  readonly #http: ProxyRoute | undefined;
  readonly #https: ProxyRoute | undefined;
  readonly #isBypassed: HostMatcher;
  readonly #isDirected: (target: ConnectTarget) => boolean;

  /** @param isDirected whether a target is connected to at another host or port */
  constructor(
    { http, https, bypass }: ProxySettings,
    userAgent?: string,
    isDirected: (target: ConnectTarget) => boolean = () => false,
  ) {
    this.#isDirected = isDirected;
    this.#http = http && toRoute(http, userAgent);
    this.#https = https && toRoute(https, userAgent);
    this.#isBypassed = parseBypass(bypass);
  }

  /** The proxy that a request for this http URL is sent to. For https see `tunnelProxyFor`. */
  forwardProxyFor(url: string): ProxyRoute | undefined {
    if (this.#http === undefined || !url.startsWith('http:')) return undefined;
    const target = toConnectTarget(originOf(url));
    return this.#tunnels(this.#http, target) || this.#isBypassedTarget(target) ? undefined : this.#http;
  }

  /** The proxy that tunnels to this target: for https any proxy, for http one that cannot forward the request. */
  tunnelProxyFor(target: ConnectTarget): ProxyRoute | undefined {
    const proxy = target.protocol === 'https:' ? this.#https : this.#http;
    if (proxy === undefined || !this.#tunnels(proxy, target) || this.proxyAt(target)) return undefined;
    return this.#isBypassedTarget(target) ? undefined : proxy;
  }

  /** The proxy for http, if this target is its address: requests to forward are sent to it as to an origin. */
  proxyAt(target: ConnectTarget): ProxyRoute | undefined {
    const server = this.#http?.server;
    const isProxy =
      server?.socks === undefined &&
      server?.hostname === target.hostname &&
      server.port === toPort(target) &&
      server.isSecure === (target.protocol === 'https:');
    return isProxy ? this.#http : undefined;
  }

  #isBypassedTarget(target: ConnectTarget): boolean {
    return this.#isBypassed(target.hostname, toPort(target));
  }

  /** An HTTP proxy would take the host from the URL, whatever `--connect-to` says. */
  #tunnels({ server }: ProxyRoute, target: ConnectTarget): boolean {
    return target.protocol === 'https:' || server.socks !== undefined || this.#isDirected(target);
  }
}

function toRoute(server: ProxyServer, userAgent: string | undefined): ProxyRoute {
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

/** Whether a host and port match. An IPv6 address has no brackets. */
type HostMatcher = (hostname: string, port: number) => boolean;

const ITEM_WITH_PORT = /^(\[.*\]|[^:]*):(\d+)$/;

/**
 * Parses a `NO_PROXY` list as curl does, and ports as well: items separated by commas or white space, `*` for every host.
 * - A name matches itself and every name below it, with or without a leading dot.
 * - An address, with or without brackets, or a network such as `10.0.0.0/8` matches literal addresses in URLs.
 * - An item with a port matches only that port. Any other item matches nothing.
 */
export function parseBypass(list: string): HostMatcher {
  const items = list.split(/[\s,]+/).filter((item) => item !== '');
  if (items.includes('*')) return () => true;
  const matchers = items.map(parseItem);
  return (host, port) => {
    const hostname = host.endsWith('.') ? host.slice(0, -1) : host;
    return matchers.some((matches) => matches(hostname, port));
  };
}

function parseItem(item: string): HostMatcher {
  const [, host = item, digits] = ITEM_WITH_PORT.exec(item) ?? [];
  const pattern = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  const matches = networkMatcher(pattern) ?? nameMatcher(pattern);
  return digits === undefined ? matches : (hostname, port) => port === Number(digits) && matches(hostname);
}

function networkMatcher(pattern: string): ((hostname: string) => boolean) | undefined {
  const [address = '', bits] = pattern.split('/', 2);
  const version = isIP(address);
  if (version === 0) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const maxPrefix = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? maxPrefix : Number(bits);
  if (!/^\d+$/.test(bits ?? '0') || prefix > maxPrefix) return () => false;
  const network = new BlockList();
  network.addSubnet(address, prefix, family);
  // A BlockList also matches an IPv4 address as an IPv4-mapped IPv6 address.
  return (hostname) => isIP(hostname) === version && network.check(hostname, family);
}

function nameMatcher(pattern: string): (hostname: string) => boolean {
  const name = pattern.replace(/^\*?\./, '').replace(/\.$/, '');
  const suffix = `.${name}`;
  return (hostname) =>
    isIP(hostname) === 0 && name !== '' && (hostname === name || hostname.endsWith(suffix));
}

/** The request target for a proxy, in absolute form: the URL without its fragment (RFC 9112, 3.2.2). */
export function absoluteForm(url: string): string {
  return originOf(url) + pathOf(url);
}

/** The headers of a request that is sent to a proxy instead of the host of its URL. */
export function forwardedHeaders(
  headers: Readonly<Record<string, string>>,
  url: string,
  { authorization }: ProxyRoute,
): Readonly<Record<string, string>> {
  const credentials = authorization === undefined ? {} : { 'proxy-authorization': authorization };
  return { host: hostOf(url), ...headers, ...credentials };
}

/** The error of a proxy that refused a request or a tunnel with this status. */
export function proxyRefusedError(
  { name }: ProxyRoute,
  what: 'request' | 'tunnel',
  status: number,
  reason: string,
): ConnectError {
  const code = status === 407 ? PROXY_AUTHENTICATION_CODE : 'ERR_PROXY_REFUSED';
  const words = printable(`${status} ${reason}`.trimEnd(), 200);
  return new ConnectError('connect', code, `the proxy ${name} refused the ${what}: ${words}`);
}

/** The error of a proxy whose response to CONNECT is missing or not HTTP; `what` says what it did. */
export function proxyProtocolError({ name }: ProxyRoute, what: string): ConnectError {
  return new ConnectError('connect', 'ERR_PROXY_RESPONSE', `the proxy ${name} ${what}`);
}

/** The error of a proxy that cannot be connected to. Its kind is never `dns`, which would be about the host of the URL. */
export function proxyUnreachableError({ name }: ProxyRoute, error: Error): Error {
  if (!(error instanceof ConnectError)) return error;
  const kind = error.kind === 'dns' ? 'connect' : error.kind;
  return new ConnectError(kind, error.code, `the proxy ${name} cannot be reached: ${error.message}`);
}

/** Adds the proxy to the message of a failure behind it. */
export function withProxyName(message: string, { name }: ProxyRoute): string {
  return `${message} (through the proxy ${name})`;
}

/** Adds the proxy to the failure of a forwarded request, if the proxy may be at fault and is not named yet. */
export function failureWithProxyName(
  { failure, ...rest }: NetworkFailure,
  error: Error,
  proxy: ProxyRoute,
): NetworkFailure {
  const { kind, message } = failure;
  const isUnnamed = !(error instanceof ConnectError) && (kind === 'reset' || kind === 'timeout');
  return {
    failure: isUnnamed ? { ...failure, message: withProxyName(message, proxy) } : failure,
    ...rest,
  };
}
