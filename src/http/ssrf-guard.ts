import net from 'node:net';
import { ConnectError } from './network-errors.ts';

/** A block of addresses that is not for reaching others over the public internet. */
interface SpecialRange {
  /** Network and length of the prefix: `10.0.0.0/8`. */
  readonly cidr: string;
  /** What an address of it is, with its article. */
  readonly kind: string;
}

/**
 * The rows of the IANA IPv4 Special-Purpose Address Registry (RFC 6890) that are not globally reachable, and what lies
 * above unicast. A narrower row stands before a wider one.
 */
export const SPECIAL_IPV4: readonly SpecialRange[] = [
  { cidr: '0.0.0.0/8', kind: 'an address of "this network"' }, // RFC 791, 3.2; 0.0.0.0 reaches the machine itself
  { cidr: '10.0.0.0/8', kind: 'a private address' }, // RFC 1918
  { cidr: '100.64.0.0/10', kind: 'a shared address of a provider' }, // RFC 6598
  { cidr: '127.0.0.0/8', kind: 'a loopback address' }, // RFC 1122, 3.2.1.3
  { cidr: '169.254.0.0/16', kind: 'a link-local address' }, // RFC 3927; where clouds keep their metadata
  { cidr: '172.16.0.0/12', kind: 'a private address' }, // RFC 1918
  { cidr: '192.0.0.0/24', kind: 'an address of the IETF protocols' }, // RFC 6890, 2.1
  { cidr: '192.0.2.0/24', kind: 'an address for documentation' }, // RFC 5737
  { cidr: '192.88.99.0/24', kind: 'a relay of 6to4' }, // RFC 7526
  { cidr: '192.168.0.0/16', kind: 'a private address' }, // RFC 1918
  { cidr: '198.18.0.0/15', kind: 'an address for benchmarks' }, // RFC 2544
  { cidr: '198.51.100.0/24', kind: 'an address for documentation' }, // RFC 5737
  { cidr: '203.0.113.0/24', kind: 'an address for documentation' }, // RFC 5737
  { cidr: '224.0.0.0/4', kind: 'a multicast address' }, // RFC 5771
  { cidr: '255.255.255.255/32', kind: 'the broadcast address' }, // RFC 919
  { cidr: '240.0.0.0/4', kind: 'a reserved address' }, // RFC 1112, 4
];

/**
 * The same of the IANA IPv6 Special-Purpose Address Registry. Addresses that only wrap an IPv4 address are not here:
 * they are judged by what is inside.
 */
export const SPECIAL_IPV6: readonly SpecialRange[] = [
  { cidr: '::/128', kind: 'the unspecified address' }, // RFC 4291, 2.5.2; reaches the machine itself
  { cidr: '::1/128', kind: 'a loopback address' }, // RFC 4291, 2.5.3
  { cidr: '::/96', kind: 'an IPv4-compatible address' }, // RFC 4291, 2.5.5.1
  { cidr: '64:ff9b:1::/48', kind: 'a local NAT64 address' }, // RFC 8215
  { cidr: '100::/64', kind: 'an address that discards' }, // RFC 6666
  { cidr: '2001::/23', kind: 'an address of the IETF protocols' }, // RFC 2928; Teredo (RFC 4380), ORCHID (RFC 7343)
  { cidr: '2001:db8::/32', kind: 'an address for documentation' }, // RFC 3849
  { cidr: '3fff::/20', kind: 'an address for documentation' }, // RFC 9637
  { cidr: '5f00::/16', kind: 'an identifier of segment routing' }, // RFC 9602
  { cidr: 'fc00::/7', kind: 'a private address' }, // RFC 4193
  { cidr: 'fe80::/10', kind: 'a link-local address' }, // RFC 4291, 2.5.6
  { cidr: 'fec0::/10', kind: 'a site-local address' }, // RFC 3879
  { cidr: 'ff00::/8', kind: 'a multicast address' }, // RFC 4291, 2.7
  // All that is left outside of 2000::/3, the one block that addresses are given from (RFC 4291, 2.4).
  { cidr: '::/3', kind: 'a reserved address' },
  { cidr: '4000::/2', kind: 'a reserved address' },
  { cidr: '8000::/1', kind: 'a reserved address' },
];

/** Where an IPv6 address carries an IPv4 address that it stands for: the prefix, and the first of the two groups. */
const WRAPPED_IPV4: readonly { readonly prefix: readonly number[]; readonly at: number }[] = [
  { prefix: [0, 0, 0, 0, 0, 0xffff], at: 6 }, // IPv4-mapped: RFC 4291, 2.5.5.2
  { prefix: [0, 0, 0, 0, 0xffff, 0], at: 6 }, // IPv4-translated: RFC 2765, 2.1
  { prefix: [0x64, 0xff9b, 0, 0, 0, 0], at: 6 }, // NAT64: RFC 6052, 2.1
  { prefix: [0x2002], at: 1 }, // 6to4: RFC 3056, 2
];

/** Says why an address must not be connected to; `undefined` lets it pass. */
export type AddressPolicy = (address: string) => string | undefined;

interface Row extends SpecialRange {
  readonly list: net.BlockList;
}

// One list for each row, and each asked for addresses of its own family alone: `net.BlockList` takes an IPv4 address for
// IPv4-mapped as well, so that `::/3` would hold all of them.
const IPV4 = SPECIAL_IPV4.map((range) => rowOf(range, 'ipv4'));
const IPV6 = SPECIAL_IPV6.map((range) => rowOf(range, 'ipv6'));

/**
 * The policy of `--deny-private`: refuses an address that is private, loopback, link-local or otherwise not for the public
 * internet, in whatever way it is written, and whatever is no address.
 */
export const denyPrivate: AddressPolicy = (address) => {
  const [bare = ''] = address.split('%', 1); // the zone of a link-local address
  switch (net.isIP(bare)) {
    case 4:
      return refusal(address, IPV4, bare);
    case 6: {
      const inner = wrappedIPv4(groupsOf(bare));
      if (inner === undefined) return refusal(address, IPV6, bare);
      return refusal(`${address}, which stands for ${inner},`, IPV4, inner);
    }
    default:
      // To connect to it would look it up once more, past every check.
      return `"${address}" is no IP address, which --deny-private refuses`;
  }
};

/** The addresses of a name that the policy lets pass; an error when there are some, and it is none of them. */
export function allowedOf(
  addresses: readonly string[],
  policy: AddressPolicy | undefined,
): readonly string[] | ConnectError {
  if (policy === undefined) return addresses;
  const allowed = addresses.filter((address) => policy(address) === undefined);
  const [first] = addresses;
  if (allowed.length > 0 || first === undefined) return allowed;
  return new ConnectError('denied', undefined, policy(first) ?? '');
}

function rowOf(range: SpecialRange, family: 'ipv4' | 'ipv6'): Row {
  const [network = '', length] = range.cidr.split('/');
  const list = new net.BlockList();
  list.addSubnet(network, Number(length), family);
  return { ...range, list };
}

function refusal(shown: string, rows: readonly Row[], address: string): string | undefined {
  const family = rows === IPV4 ? 'ipv4' : 'ipv6';
  const row = rows.find(({ list }) => list.check(address, family));
  return row && `${shown} is ${row.kind} (${row.cidr}), which --deny-private refuses`;
}

function wrappedIPv4(groups: readonly number[]): string | undefined {
  const found = WRAPPED_IPV4.find(({ prefix }) => prefix.every((group, index) => groups[index] === group));
  if (found === undefined) return undefined;
  const [high = 0, low = 0] = groups.slice(found.at, found.at + 2);
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

/** The eight groups of an IPv6 address. The URL standard writes it in one way, in hex alone. */
function groupsOf(address: string): readonly number[] {
  const written = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head, tail] = written.split('::').map((part) => (part === '' ? [] : part.split(':')));
  if (head === undefined || tail === undefined) return written.split(':').map(hex);
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].map(hex);
}

function hex(group: string): number {
  return Number.parseInt(group, 16);
}
