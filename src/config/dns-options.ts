import { option } from './option.ts';
import { type AddressOverride, addressOverrides } from './parsers/address-override.ts';
import { boolean } from './parsers/boolean.ts';
import { nameServers } from './parsers/name-server.ts';

const NO_OVERRIDES: readonly AddressOverride[] = Object.freeze([]);
const NO_SERVERS: readonly string[] = Object.freeze([]);

/** How hosts become addresses: part of `runOptions`. */
export const dnsOptions = {
  resolve: option({
    flags: '--resolve <host:port:address>',
    group: 'Network',
    parser: addressOverrides,
    default: NO_OVERRIDES,
    help: 'connect to this address for the host and port, whatever DNS says; * is any host, and several addresses have commas between them (repeatable)',
    repeatable: true,
  }),
  dnsServer: option({
    flags: '--dns-server <address[:port]>',
    group: 'Network',
    parser: nameServers,
    default: NO_SERVERS,
    defaultText: "the system's",
    help: 'ask this name server (repeatable)',
    repeatable: true,
  }),
  ipv4: option({
    flags: '-4, --ipv4',
    group: 'Network',
    parser: boolean,
    default: false,
    help: 'connect to IPv4 addresses alone',
  }),
  ipv6: option({
    flags: '-6, --ipv6',
    group: 'Network',
    parser: boolean,
    default: false,
    help: 'connect to IPv6 addresses alone',
  }),
};
