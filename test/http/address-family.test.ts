import type { NetworkInterfaceInfo } from 'node:os';
import { expect, test } from 'vitest';
import { hasIpv6 } from '../../src/http/dns/resolver.ts';

const at = (address: string, internal = false): NetworkInterfaceInfo => {
  const common = { address, internal, netmask: '', mac: '', cidr: null };
  return address.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' };
};

test.each([
  ['a global address', [at('192.0.2.1'), at('2001:db8::1')], true],
  ['an address of a private network', [at('fd00::2')], true],
  ['the link alone', [at('fe80::1'), at('FEBF::1')], false],
  ['the machine itself', [at('::1', true)], false],
  ['IPv4', [at('192.0.2.1')], false],
  ['nothing', [], false],
])('%s', (_, addresses, expected) => {
  expect(hasIpv6({ eth0: addresses, lo: [at('127.0.0.1', true)] })).toBe(expected);
});
