import { UsageError } from '../model/errors.ts';
import type { ProxyServer, ProxySettings } from '../model/url.ts';
import type { Remap } from '../model/url-filter.ts';
import { InvalidValueError, option } from './option.ts';
import type { Environment } from './option-sources.ts';
import {
  type AddressOverride,
  addressOverrides,
  type ConnectTo,
  connectTo,
  nameServers,
} from './parse/addresses.ts';
import { fileName, socketPath } from './parse/names.ts';
import { maskProxy, proxy } from './parse/server-urls.ts';
import { boolean, maskRemaps, remaps } from './parse/texts.ts';

const NO_OVERRIDES: readonly AddressOverride[] = Object.freeze([]);
const NO_DIRECTIONS: readonly ConnectTo[] = Object.freeze([]);
const NO_REMAPS: readonly Remap[] = Object.freeze([]);
const NO_SERVERS: readonly string[] = Object.freeze([]);

/** What is connected to. */
export const addressOptions = {
  resolve: option({
    flags: '--resolve <host:port:address>',
    group: 'Network',
    parser: addressOverrides,
    default: NO_OVERRIDES,
    help: 'connect to this address for a host and port',
    details: '* is any host. Separate several addresses by commas.',
    repeatable: true,
  }),
  connectTo: option({
    flags: '--connect-to <rule>',
    group: 'Network',
    parser: connectTo,
    default: NO_DIRECTIONS,
    help: 'connect to another host: HOST1:PORT1:HOST2:PORT2',
    details:
      'For HOST1 and PORT1 of a URL, HOST2 and PORT2 are connected to. The request, and the certificate that is expected, stay those of the URL. An empty HOST1 or PORT1 is any; an empty HOST2 or PORT2 is that of the URL. The first that matches counts. --resolve applies to HOST2 and PORT2.',
    repeatable: true,
  }),
  remap: option({
    flags: '--remap <rule>',
    group: 'Network',
    parser: remaps,
    default: NO_REMAPS,
    help: "fetch other URLs instead of those that match: 'FROM TO'",
    details:
      'FROM is a regular expression, every match of which in the URL is replaced by TO. In TO, $1 or $<name> is a group of FROM, $& the match, and $$ a $. The first rule that matches counts. It comes before --include, --exclude and --unique; redirects are followed as they are. Records have the URL that was fetched as "url", and that of the list as "input".',
    repeatable: true,
    mask: maskRemaps,
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
    details:
      'These are loopback, private, link-local and reserved addresses. The only proxies that can be used with it are socks5:// and socks4://, for which names are looked up, and addresses checked, on this machine.',
  }),
  unixSocket: option({
    flags: '--unix-socket <path>',
    group: 'Network',
    parser: socketPath,
    default: undefined,
    help: 'connect to a Unix domain socket instead of any host',
    details:
      'Every connection of the run goes there, whatever the host of the URL. No name is looked up, and no proxy is used. It cannot be used with --connect-to, --resolve, --dns-server, -4, -6, --proxy and --deny-private.',
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
    details:
      "Or https://; or socks5:// and socks4://, with names looked up on this machine; or socks5h:// and socks4a://, with names looked up by the proxy. It is not used for the hosts in NO_PROXY. '' uses no proxy.",
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

interface NetworkChoices {
  readonly proxy: ProxyServer | null | undefined;
  readonly denyPrivate: boolean;
  readonly unixSocket: string | undefined;
}

/**
 * The proxies of a run: the one of `--proxy`, otherwise those of the environment, as curl reads it; `undefined` if there
 * is none. `NO_PROXY` applies to both. A `proxy` of `null` and a `unixSocket` disable proxies. An empty variable counts as not
 * set.
 *
 * @throws UsageError if a variable that is used is invalid, or if there is a proxy with `denyPrivate` that is not given addresses
 */
export function toProxySettings(
  { proxy: configured, denyPrivate, unixSocket }: NetworkChoices,
  environment: Environment,
): ProxySettings | undefined {
  if (configured === null || unixSocket !== undefined) return undefined;
  // Under CGI, HTTP_PROXY is the `Proxy` header of a client's request (CVE-2016-5385, httpoxy).
  const upper = environment.REQUEST_METHOD === undefined ? ['HTTP_PROXY'] : [];
  const http = configured ?? readProxy(['http_proxy', ...upper, 'all_proxy', 'ALL_PROXY'], environment);
  const https =
    configured ?? readProxy(['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'], environment);
  if (http === undefined && https === undefined) return undefined;
  if (denyPrivate && [http, https].some(connectsUnchecked)) {
    throw new UsageError(
      `cannot use ${configured === undefined ? 'the proxy of the environment' : '--proxy'} with --deny-private, ` +
        "which cannot check what the proxy connects to; with socks5:// it can, and --proxy '' uses no proxy",
    );
  }
  return { http, https, bypass: environment.no_proxy || environment.NO_PROXY || '' };
}

/** Whether a proxy gets names, whose addresses only it knows. */
function connectsUnchecked(server: ProxyServer | undefined): boolean {
  return server !== undefined && server.socks?.resolvesNames !== false;
}

/** The proxy of the first variable that is set. */
function readProxy(names: readonly string[], environment: Environment): ProxyServer | undefined {
  const name = names.find((one) => environment[one]?.trim());
  if (name === undefined) return undefined;
  try {
    return proxy.parse(environment[name]) ?? undefined;
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    throw new UsageError(`invalid value for ${name}: ${error.message}`);
  }
}
