import net from 'node:net';
import { networkInterfaces } from 'node:os';
import type { DialError } from './dial-error.ts';
import { dnsFailure } from './dns-failure.ts';

export type Family = 4 | 6;

/** The addresses of one family, or all of them, in their order. */
export function ofFamily(addresses: readonly string[], family: Family | undefined): readonly string[] {
  return family === undefined ? addresses : addresses.filter((address) => net.isIP(address) === family);
}

/** An address that was given, or that stands in a file, is of the family that is not wanted. */
export function otherFamily(hostname: string, family: Family): DialError {
  return dnsFailure(hostname, 'ENODATA', `there is no IPv${family} address, and --ipv${family} asks for one`);
}

/** Whether an interface has an IPv6 address that reaches beyond its own link, as getaddrinfo finds out too. */
export function hasIpv6(interfaces = networkInterfaces()): boolean {
  return Object.values(interfaces).some((addresses) =>
    addresses?.some(
      ({ family, internal, address }) => family === 'IPv6' && !internal && !/^fe[89ab]/i.test(address),
    ),
  );
}
