import { option } from './option.ts';
import { type AddressOverride, addressOverrides, nameServers } from './parse/addresses.ts';
import { fileName } from './parse/names.ts';
import { maskProxy, proxy } from './parse/server-urls.ts';
import { boolean } from './parse/texts.ts';

const NO_OVERRIDES: readonly AddressOverride[] = Object.freeze([]);
const NO_SERVERS: readonly string[] = Object.freeze([]);

/** How host names are resolved to addresses. */
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

/** Which proxy requests go through. */
export const proxyOptions = {
  proxy: option({
    flags: '--proxy <url>',
    group: 'Network',
    parser: proxy,
    default: undefined,
    defaultText: 'HTTP_PROXY, HTTPS_PROXY or ALL_PROXY',
    help: "go through this proxy, http://[user:password@]host:port or https://, except to the hosts in NO_PROXY; '' uses none",
    mask: maskProxy,
  }),
};

/** Certificates of servers and of clients, and HTTP/2, which TLS negotiates. */
export const tlsOptions = {
  http2: option({
    flags: '--http2',
    group: 'Request',
    parser: boolean,
    default: false,
    help: 'speak HTTP/2 with https servers that offer it; otherwise HTTP/1.1',
  }),
  insecure: option({
    flags: '-k, --insecure',
    group: 'Network',
    parser: boolean,
    default: false,
    help: 'accept any certificate of a server, also one that is expired, self-signed or for another host',
  }),
  cacert: option({
    flags: '--cacert <file>',
    group: 'Network',
    parser: fileName,
    default: undefined,
    defaultText: "Node's own certificates",
    help: 'trust the certificates in this PEM file, and no others',
  }),
  cert: option({
    flags: '--cert <file>',
    group: 'Network',
    parser: fileName,
    default: undefined,
    help: 'show the certificate in this PEM file to servers that ask for one',
  }),
  key: option({
    flags: '--key <file>',
    group: 'Network',
    parser: fileName,
    default: undefined,
    defaultText: 'the file of --cert',
    help: 'the private key of --cert, in PEM and without a passphrase',
  }),
};
