import { type ProxyServer, type ProxySettings, proxyAuthority } from '../model/proxy.ts';
import { type DialTarget, portOf } from './dial-target.ts';
import { type Bypass, parseBypass } from './proxy-bypass.ts';

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
  tunnel(target: DialTarget): ProxyRoute | undefined {
    if (this.#https === undefined || target.protocol !== 'https:' || this.itself(target)) return undefined;
    return this.#isBypassed(target.hostname, portOf(target)) ? undefined : this.#https;
  }

  /** The proxy that this target is: requests are sent to it as to an origin. */
  itself(target: DialTarget): ProxyRoute | undefined {
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
