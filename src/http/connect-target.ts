/** Where to connect to, as undici says it: no brackets around an IPv6 address, an empty port for the default one. */
export interface ConnectTarget {
  readonly hostname: string;
  readonly protocol: string;
  readonly port: string;
}

/** The port of a target, also when it is the default one. */
export function portOf({ port, protocol }: ConnectTarget): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}

/** Host and port of a target as HTTP writes them: `[::1]:443`. */
export function authorityOf(target: ConnectTarget): string {
  const { hostname } = target;
  return `${hostname.includes(':') ? `[${hostname}]` : hostname}:${portOf(target)}`;
}
