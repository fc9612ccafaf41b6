import { UsageError } from '../model/errors.ts';
import { option, type Resolved } from './option.ts';
import { type AddressOverride, addressOverrides, maskProxy, nameServers, proxy } from './parse/addresses.ts';
import { boolean, wholeNumber } from './parse/numbers.ts';
import { fileName } from './parse/texts.ts';

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

/** Whom to trust, who to be, and which protocol to speak where there is TLS: part of `runOptions`. */
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

/** Which way requests take: part of `runOptions`. */
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

/** Options of the program alone: how a run on one machine is divided. */
export const threadOptions = {
  threads: option({
    flags: '--threads <n>',
    group: 'Workers',
    parser: wholeNumber({ min: 1, max: 64 }),
    default: 1,
    help: 'fetch in so many threads, each with its part of the hosts and of the workers',
  }),
};

export type ThreadOptions = Resolved<typeof threadOptions>;

/** Throws a `UsageError` when threads are asked for together with a broker. */
export function refuseThreads({ values }: { readonly values: Readonly<Record<string, unknown>> }): void {
  if (values.broker === undefined || values.threads === 1) return;
  throw new UsageError(
    'Cannot use --threads with --broker: each process of such a run has one; start fanout work once for each core',
  );
}
