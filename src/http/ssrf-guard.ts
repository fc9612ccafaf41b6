import { createRequire } from 'node:module';
import net from 'node:net';
import type Ipaddr from 'ipaddr.js';
import { ConnectError } from './network-errors.ts';

/** The reason why an address must not be connected to; `undefined` if it may be. */
export type AddressPolicy = (address: string) => string | undefined;

/**
 * The addresses that `--deny-private` refuses, and what each is, with its article: the rows of the IANA Special-Purpose
 * Address Registries (RFC 6890) that are not globally reachable, and everything that is not unicast. A narrower range comes
 * before a wider one. IPv6 addresses that embed an IPv4 address are not here: the IPv4 address decides.
 *
 * ipaddr.js has ranges as well, but not all of these, and without the networks for the messages. A test compares the two.
 */
export const SPECIAL_RANGES: Readonly<Record<string, string>> = {
  '0.0.0.0/8': 'an address of "this network"', // RFC 791, 3.2; 0.0.0.0 reaches the machine itself
  '10.0.0.0/8': 'a private address', // RFC 1918
  '100.64.0.0/10': 'a shared address of a provider', // RFC 6598
  '127.0.0.0/8': 'a loopback address', // RFC 1122, 3.2.1.3
  '169.254.0.0/16': 'a link-local address', // RFC 3927; where clouds keep their metadata
  '172.16.0.0/12': 'a private address', // RFC 1918
  '192.0.0.0/24': 'an address of the IETF protocols', // RFC 6890, 2.1
  '192.0.2.0/24': 'an address for documentation', // RFC 5737
  '192.88.99.0/24': 'a relay of 6to4', // RFC 7526
  '192.168.0.0/16': 'a private address', // RFC 1918
  '198.18.0.0/15': 'an address for benchmarks', // RFC 2544
  '198.51.100.0/24': 'an address for documentation', // RFC 5737
  '203.0.113.0/24': 'an address for documentation', // RFC 5737
  '224.0.0.0/4': 'a multicast address', // RFC 5771
  '255.255.255.255/32': 'the broadcast address', // RFC 919
  '240.0.0.0/4': 'a reserved address', // RFC 1112, 4
  '::/128': 'the unspecified address', // RFC 4291, 2.5.2; reaches the machine itself
  '::1/128': 'a loopback address', // RFC 4291, 2.5.3
  '::/96': 'an IPv4-compatible address', // RFC 4291, 2.5.5.1
  '64:ff9b:1::/48': 'a local NAT64 address', // RFC 8215
  '100::/64': 'an address that discards', // RFC 6666
  '2001::/23': 'an address of the IETF protocols', // RFC 2928; with Teredo (RFC 4380) and ORCHID (RFC 7343)
  '2001:db8::/32': 'an address for documentation', // RFC 3849
  '3fff::/20': 'an address for documentation', // RFC 9637
  '5f00::/16': 'an identifier of segment routing', // RFC 9602
  'fc00::/7': 'a private address', // RFC 4193
  'fe80::/10': 'a link-local address', // RFC 4291, 2.5.6
  'fec0::/10': 'a site-local address', // RFC 3879
  'ff00::/8': 'a multicast address', // RFC 4291, 2.7
  // Everything else outside 2000::/3, which all global unicast addresses are assigned from (RFC 4291, 2.4).
  '::/3': 'a reserved address',
  '4000::/2': 'a reserved address',
  '8000::/1': 'a reserved address',
};

/** Networks whose IPv6 addresses embed an IPv4 address, and the index of its first byte. */
const EMBEDDED_IPV4: Readonly<Record<string, number>> = {
  '::ffff:0:0/96': 12, // IPv4-mapped: RFC 4291, 2.5.5.2
  '::ffff:0:0:0/96': 12, // IPv4-translated: RFC 2765, 2.1
  '64:ff9b::/96': 12, // NAT64: RFC 6052, 2.1
  '2002::/16': 2, // 6to4: RFC 3056, 2
};

/**
 * The policy of `--deny-private`: refuses addresses that are private, loopback, link-local or otherwise not for the public
 * internet, in any notation, and text that is not an address.
 */
export const denyPrivate: AddressPolicy = (address) => {
  const [bare = ''] = address.split('%', 1); // without the zone of a link-local address
  const version = net.isIP(bare);
  // To connect to it would look it up again, after every check.
  if (version === 0) return `"${address}" is not an IP address, which --deny-private refuses`;
  loaded ??= load();
  const { ipaddr, special, embedded } = loaded;
  // ipaddr.js takes `::8.8.8.8`, which is IPv4-compatible, for IPv4-mapped; the URL standard writes it as `::808:808`.
  const parsed = ipaddr.parse(version === 4 ? bare : new URL(`http://[${bare}]/`).hostname.slice(1, -1));
  const start = EMBEDDED_IPV4[ipaddr.subnetMatch(parsed, embedded)];
  const inner =
    start === undefined ? parsed : ipaddr.fromByteArray(parsed.toByteArray().slice(start, start + 4));
  const range = ipaddr.subnetMatch(inner, special);
  const kind = SPECIAL_RANGES[range];
  if (kind === undefined) return undefined;
  const shown = inner === parsed ? address : `${address}, which stands for ${inner},`;
  return `${shown} is ${kind} (${range}), which --deny-private refuses`;
};

/** The addresses of a name that the policy allows; an error if it refuses all of them. */
export function filterAllowed(
  addresses: readonly string[],
  policy: AddressPolicy | undefined,
): readonly string[] | ConnectError {
  if (policy === undefined) return addresses;
  const allowed = addresses.filter((address) => policy(address) === undefined);
  const [first] = addresses;
  if (allowed.length > 0 || first === undefined) return allowed;
  return new ConnectError('denied', undefined, policy(first) ?? '');
}

type RangeList = Parameters<typeof Ipaddr.subnetMatch>[1];

interface Loaded {
  readonly ipaddr: typeof Ipaddr;
  /** The tables above, by the same keys. */
  readonly special: RangeList;
  readonly embedded: RangeList;
}

let loaded: Loaded | undefined;

/** Loads ipaddr.js for the first address, since only runs with `--deny-private` need it. */
function load(): Loaded {
  const ipaddr = createRequire(import.meta.url)('ipaddr.js') as typeof Ipaddr; // require() gives `any`
  const toRangeList = (table: object): RangeList =>
    Object.fromEntries(Object.keys(table).map((cidr) => [cidr, ipaddr.parseCIDR(cidr)]));
  return { ipaddr, special: toRangeList(SPECIAL_RANGES), embedded: toRangeList(EMBEDDED_IPV4) };
}
