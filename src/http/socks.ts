import { isIPv4, isIPv6, type Socket } from 'node:net';
import { ConnectError, PROXY_AUTHENTICATION_CODE, PROXY_TARGET_CODE } from './network-errors.ts';
import { type ProxyRoute, proxyProtocolError } from './proxy.ts';

/** What a proxy connects to. */
export interface Endpoint {
  /** A name, or an address without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/**
 * Makes a SOCKS proxy connect this socket to the endpoint: SOCKS 5 with a user name and password if there are any (RFC 1928,
 * RFC 1929), or SOCKS 4 and 4a. Calls back once: with an error, or when the next byte is the endpoint's. It has no time limit of
 * its own; destroying the socket ends it.
 */
export function openSocksTunnel(
  socket: Socket,
  proxy: ProxyRoute,
  endpoint: Endpoint,
  onOpen: (error: ConnectError | undefined) => void,
): void {
  const dialogue = proxy.server.socks?.version === 4 ? socks4(proxy, endpoint) : socks5(proxy, endpoint);
  let received: Buffer = NOTHING;
  let wanted = 0;
  const finish = (error: ConnectError | undefined) => {
    socket.off('data', onData).off('close', onClose);
    onOpen(error);
  };
  const onClose = () => finish(proxyProtocolError(proxy, 'closed the connection during the SOCKS handshake'));
  const advance = (response: Buffer) => {
    const step = dialogue.next(response);
    if (step.done === true) {
      const isEarly = step.value === undefined && received.length > 0;
      finish(isEarly ? proxyProtocolError(proxy, 'sent data before the tunnel was used') : step.value);
      return false;
    }
    wanted = step.value.bytes;
    if (step.value.send.length > 0) socket.write(step.value.send);
    return true;
  };
  const onData = (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    let isOpen = true;
    while (isOpen && received.length >= wanted) {
      const response = received.subarray(0, wanted);
      received = received.subarray(wanted);
      isOpen = advance(response);
    }
  };
  socket.on('data', onData).on('close', onClose);
  socket.on('error', () => {}); // `close` follows, or TLS in the tunnel reports the error
  advance(NOTHING);
}

const NOTHING = Buffer.alloc(0);

/** What is sent next, and the length in bytes of the response that it waits for. */
interface Step {
  readonly send: Buffer;
  readonly bytes: number;
}

/** Gives the steps of a handshake, and gets a response of the wanted length for each. Returns what has gone wrong. */
type Dialogue = Generator<Step, ConnectError | undefined, Buffer>;

const SOCKS5 = 5;
const NO_AUTHENTICATION = 0;
const USER_AND_PASSWORD = 2;
const IPV4_ADDRESS = 1;
const NAME = 3;
const IPV6_ADDRESS = 4;

/** RFC 1928, 6: what each status says, and whether another address of the host may do better. */
const SOCKS5_STATUSES: readonly (readonly [reason: string, isOfAddress: boolean])[] = [
  ['granted', false],
  ['general failure', true],
  ['not allowed by its rules', false],
  ['network unreachable', true],
  ['host unreachable', true],
  ['connection refused', true],
  ['the time to live has expired', true],
  ['it does not support CONNECT', false],
  ['it does not support this type of address', true],
];

function* socks5(proxy: ProxyRoute, endpoint: Endpoint): Dialogue {
  const { credentials } = proxy.server;
  const methods = credentials === undefined ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, USER_AND_PASSWORD];
  const [version, method] = yield { send: Buffer.from([SOCKS5, methods.length, ...methods]), bytes: 2 };
  if (version !== SOCKS5) return notSocks(proxy);
  if (method === USER_AND_PASSWORD && credentials !== undefined) {
    const login = Buffer.concat([
      Buffer.from([1]),
      withLength(credentials.user),
      withLength(credentials.password),
    ]);
    const [, refusal] = yield { send: login, bytes: 2 };
    if (refusal !== 0) return refusedLogin(proxy, 'refused the user name or the password');
  } else if (method !== NO_AUTHENTICATION) {
    return refusedLogin(
      proxy,
      credentials === undefined
        ? 'wants a user name and a password'
        : 'wants another authentication than a user name and a password',
    );
  }
  const address = socks5Address(endpoint.hostname);
  if (address === undefined) return refusedEndpoint(proxy, endpoint, 'the name is longer than 255 bytes');
  const request = Buffer.concat([Buffer.from([SOCKS5, 1, 0]), address, portBytes(endpoint)]);
  const [again, status = 0, , type = 0] = yield { send: request, bytes: 4 };
  if (again !== SOCKS5) return notSocks(proxy);
  if (status !== 0) {
    const [reason, isOfAddress] = SOCKS5_STATUSES[status] ?? [`status ${status}`, true];
    return refusedEndpoint(proxy, endpoint, reason, isOfAddress);
  }
  // The address of the proxy's own end follows, and its port. Neither matters.
  let length = type === IPV4_ADDRESS ? 4 : 16;
  if (type === NAME) [length = 0] = yield { send: NOTHING, bytes: 1 };
  else if (type !== IPV4_ADDRESS && type !== IPV6_ADDRESS) return notSocks(proxy);
  yield { send: NOTHING, bytes: length + 2 };
  return undefined;
}

const SOCKS4 = 4;
const SOCKS4_GRANTED = 90;
const SOCKS4_REASONS: Readonly<Record<number, string>> = {
  91: 'rejected or failed',
  92: 'it cannot reach identd on this machine',
  93: 'identd on this machine names another user',
};
/** An address that says: the name follows. */
const SOCKS4_NAME = '0.0.0.1';

function* socks4(proxy: ProxyRoute, endpoint: Endpoint): Dialogue {
  const { hostname } = endpoint;
  if (isIPv6(hostname)) return refusedEndpoint(proxy, endpoint, 'SOCKS 4 has no IPv6 addresses', true);
  const name = isIPv4(hostname) ? '' : `${hostname}\0`;
  const request = Buffer.concat([
    Buffer.from([SOCKS4, 1]),
    portBytes(endpoint),
    ipv4Bytes(name === '' ? hostname : SOCKS4_NAME),
    Buffer.from(`${proxy.server.credentials?.user ?? ''}\0${name}`),
  ]);
  const [version, status = 0] = yield { send: request, bytes: 8 };
  if (version !== 0) return notSocks(proxy);
  if (status === SOCKS4_GRANTED) return undefined;
  return refusedEndpoint(proxy, endpoint, SOCKS4_REASONS[status] ?? `status ${status}`, true);
}

/** Type and address as SOCKS 5 sends them; `undefined` for a name that is too long. */
function socks5Address(hostname: string): Buffer | undefined {
  if (isIPv4(hostname)) return Buffer.concat([Buffer.from([IPV4_ADDRESS]), ipv4Bytes(hostname)]);
  if (isIPv6(hostname)) return Buffer.concat([Buffer.from([IPV6_ADDRESS]), ipv6Bytes(hostname)]);
  if (Buffer.byteLength(hostname) > 255) return undefined;
  return Buffer.concat([Buffer.from([NAME]), withLength(hostname)]);
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function ipv6Bytes(address: string): Buffer {
  // The URL parser brings every notation, such as `::ffff:1.2.3.4`, into groups of 16 bits.
  const [bare = ''] = address.split('%', 1);
  const [start = '', end] = new URL(`http://[${bare}]/`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  const [first, last] = [groups(start), groups(end ?? '')];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  const all = [...first, ...zeros, ...last].map((group) => group.padStart(4, '0'));
  return Buffer.from(all.join(''), 'hex');
}

function portBytes({ port }: Endpoint): Buffer {
  return Buffer.from([port >> 8, port & 0xff]);
}

function withLength(text: string): Buffer {
  return Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
}

function notSocks(proxy: ProxyRoute): ConnectError {
  const version = proxy.server.socks?.version;
  return proxyProtocolError(proxy, `responded with something that is not SOCKS ${version}`);
}

function refusedLogin({ name }: ProxyRoute, what: string): ConnectError {
  return new ConnectError('connect', PROXY_AUTHENTICATION_CODE, `the proxy ${name} ${what}`);
}

function refusedEndpoint(
  { name }: ProxyRoute,
  { hostname, port }: Endpoint,
  reason: string,
  isOfAddress = false,
): ConnectError {
  const host = isIPv6(hostname) ? `[${hostname}]` : hostname;
  return new ConnectError(
    'connect',
    isOfAddress ? PROXY_TARGET_CODE : 'ERR_PROXY_REFUSED',
    `the proxy ${name} could not connect to ${host}:${port}: ${reason}`,
  );
}
