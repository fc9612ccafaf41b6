/** Where to connect to, in undici's form: an IPv6 address without brackets, an empty port for the default one. */
export interface ConnectTarget {
  readonly hostname: string;
  readonly protocol: string;
  readonly port: string;
}

/** The port of a target, also if it is the default one of its scheme. */
export function toPort({ port, protocol }: ConnectTarget): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}

/** Host and port as HTTP writes them (RFC 9110, 7.2): `[::1]:443`. */
export function toAuthority(target: ConnectTarget): string {
  const { hostname } = target;
  return `${hostname.includes(':') ? `[${hostname}]` : hostname}:${toPort(target)}`;
}

/** The target of an origin such as `https://[::1]:8443`. */
export function toConnectTarget(origin: string): ConnectTarget {
  const { hostname, protocol, port } = new URL(origin);
  return { hostname: hostname.replace(/^\[|\]$/g, ''), protocol, port };
}
