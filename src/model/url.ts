// The functions that take a `url` take serialised WHATWG URLs without credentials, for which slicing is exact and ten times as fast as parsing.

/** Scheme, host and port: `https://example.com:8443`. */
export function originOf(url: string): string {
  const end = url.indexOf('/', 8);
  return end === -1 ? url : url.slice(0, end);
}

/** Host and port, without a default port: `example.com:8443`; empty for a file. */
export function hostOf(url: string): string {
  if (url.startsWith('file:')) return '';
  const start = url.indexOf('//') + 2;
  const end = url.indexOf('/', start);
  return end === -1 ? url.slice(start) : url.slice(start, end);
}

/** The keys of a table of hosts that match a serialised URL, the most specific first: `a.test:80`, `a.test`, `*.test:80`. */
export function hostKeys(url: string): readonly string[] {
  return hostKeysOf(hostOf(url), [url.startsWith('https:') ? '443' : '80']);
}

/** The same for a host, which has one of the `defaults` as its port if it has none. */
export function hostKeysOf(host: string, defaults: readonly string[]): readonly string[] {
  const [, name = host, port] = /^(.*):(\d+)$/.exec(host) ?? [];
  const ports = port === undefined ? defaults : [port];
  const names = [name];
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1))
    names.push(`*${name.slice(dot)}`);
  return names.flatMap((one) => [...ports.map((each) => `${one}:${each}`), one]);
}

/** Path and query, without the fragment: `/a?b=1`. */
export function pathOf(url: string): string {
  const start = url.indexOf('/', 8);
  const end = url.indexOf('#', start);
  return end === -1 ? url.slice(start) : url.slice(start, end);
}

/** How a proxy speaks SOCKS. */
export interface Socks {
  readonly version: 4 | 5;
  /** Whether the proxy gets host names, and looks them up. Otherwise it gets addresses. */
  readonly resolvesNames: boolean;
}

/** A proxy, from its URL. */
export interface ProxyServer {
  /** Missing for a proxy that speaks HTTP. */
  readonly socks?: Socks;
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
