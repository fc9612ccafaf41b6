/** A proxy, from its URL. */
export interface ProxyServer {
  /** Whether the connection to the proxy itself uses TLS. */
  readonly isSecure: boolean;
  /** A name or an IP address, without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** Secret: only sent to this proxy, and never printed. */
  readonly credentials?: { readonly user: string; readonly password: string };
}

/** The proxy for the URLs of each scheme. */
export interface ProxySettings {
  readonly http: ProxyServer | undefined;
  readonly https: ProxyServer | undefined;
  /** Hosts that are reached without a proxy, in the syntax of `NO_PROXY`. */
  readonly bypass: string;
}

/** Host and port of a proxy, with brackets around an IPv6 address. */
export function proxyAuthority({ hostname, port }: ProxyServer): string {
  return `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
}
