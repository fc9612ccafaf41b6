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
    help: 'connect to this address for a host and port',
    details: '* is any host. Separate several addresses by commas.',
    repeatable: true,
  }),
  dnsServer: option({
    flags: '--dns-server <address[:port]>',
    group: 'Network',
    parser: nameServers,
    default: NO_SERVERS,
    defaultText: "the system's",
    help: 'DNS server to use',
    repeatable: true,
  }),
  ipv4: option({
    flags: '-4, --ipv4',
    group: 'Network',
    parser: boolean,
    default: false,
    help: 'connect to IPv4 addresses only',
  }),
  ipv6: option({
    flags: '-6, --ipv6',
    group: 'Network',
    parser: boolean,
    default: false,
    help: 'connect to IPv6 addresses only',
  }),
  denyPrivate: option({
    flags: '--deny-private',
    group: 'Network',
    parser: boolean,
    default: false,
    help: 'refuse to connect to private and other special addresses',
    details: 'These are loopback, private, link-local and reserved addresses.',
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
    help: 'proxy for requests: http://[user:password@]host:port',
    details: "Or https://. It is not used for the hosts in NO_PROXY. '' uses no proxy.",
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
    help: 'use HTTP/2 with https servers that offer it',
  }),
  strict: option({
    flags: '--strict',
    group: 'Request',
    parser: boolean,
    default: false,
    help: 'refuse responses that break the rules of HTTP',
    details:
      'By default, responses that browsers and curl accept are accepted: repeated equal Content-Length, bare LF, folded or odd header lines, unsolicited 1xx. Their records have "lenient": true. So has every HTTP/1.1 response to POST, PUT, PATCH and DELETE, since a request that changes something is not sent again to find out whether its response breaks rules.',
  }),
  insecure: option({
    flags: '-k, --insecure',
    group: 'Network',
    parser: boolean,
    default: false,
    help: 'accept any TLS certificate',
    details: 'Also one that is expired, self-signed or for another host.',
  }),
  cacert: option({
    flags: '--cacert <file>',
    group: 'Network',
    parser: fileName,
    default: undefined,
    defaultText: "Node's own certificates",
    help: 'trust only the certificates in this PEM file',
  }),
  cert: option({
    flags: '--cert <file>',
    group: 'Network',
    parser: fileName,
    default: undefined,
    help: 'client certificate (PEM file)',
    details:
      'It is sent to the origin (scheme, host and port) of each URL, and not after a redirect to another origin.',
  }),
  key: option({
    flags: '--key <file>',
    group: 'Network',
    parser: fileName,
    default: undefined,
    defaultText: 'the file of --cert',
    help: 'private key of --cert: a PEM file without passphrase',
  }),
};
