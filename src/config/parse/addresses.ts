import { isIP, isIPv4, isIPv6 } from 'node:net';
import { excerpt } from '../../model/printable.ts';
import { InvalidValueError, type Parser } from '../option.ts';
import { asList } from './texts.ts';

const OVERRIDE_REQUIREMENT =
  'must look like HOST:PORT:ADDRESS, such as example.com:443:127.0.0.1 or *:80:[::1]';
const NAME_SERVER_REQUIREMENT =
  'must be an IPv4 or IPv6 address, with a port unless it is 53: 127.0.0.1:5353 or [::1]:5353';
const LISTEN_REQUIREMENT =
  'must be a port (this machine only), or an address of this machine and a port: 9464, 127.0.0.1:9464, [::1]:9464, 0.0.0.0:9464';

/** The addresses to connect to for a host and a port. */
export interface AddressOverride {
  /** As a URL has it, without brackets and without a dot at its end; `*` is any host. */
  readonly host: string;
  readonly port: number;
  /** At least one. */
  readonly addresses: readonly string[];
}

/** `HOST:PORT:ADDRESS[,ADDRESS]...` as in curl: one line, or a list of lines. */
export const addressOverrides: Parser<readonly AddressOverride[]> = {
  parse: (value) => Object.freeze(readLines(value, OVERRIDE_REQUIREMENT).map(parseOverride)),
  show: showLines,
  print: (list) =>
    list.map(
      ({ host, port, addresses }) => `${bracketed(host)}:${port}:${addresses.map(bracketed).join(',')}`,
    ),
};

function parseOverride(line: string): AddressOverride {
  const [, host = '', digits = '', addresses = ''] =
    /^(\*|\[[^[\]]+\]|[^\s:/?#@[\]\\]+):(\d{1,5}):(.+)$/.exec(line) ?? [];
  if (host === '') throw new InvalidValueError(OVERRIDE_REQUIREMENT);
  const port = parsePort(digits);
  return Object.freeze({
    host: parseOverrideHost(host),
    port,
    addresses: Object.freeze(addresses.split(',').map(parseOverrideAddress)),
  });
}

const CONNECT_TO_REQUIREMENT =
  'must look like HOST1:PORT1:HOST2:PORT2, such as example.com:443:127.0.0.1:8443 or ::staging.example.com:';

/** Another host and port to connect to. */
export interface ConnectTo {
  /** As a URL has it, without brackets and without a dot at its end; any host if missing. */
  readonly host?: string;
  /** Any port if missing. */
  readonly port?: number;
  /** A name or an address without brackets; that of the URL if missing. */
  readonly toHost?: string;
  /** That of the URL if missing. */
  readonly toPort?: number;
}

/** `HOST1:PORT1:HOST2:PORT2` as in curl, each of which may be empty: one line, or a list of lines. */
export const connectTo: Parser<readonly ConnectTo[]> = {
  parse: (value) => Object.freeze(readLines(value, CONNECT_TO_REQUIREMENT).map(parseConnectTo)),
  show: showLines,
  print: (list) =>
    list.map(
      ({ host = '', port = '', toHost = '', toPort = '' }) =>
        `${bracketed(host)}:${port}:${bracketed(toHost)}:${toPort}`,
    ),
};

function parseConnectTo(line: string): ConnectTo {
  const [all, host = '', port = '', toHost = '', toPort = ''] =
    /^(\[[^[\]]+\]|[^\s:/?#@[\]\\*]*):(\d{0,5}):(\[[^[\]]+\]|[^\s:/?#@[\]\\*]*):(\d{0,5})$/.exec(line) ?? [];
  if (all === undefined) throw new InvalidValueError(CONNECT_TO_REQUIREMENT);
  const isWrong = (text: string) => text !== '' && toHostname(text) === undefined;
  if (isWrong(host) || isWrong(toHost)) throw new InvalidValueError(CONNECT_TO_REQUIREMENT);
  return Object.freeze({
    ...(host === '' ? {} : { host: plainHost(host) }),
    ...(port === '' ? {} : { port: parsePort(port) }),
    ...(toHost === '' ? {} : { toHost: plainHost(toHost) }),
    ...(toPort === '' ? {} : { toPort: parsePort(toPort) }),
  });
}

/** A valid host as a URL has it, without brackets and without a dot at its end. */
function plainHost(text: string): string {
  return (toHostname(text) ?? text).replace(/^\[|\]$|\.$/g, '');
}

function parseOverrideHost(text: string): string {
  const hostname = toHostname(text);
  if (hostname === undefined) throw new InvalidValueError(OVERRIDE_REQUIREMENT);
  return hostname.replace(/^\[|\]$|\.$/g, '');
}

function parseOverrideAddress(text: string): string {
  const trimmed = text.trim();
  const address = /^\[(.*)\]$/.exec(trimmed)?.[1] ?? trimmed;
  if (isIP(address) === 0 || (address !== trimmed && !isIPv6(address))) {
    throw new InvalidValueError('must end in IPv4 or IPv6 addresses, separated by commas');
  }
  return address;
}

/** Name servers, `ADDRESS` or `ADDRESS:PORT`, in the form that Node takes: one, or a list. */
export const nameServers: Parser<readonly string[]> = {
  parse: (value) => Object.freeze(readLines(value, NAME_SERVER_REQUIREMENT).map(parseNameServer)),
  show: showLines,
  print: (list) => list,
};

function parseNameServer(text: string): string {
  // An address with a zone is rejected: Node drops the zone.
  if (isIPv6(text) && !text.includes('%')) return `[${text}]`;
  const [, address = '', digits] = /^(\[[^\]%]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (!isIPv4(address) && !isIPv6(/^\[(.*)\]$/.exec(address)?.[1] ?? ''))
    throw new InvalidValueError(NAME_SERVER_REQUIREMENT);
  // Port 0 would end the whole process on Node 20.
  return digits === undefined ? address : `${address}:${parsePort(digits)}`;
}

/** Where a server listens. */
export interface ListenAddress {
  /** An IPv4 or IPv6 address, without brackets. */
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

/** `ADDRESS:PORT`. `PORT`, `:PORT` and `localhost:PORT` listen on the loopback address only. */
export const listenAddress: Parser<ListenAddress> = {
  parse(value) {
    const text = typeof value === 'number' ? String(value) : value;
    const [, inBrackets, plain = '', digits = ''] =
      (typeof text === 'string' && /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d{1,5})$/.exec(text)) || [];
    if (digits === '') throw new InvalidValueError(LISTEN_REQUIREMENT);
    if (Number(digits) > 65_535)
      throw new InvalidValueError('port must be from 0 to 65535, 0 for any free one');
    const isLoopback = inBrackets === undefined && (plain === '' || plain.toLowerCase() === 'localhost');
    const host = isLoopback ? '127.0.0.1' : (inBrackets ?? plain);
    if (inBrackets === undefined ? !isIPv4(host) : !isIPv6(host))
      throw new InvalidValueError(LISTEN_REQUIREMENT);
    return Object.freeze({ host, port: Number(digits) });
  },
  print: ({ host, port }) => `${bracketed(host)}:${port}`,
};

/** The host of `HOST` or `HOST:PORT` as a URL has it, with brackets around an IPv6 address; `undefined` if it is invalid. */
export function toHostname(authority: string): string | undefined {
  try {
    // Not `URL.canParse`: once optimised, that of Node 20 is wrong about text outside of ASCII.
    return new URL(`http://${authority}/`).hostname;
  } catch {
    return undefined;
  }
}

/** Reads a port from 1 to 65535. Throws `InvalidValueError`. */
export function parsePort(digits: string): number {
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw new InvalidValueError('port must be from 1 to 65535');
  return port;
}

function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** The trimmed lines of a repeatable option. Throws `InvalidValueError` with `requirement` if one is not text. */
function readLines(value: unknown, requirement: string): readonly string[] {
  return asList(value).map((line) => {
    if (typeof line !== 'string') throw new InvalidValueError(requirement);
    return line.trim();
  });
}

function showLines(value: unknown): string {
  return asList(value)
    .map((line) => (typeof line === 'string' ? `"${excerpt(line)}"` : 'a value that is not text'))
    .join(', ');
}
