import dgram from 'node:dgram';
import net, { isIPv6, type Socket } from 'node:net';
import type { ConnectTo } from '../config/parse/addresses.ts';
import { durationText } from '../config/parse/numbers.ts';
import { describeError, isCertificateError } from './classify-error.ts';
import { openTunnel } from './connect-tunnel.ts';
import type { LookupPhase, Resolver } from './dns/resolver.ts';
import { type ConnectTarget, toOrigin, toPort } from './http1-client.ts';
import {
  ConnectError,
  isResourceExhausted,
  PROXY_TARGET_CODE,
  ResourceExhaustedError,
} from './network-errors.ts';
import { type ProxyRoute, type ProxyRoutes, proxyUnreachableError, withProxyName } from './proxy.ts';
import { SharedBufferSocket } from './shared-buffer-socket.ts';
import { type Endpoint, openSocksTunnel } from './socks.ts';
import { type AddressPolicy, filterAllowed } from './ssrf-guard.ts';
import type { TlsConnector, TlsVia } from './tls.ts';

export interface TlsConnectors {
  readonly tls: TlsConnector;
  /** The same without the client certificate; left out if there is none. */
  readonly anonymousTls?: TlsConnector | undefined;
}

/** TLS with some origins, instead of that with all others. */
export interface TlsException extends TlsConnectors {
  readonly appliesTo: (origin: string) => boolean;
}

interface ConnectorOptions extends TlsConnectors {
  readonly resolver: Resolver;
  /** Time in ms for lookup, connect, tunnel and TLS together, from when the turn of the lookup has come. */
  readonly connectTimeoutMs: number;
  readonly exception?: TlsException | undefined;
  /** Decides on each address before a server is connected to, whatever name led there. Not for a proxy itself. */
  readonly addressPolicy?: AddressPolicy | undefined;
  /** Where to connect to instead of the host and port of a URL. */
  readonly connectTo?: readonly ConnectTo[];
  /** The path of a Unix domain socket that every connection is made to, without a lookup and without a proxy. */
  readonly unixSocket?: string | undefined;
  readonly proxies?: ProxyRoutes | undefined;
  /** For TLS with a proxy itself; `tls` if left out. */
  readonly proxyTls?: TlsConnector | undefined;
}

/** How TLS is done with the target. */
interface ConnectManner {
  /** Whether it is an error if TLS ends without close_notify. */
  readonly watchesEnd?: boolean;
  /** Whether the server must not see the client certificate. */
  readonly isAnonymous?: boolean;
  /** Whether HTTP/2 is not offered, though it could be. */
  readonly isHttp1Only?: boolean;
  /** Called while a name is looked up. */
  readonly onLookup?: (phase: LookupPhase) => void;
}

/** Called once, with either a connected socket or an error. */
type OnConnect = (error: Error | undefined, socket: Socket | undefined) => void;

/**
 * Makes connections: lookup, connect, CONNECT tunnel, TLS. The addresses of a name are tried in order, and the next one in
 * parallel if one takes long (RFC 8305); the first that can carry a request wins. Never throws.
 */
export class Connector {
  readonly #options: ConnectorOptions;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  /** Whether servers may select HTTP/2; `alpnProtocol` of the socket says which protocol they selected. */
  get offersHttp2(): boolean {
    return this.#options.tls.offersHttp2;
  }

  /** Whether there is a client certificate. */
  get hasCertificate(): boolean {
    return this.#options.anonymousTls !== undefined;
  }

  /** Starts to connect. Returns a function that cancels it in any phase; `onConnect` then gets the reason. */
  connect(target: ConnectTarget, onConnect: OnConnect, manner: ConnectManner = {}): (reason: Error) => void {
    const { exception } = this.#options;
    const { tls, anonymousTls } = exception?.appliesTo(toOrigin(target)) === true ? exception : this.#options;
    const own = manner.isAnonymous === true ? (anonymousTls ?? tls) : tls;
    const options = own === this.#options.tls ? this.#options : { ...this.#options, tls: own };
    const attempt = new ConnectAttempt(options, target, onConnect, manner);
    attempt.start();
    return (reason) => attempt.end(reason);
  }
}

/** Time in ms after which the next address is started in parallel (RFC 8305, 5: connection attempt delay). */
const NEXT_ADDRESS_MS = 250;
/** The same once an address is connected and its TLS handshake is in progress. */
const NEXT_HANDSHAKE_MS = 2_000;

/** What is connected to directly: the server of the target, or a proxy. */
interface Peer extends Endpoint {
  readonly isSecure: boolean;
  /** The name that its certificate must have. */
  readonly name: string;
}

/** Where the connection to a target goes. */
function endpointOf(target: ConnectTarget, rules: readonly ConnectTo[] = []): Endpoint {
  const { toHost = target.hostname, toPort: port = toPort(target) } = ruleFor(target, rules) ?? {};
  return { hostname: toHost, port };
}

/** Whether a rule of `--connect-to` is for this target. */
export function isDirected(target: ConnectTarget, rules: readonly ConnectTo[]): boolean {
  return ruleFor(target, rules) !== undefined;
}

/** The first rule for its host and port decides, as in curl. */
function ruleFor(target: ConnectTarget, rules: readonly ConnectTo[]): ConnectTo | undefined {
  const port = toPort(target);
  const name = target.hostname.replace(/\.$/, '');
  return rules.find((one) => (one.host ?? name) === name && (one.port ?? port) === port);
}

class ConnectAttempt {
  readonly #options: ConnectorOptions;
  readonly #target: ConnectTarget;
  readonly #onConnect: OnConnect;
  readonly #manner: ConnectManner;
  /** The proxy that tunnels to the target. */
  readonly #tunnel: ProxyRoute | undefined;
  /** The proxy that is connected to: the one that tunnels, or the target itself. */
  readonly #proxy: ProxyRoute | undefined;
  readonly #peer: Peer;
  /** What the server of the target is connected to at, by this machine or by the proxy. */
  readonly #endpoint: Endpoint;
  /** Of the peer; or the path of a Unix domain socket. */
  #addresses: readonly string[] = [];
  /** What a proxy may be told to connect to: addresses of the endpoint, or its name. */
  #endpoints: readonly string[] = [];
  #lookupMs = 0;
  /** Addresses that were started with. */
  #tried = 0;
  /** Sockets in use: one for each address that has neither failed nor won, then the one that won. */
  #sockets: Socket[] = [];
  #error: ConnectError | ResourceExhaustedError | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextTimer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: ConnectorOptions, target: ConnectTarget, onConnect: OnConnect, manner: ConnectManner) {
    this.#options = options;
    this.#target = target;
    this.#onConnect = onConnect;
    this.#manner = manner;
    this.#tunnel = options.proxies?.tunnelProxyFor(target);
    this.#proxy = this.#tunnel ?? options.proxies?.proxyAt(target);
    this.#endpoint = endpointOf(target, options.connectTo);
    this.#peer = toPeer(target, this.#endpoint, this.#proxy);
  }

  start(): void {
    const { unixSocket, addressPolicy } = this.#options;
    if (unixSocket !== undefined) this.#connect([unixSocket]);
    else if (this.#proxy === undefined)
      this.#resolve(this.#peer, addressPolicy, (found) => this.#connect(found));
    else if (this.#tunnel?.server.socks?.resolvesNames !== false) {
      this.#endpoints = [this.#endpoint.hostname];
      this.#connectToProxy();
    } else {
      this.#resolve(this.#endpoint, addressPolicy, (found) => {
        this.#endpoints = found;
        this.#connectToProxy();
      });
    }
  }

  #connectToProxy(): void {
    this.#resolve(this.#peer, undefined, (found) => this.#connect(found));
  }

  #resolve(
    what: Endpoint,
    policy: AddressPolicy | undefined,
    onResolved: (addresses: readonly string[]) => void,
  ): void {
    const onResolve = (error: Error | undefined, addresses: readonly string[], lookupMs: number) => {
      if (this.#isOver) return;
      this.#lookupMs += lookupMs;
      const allowed = error ?? filterAllowed(addresses, policy);
      if (!(allowed instanceof Error)) onResolved(allowed);
      else if (what === this.#peer) this.#fail(allowed);
      else this.end(allowed);
    };
    this.#options.resolver.resolve(what.hostname, what.port, onResolve, (phase) => {
      if (!this.#isOver) this.#manner.onLookup?.(phase);
    });
  }

  #connect(addresses: readonly string[]): void {
    const leftMs = Math.max(0, this.#options.connectTimeoutMs - this.#lookupMs);
    this.#timer = setTimeout(expire, leftMs, this);
    this.#addresses = addresses;
    this.tryNextAddress();
  }

  /** Ends the attempt with its connected socket, or with an error. */
  end(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#nextTimer);
    if (error !== undefined) for (const socket of this.#sockets) socket.destroy();
    this.#onConnect(error, error === undefined ? this.#sockets[0] : undefined);
  }

  expire(): void {
    // It says more than that another address takes long.
    if (this.#error?.kind === 'tls') {
      this.#fail(this.#error);
      return;
    }
    const through = this.#tunnel === undefined ? '' : ` through the proxy ${this.#tunnel.name}`;
    const peer = this.#proxy === this.#tunnel ? this.#target.hostname : `the proxy ${this.#proxy?.name}`;
    const message = `no connection to ${peer}${through} within ${durationText(this.#options.connectTimeoutMs)}`;
    this.end(new ConnectError('timeout', 'ERR_CONNECT_TIMEOUT', message));
  }

  /** Starts with the next address. Another one follows if this one takes long. */
  tryNextAddress(): void {
    const address = this.#addresses[this.#tried];
    if (this.#isOver || address === undefined) return;
    this.#tried += 1;
    clearTimeout(this.#nextTimer);
    const socket = this.#openSocket(this.#peer, address);
    this.#sockets.push(socket);
    socket.setNoDelay(true);
    const hasNext = this.#tried < this.#addresses.length;
    if (hasNext) this.#nextTimer = setTimeout(tryNextAddress, NEXT_ADDRESS_MS, this);
    if (hasNext && this.#peer.isSecure) socket.once('connect', () => this.#onTcpConnected(socket));
    onceOpen(socket, this.#peer.isSecure ? 'tls' : 'tcp', (error) => {
      if (this.#isOver) return;
      if (error === undefined) this.#onPeerConnected(socket);
      else if (error.kind === 'tls' && isCertificateError(error.code)) this.#fail(error);
      else diagnoseConnectError(error, address, (cause) => this.#onAddressFailed(cause, socket));
    });
  }

  /** A handshake gets more time than a connect before the next address is started: it costs more to start it in vain. */
  #onTcpConnected(socket: Socket): void {
    if (socket !== this.#sockets.at(-1)) return;
    clearTimeout(this.#nextTimer);
    this.#nextTimer = setTimeout(tryNextAddress, NEXT_HANDSHAKE_MS, this);
  }

  #openSocket({ name, port, isSecure }: Peer, address: string): Socket {
    const { tls, proxyTls = tls, unixSocket } = this.#options;
    const via: Exclude<TlsVia, { readonly socket: Socket }> =
      unixSocket === undefined ? { host: address, port } : { path: unixSocket };
    if (isSecure) {
      const connector = this.#proxy === undefined ? tls : proxyTls;
      return connector.connect(via, name, this.#manner);
    }
    // TLS reads from the socket of a tunnel in its own way.
    if (this.#tunnel !== undefined && this.#isSecure) return net.connect(via);
    return new SharedBufferSocket().connect(via);
  }

  get #isSecure(): boolean {
    return this.#target.protocol === 'https:';
  }

  /** Starts with the next address at once, unless this machine lacks a resource, which every address needs. */
  #onAddressFailed(error: ConnectError | ResourceExhaustedError, socket: Socket): void {
    if (this.#isOver) return;
    this.#sockets.splice(this.#sockets.indexOf(socket), 1);
    // A failed handshake says more than an address that does not respond.
    if (this.#error?.kind !== 'tls' || error.kind === 'tls') this.#error = error;
    if (error instanceof ResourceExhaustedError) this.#fail(error);
    else if (this.#tried < this.#addresses.length) this.tryNextAddress();
    else if (this.#sockets.length === 0) this.#fail(this.#error);
  }

  #fail(error: Error): void {
    this.end(this.#proxy === undefined ? error : proxyUnreachableError(this.#proxy, error));
  }

  #onPeerConnected(socket: Socket): void {
    clearTimeout(this.#nextTimer);
    for (const other of this.#sockets) if (other !== socket) other.destroy();
    this.#sockets = [socket];
    const proxy = this.#tunnel;
    if (proxy === undefined) {
      this.end();
      return;
    }
    const open = proxy.server.socks === undefined ? openTunnel : openSocksTunnel;
    const [hostname = this.#endpoint.hostname, ...others] = this.#endpoints;
    open(socket, proxy, { hostname, port: this.#endpoint.port }, (error) => {
      if (this.#isOver) return;
      if (error === undefined && this.#isSecure) this.#startTls(socket, proxy);
      else if (error?.code !== PROXY_TARGET_CODE || others.length === 0) this.end(error);
      else this.#startAgain(others);
    });
  }

  /** Connects to the proxy again, for the next addresses of the endpoint. */
  #startAgain(endpoints: readonly string[]): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets = [];
    this.#endpoints = endpoints;
    this.#tried = 0;
    this.tryNextAddress();
  }

  #startTls(tunnel: Socket, proxy: ProxyRoute): void {
    const { tls } = this.#options;
    const socket = tls.connect({ socket: tunnel }, this.#target.hostname, this.#manner);
    this.#sockets = [socket];
    onceOpen(socket, 'tls in tunnel', (error) => {
      this.end(error && new ConnectError(error.kind, error.code, withProxyName(error.message, proxy)));
    });
  }
}

function toPeer(target: ConnectTarget, endpoint: Endpoint, proxy: ProxyRoute | undefined): Peer {
  if (proxy !== undefined) return { ...proxy.server, name: proxy.server.hostname };
  return { ...endpoint, name: target.hostname, isSecure: target.protocol === 'https:' };
}

function tryNextAddress(attempt: ConnectAttempt): void {
  attempt.tryNextAddress();
}

function expire(attempt: ConnectAttempt): void {
  attempt.expire();
}

/** Calls back when the socket can carry a request, or with an error whose kind is the phase that failed. */
function onceOpen(
  socket: Socket,
  protocol: 'tcp' | 'tls' | 'tls in tunnel',
  onOpen: (error: ConnectError | undefined) => void,
): void {
  let isConnected = protocol === 'tls in tunnel';
  const onError = (error: Error & { code?: string }) => {
    onOpen(isConnected ? toTlsError(error) : new ConnectError('connect', error.code, describeError(error)));
  };
  socket.on('error', onError);
  socket.once('connect', () => {
    isConnected = true;
  });
  socket.once(protocol === 'tcp' ? 'connect' : 'secureConnect', () => {
    socket.off('error', onError);
    onOpen(undefined);
  });
}

function toTlsError(error: Error & { code?: string }): ConnectError {
  const isReset = error.code === 'ECONNRESET';
  const message = isReset ? 'the server ended the connection during the TLS handshake' : describeError(error);
  return new ConnectError('tls', error.code, message);
}

/** Reports what a failed connect to an address means: the same error, or a resource that this machine lacks. */
export function diagnoseConnectError(
  error: ConnectError,
  address: string,
  report: (cause: ConnectError | ResourceExhaustedError) => void,
): void {
  const { code, kind, message } = error;
  const exhausted = () => new ResourceExhaustedError(code, message);
  if (kind !== 'connect') report(error);
  else if (isResourceExhausted(code)) report(exhausted());
  // Either all local ports are in use, or no local address has a route to this one.
  else if (code === 'EADDRNOTAVAIL')
    probeRoute(address, (hasRoute) => report(hasRoute ? exhausted() : error));
  else report(error);
}

const DISCARD_PORT = 9; // any port: connecting a datagram socket sends nothing

/** Whether a local address has a route to this one. A datagram socket needs one too, and has ports of its own to spare. */
function probeRoute(address: string, report: (hasRoute: boolean) => void): void {
  const socket = dgram.createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  const finish = (code?: string) => {
    socket.close();
    report(code === undefined || isResourceExhausted(code));
  };
  socket.once('connect', () => finish());
  socket.once('error', (error: Error & { readonly code?: string }) => finish(error.code ?? error.name));
  socket.connect(DISCARD_PORT, address);
}
