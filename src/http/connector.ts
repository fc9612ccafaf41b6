import dgram from 'node:dgram';
import net, { isIPv6, type Socket } from 'node:net';
import { explain } from './classify-error.ts';
import { type ConnectTarget, portOf } from './connect-target.ts';
import { openTunnel } from './connect-tunnel.ts';
import type { Resolver } from './dns/resolver.ts';
import { ConnectError, isResourceExhausted, ResourceExhaustedError } from './network-errors.ts';
import { type ProxyRoute, type ProxyRoutes, throughProxy, unreachableProxy } from './proxy.ts';
import { SharedBufferSocket } from './shared-buffer-socket.ts';
import { type AddressPolicy, allowedOf } from './ssrf-guard.ts';
import type { TlsConnector } from './tls.ts';

interface Phase {
  /** Whether TLS is spoken on it. */
  readonly isSecure: boolean;
  /** Whether it is connected already. */
  readonly isConnected: boolean;
}

/** Calls back when the socket can carry a request, or cannot be made to. */
function whenOpen(
  socket: Socket,
  { isSecure, isConnected }: Phase,
  opened: (error: ConnectError | undefined) => void,
): void {
  let hasConnected = isConnected;
  const failed = (error: Error & { code?: string }) => {
    opened(hasConnected ? tlsError(error) : new ConnectError('connect', error.code, explain(error)));
  };
  socket.on('error', failed);
  socket.once('connect', () => {
    hasConnected = true;
  });
  socket.once(isSecure ? 'secureConnect' : 'connect', () => {
    socket.off('error', failed);
    opened(undefined);
  });
}

function tlsError(error: Error & { code?: string }): ConnectError {
  const isReset = error.code === 'ECONNRESET';
  const message = isReset ? 'the server ended the connection during the TLS handshake' : explain(error);
  return new ConnectError('tls', error.code, message);
}

// Any port will do: connecting a datagram socket sends nothing.
const DISCARD_PORT = 9;

/** Reports what it means that an address could not be connected to: a failure of the host, as it was, or a shortage. */
export function connectFailure(
  error: ConnectError,
  address: string,
  report: (failure: ConnectError | ResourceExhaustedError) => void,
): void {
  const { code, kind, message } = error;
  // There is no free local port, or no local address at all from which this one can be reached.
  if (kind === 'connect' && code === 'EADDRNOTAVAIL') {
    hasWayTo(address, (has) => report(has ? new ResourceExhaustedError(code, message) : error));
  } else
    report(
      kind === 'connect' && isResourceExhausted(code) ? new ResourceExhaustedError(code, message) : error,
    );
}

/** A datagram socket needs a local address just as well, and has ports of its own, of which there is no lack. */
function hasWayTo(address: string, tell: (has: boolean) => void): void {
  const socket = dgram.createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  const answer = (code?: string) => {
    socket.close();
    tell(code === undefined || isResourceExhausted(code));
  };
  socket.once('connect', () => answer());
  socket.once('error', (error: Error & { readonly code?: string }) => answer(error.code ?? error.name));
  socket.connect(DISCARD_PORT, address);
}

interface ConnectorOptions {
  readonly resolver: Resolver;
  /**
   * Time in ms for connection, tunnel and TLS together. The look-up before it has a time of its own, see `Resolver`.
   */
  readonly connectTimeoutMs: number;
  readonly secure: TlsConnector;
  /** Asked for each address that is about to be connected to, whatever name led there. */
  readonly refuse?: AddressPolicy | undefined;
  readonly proxies?: ProxyRoutes | undefined;
  /** For TLS with a proxy itself (`secure`). */
  readonly secureProxy?: TlsConnector | undefined;
}

/** Called once, with a connected socket or with an error. */
type Dialed = (error: Error | undefined, socket: Socket | undefined) => void;

/**
 * Makes connections: name → addresses → the first that answers → tunnel through a proxy → TLS. Never throws, and can be
 * called off at any time.
 */
export class Connector {
  readonly #options: ConnectorOptions;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  /** Whether servers may choose HTTP/2; the socket then says what was agreed on. */
  get offersHttp2(): boolean {
    return this.#options.secure.offersHttp2;
  }

  /** Returns a function that calls the connection off; `dialed` then gets the reason. */
  dial(target: ConnectTarget, dialed: Dialed): (reason: Error) => void {
    const dial = new Dial(this.#options, target, dialed);
    dial.start();
    return (reason) => dial.end(reason);
  }
}

/** What is connected to directly: the target, or a proxy. */
interface Peer {
  readonly hostname: string;
  readonly port: number;
  readonly isSecure: boolean;
}

/** One connection in the making. */
class Dial {
  readonly #options: ConnectorOptions;
  readonly #target: ConnectTarget;
  readonly #dialed: Dialed;
  /** The proxy that is asked for a tunnel. */
  readonly #tunnel: ProxyRoute | undefined;
  /** The proxy that is connected to: that one, or the target itself. */
  readonly #proxy: ProxyRoute | undefined;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: ConnectorOptions, target: ConnectTarget, dialed: Dialed) {
    this.#options = options;
    this.#target = target;
    this.#dialed = dialed;
    this.#tunnel = options.proxies?.tunnel(target);
    this.#proxy = this.#tunnel ?? options.proxies?.itself(target);
  }

  start(): void {
    const { connectTimeoutMs, refuse, resolver } = this.#options;
    const peer = this.#proxy?.server ?? peerOf(this.#target);
    resolver.resolve(peer.hostname, peer.port, (error, addresses) => {
      if (this.#isOver) return;
      const allowed = error ?? allowedOf(addresses, refuse);
      if (allowed instanceof Error) {
        this.#fail(allowed);
        return;
      }
      this.#timer = setTimeout(expire, connectTimeoutMs, this);
      this.#try(peer, allowed, 0);
    });
  }

  /** Ends it with the socket that is connected by now, or with an error. */
  end(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (error !== undefined) this.#socket?.destroy();
    this.#dialed(error, error === undefined ? this.#socket : undefined);
  }

  expire(): void {
    const { hostname } = this.#target;
    const way = this.#tunnel === undefined ? '' : ` through the proxy ${this.#tunnel.name}`;
    const goal = this.#proxy === this.#tunnel ? hostname : `the proxy ${this.#proxy?.name}`;
    const message = `no connection to ${goal}${way} within ${this.#options.connectTimeoutMs}ms`;
    this.end(new ConnectError('timeout', 'ERR_CONNECT_TIMEOUT', message));
  }

  #try(peer: Peer, addresses: readonly string[], index: number): void {
    const address = addresses[index];
    if (this.#isOver || address === undefined) return;
    const { secure, secureProxy = secure } = this.#options;
    const { hostname, port, isSecure } = peer;
    const tls = this.#proxy === undefined ? secure : secureProxy;
    const socket = isSecure ? tls.connect({ address, port }, hostname) : this.#plain(address, port);
    this.#socket = socket;
    socket.setNoDelay(true);
    // An address that swallows what is sent to it must not use up the time of those behind it.
    const isLast = index + 1 === addresses.length;
    const shareMs = this.#options.connectTimeoutMs / addresses.length;
    const share = isLast ? undefined : setTimeout(giveUp, shareMs, socket, address).unref();
    whenOpen(socket, { isSecure, isConnected: false }, (error) => {
      clearTimeout(share);
      if (error === undefined) this.#opened(socket);
      else connectFailure(error, address, (failure) => this.#failed(failure, peer, addresses, index));
    });
  }

  /** A tunnel is for TLS, which reads from it in its own way. */
  #plain(host: string, port: number): Socket {
    return this.#tunnel === undefined
      ? new SharedBufferSocket().connect(port, host)
      : net.connect({ host, port });
  }

  /** An address could not be connected to; where this machine is at its limits, the next one cannot either. */
  #failed(
    failure: ConnectError | ResourceExhaustedError,
    peer: Peer,
    addresses: readonly string[],
    index: number,
  ): void {
    const hasMore = failure instanceof ConnectError && index + 1 < addresses.length;
    if (hasMore) this.#try(peer, addresses, index + 1);
    else this.#fail(failure);
  }

  /** The peer could not be reached. */
  #fail(error: Error): void {
    this.end(this.#proxy === undefined ? error : unreachableProxy(this.#proxy, error));
  }

  #opened(socket: Socket): void {
    const proxy = this.#tunnel;
    if (proxy === undefined) {
      this.end();
      return;
    }
    openTunnel(socket, proxy, this.#target, (error) => {
      if (error === undefined) this.#secure(socket, proxy);
      else this.end(error);
    });
  }

  #secure(tunnel: Socket, proxy: ProxyRoute): void {
    this.#socket = this.#options.secure.connect({ socket: tunnel }, this.#target.hostname);
    whenOpen(this.#socket, { isSecure: true, isConnected: true }, (error) => {
      this.end(error && new ConnectError(error.kind, error.code, throughProxy(error.message, proxy)));
    });
  }
}

function peerOf(target: ConnectTarget): Peer {
  return { hostname: target.hostname, port: portOf(target), isSecure: target.protocol === 'https:' };
}

function giveUp(socket: Socket, address: string): void {
  socket.destroy(
    Object.assign(new Error(`no connection to ${address} in its share of the time`), { code: 'ETIMEDOUT' }),
  );
}

function expire(dial: Dial): void {
  dial.expire();
}
