import net from 'node:net';
import { DialError } from './dial-error.ts';
import { SPECIAL_IPV4, SPECIAL_IPV6, type SpecialRange, WRAPPED_IPV4 } from './special-ranges.ts';

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
): readonly string[] | DialError {
  if (policy === undefined) return addresses;
  const allowed = addresses.filter((address) => policy(address) === undefined);
  const [first] = addresses;
  if (allowed.length > 0 || first === undefined) return allowed;
  return new DialError('denied', undefined, policy(first) ?? '');
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
