import dgram from 'node:dgram';
import net, { isIPv6, type Socket } from 'node:net';
import { describeError } from './classify-error.ts';
import { type ConnectTarget, toPort } from './connect-target.ts';
import { openTunnel } from './connect-tunnel.ts';
import type { Resolver } from './dns/resolver.ts';
import { ConnectError, isResourceExhausted, ResourceExhaustedError } from './network-errors.ts';
import { type ProxyRoute, type ProxyRoutes, proxyUnreachableError, withProxyName } from './proxy.ts';
import { SharedBufferSocket } from './shared-buffer-socket.ts';
import { type AddressPolicy, filterAllowed } from './ssrf-guard.ts';
import type { TlsConnector } from './tls.ts';

interface ConnectorOptions {
  readonly resolver: Resolver;
  /** Time in ms for connect, tunnel and TLS together. The lookup before them has its own, see `Resolver`. */
  readonly connectTimeoutMs: number;
  readonly tls: TlsConnector;
  /** Decides on each address before it is connected to, whatever name led there. */
  readonly addressPolicy?: AddressPolicy | undefined;
  readonly proxies?: ProxyRoutes | undefined;
  /** For TLS with a proxy itself; `tls` if left out. */
  readonly proxyTls?: TlsConnector | undefined;
}

/** Called once, with either a connected socket or an error. */
type OnConnect = (error: Error | undefined, socket: Socket | undefined) => void;

/** Makes connections: lookup, connect to the first address that accepts, CONNECT tunnel, TLS. Never throws. */
export class Connector {
  readonly #options: ConnectorOptions;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  /** Whether servers may select HTTP/2; `alpnProtocol` of the socket says which protocol they selected. */
  get offersHttp2(): boolean {
    return this.#options.tls.offersHttp2;
  }

  /** Starts to connect. Returns a function that cancels it in any phase; `onConnect` then gets the reason. */
  connect(target: ConnectTarget, onConnect: OnConnect): (reason: Error) => void {
    const attempt = new ConnectAttempt(this.#options, target, onConnect);
    attempt.start();
    return (reason) => attempt.end(reason);
  }
}

/** What is connected to directly: the target, or a proxy. */
interface Peer {
  readonly hostname: string;
  readonly port: number;
  readonly isSecure: boolean;
}

class ConnectAttempt {
  readonly #options: ConnectorOptions;
  readonly #target: ConnectTarget;
  readonly #onConnect: OnConnect;
  /** The proxy that tunnels to the target. */
  readonly #tunnel: ProxyRoute | undefined;
  /** The proxy that is connected to: the one that tunnels, or the target itself. */
  readonly #proxy: ProxyRoute | undefined;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: ConnectorOptions, target: ConnectTarget, onConnect: OnConnect) {
    this.#options = options;
    this.#target = target;
    this.#onConnect = onConnect;
    this.#tunnel = options.proxies?.tunnelProxyFor(target);
    this.#proxy = this.#tunnel ?? options.proxies?.proxyAt(target);
  }

  start(): void {
    const { connectTimeoutMs, addressPolicy, resolver } = this.#options;
    const peer = this.#proxy?.server ?? toPeer(this.#target);
    resolver.resolve(peer.hostname, peer.port, (error, addresses) => {
      if (this.#isOver) return;
      const allowed = error ?? filterAllowed(addresses, addressPolicy);
      if (allowed instanceof Error) {
        this.#fail(allowed);
        return;
      }
      this.#timer = setTimeout(expire, connectTimeoutMs, this);
      this.#tryAddress(peer, allowed, 0);
    });
  }

  /** Ends the attempt with its connected socket, or with an error. */
  end(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (error !== undefined) this.#socket?.destroy();
    this.#onConnect(error, error === undefined ? this.#socket : undefined);
  }

  expire(): void {
    const through = this.#tunnel === undefined ? '' : ` through the proxy ${this.#tunnel.name}`;
    const peer = this.#proxy === this.#tunnel ? this.#target.hostname : `the proxy ${this.#proxy?.name}`;
    const message = `no connection to ${peer}${through} within ${this.#options.connectTimeoutMs}ms`;
    this.end(new ConnectError('timeout', 'ERR_CONNECT_TIMEOUT', message));
  }

  #tryAddress(peer: Peer, addresses: readonly string[], index: number): void {
    const address = addresses[index];
    if (this.#isOver || address === undefined) return;
    const socket = this.#openSocket(peer, address);
    this.#socket = socket;
    socket.setNoDelay(true);
    // An address that does not respond must leave time for the addresses after it.
    const isLast = index + 1 === addresses.length;
    const shareMs = this.#options.connectTimeoutMs / addresses.length;
    const timer = isLast ? undefined : setTimeout(abandonAddress, shareMs, socket, address).unref();
    onceOpen(socket, peer.isSecure ? 'tls' : 'tcp', (error) => {
      clearTimeout(timer);
      if (error === undefined) this.#onPeerConnected(socket);
      else
        diagnoseConnectError(error, address, (cause) => this.#onAddressFailed(cause, peer, addresses, index));
    });
  }

  #openSocket({ hostname, port, isSecure }: Peer, address: string): Socket {
    const { tls, proxyTls = tls } = this.#options;
    if (isSecure) return (this.#proxy === undefined ? tls : proxyTls).connect({ address, port }, hostname);
    // TLS reads from the socket of a tunnel in its own way.
    if (this.#tunnel !== undefined) return net.connect({ host: address, port });
    return new SharedBufferSocket().connect(port, address);
  }

  /** Tries the next address, unless this machine lacks a resource, which the next one needs as well. */
  #onAddressFailed(
    error: ConnectError | ResourceExhaustedError,
    peer: Peer,
    addresses: readonly string[],
    index: number,
  ): void {
    const hasNext = error instanceof ConnectError && index + 1 < addresses.length;
    if (hasNext) this.#tryAddress(peer, addresses, index + 1);
    else this.#fail(error);
  }

  #fail(error: Error): void {
    this.end(this.#proxy === undefined ? error : proxyUnreachableError(this.#proxy, error));
  }

  #onPeerConnected(socket: Socket): void {
    const proxy = this.#tunnel;
    if (proxy === undefined) {
      this.end();
      return;
    }
    openTunnel(socket, proxy, this.#target, (error) => {
      if (error === undefined) this.#startTls(socket, proxy);
      else this.end(error);
    });
  }

  #startTls(tunnel: Socket, proxy: ProxyRoute): void {
    this.#socket = this.#options.tls.connect({ socket: tunnel }, this.#target.hostname);
    onceOpen(this.#socket, 'tls in tunnel', (error) => {
      this.end(error && new ConnectError(error.kind, error.code, withProxyName(error.message, proxy)));
    });
  }
}

function toPeer(target: ConnectTarget): Peer {
  return { hostname: target.hostname, port: toPort(target), isSecure: target.protocol === 'https:' };
}

function abandonAddress(socket: Socket, address: string): void {
  socket.destroy(
    Object.assign(new Error(`no connection to ${address} in its share of the time`), { code: 'ETIMEDOUT' }),
  );
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
