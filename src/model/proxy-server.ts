/** A proxy, as its URL says. */
export interface ProxyServer {
  /** Whether TLS is spoken with the proxy itself. */
  readonly isSecure: boolean;
  /** A name or an address, without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** A secret: for this proxy alone, and for no message. */
  readonly credentials?: { readonly user: string; readonly password: string };
}

/** Which proxy the URLs of each scheme go through. */
export interface ProxySettings {
  readonly http: ProxyServer | undefined;
  readonly https: ProxyServer | undefined;
  /** The hosts that are asked without a proxy, as `NO_PROXY` lists them. */
  readonly bypass: string;
}

/** What messages call a proxy: host and port, with brackets around an IPv6 address. */
export function proxyAuthority({ hostname, port }: ProxyServer): string {
  return `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
}
