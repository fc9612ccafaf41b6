import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Dispatcher } from 'undici';
import type { ConnectTarget } from './connect-target.ts';
import { type Connect, type DispatchHandler, type HttpClient, http1Client } from './http1-client.ts';
import { Http2Client } from './http2-client.ts';
import { ConnectError } from './network-errors.ts';

/** Carries exchanges over HTTP/2 where the server agreed to it during the TLS handshake, and over HTTP/1.1 elsewhere. */
export class AlpnClient implements HttpClient {
  readonly #origin: string;
  readonly #connect: Connect;
  #carrier: HttpClient | undefined;

  constructor(origin: string, connect: Connect) {
    this.#origin = origin;
    this.#connect = connect;
  }

  dispatch(request: Dispatcher.DispatchOptions, exchange: DispatchHandler): void {
    const carrier = this.#carrier;
    if (carrier !== undefined && !(carrier instanceof Http2Client && carrier.isClosed)) {
      carrier.dispatch(request, exchange);
      return;
    }
    this.#connect(targetOf(this.#origin), (error, socket) => {
      if (socket === undefined) {
        exchange.onResponseError(undefined, error ?? new Error('the connection was not made'));
        return;
      }
      this.#carrier = isHttp2(socket) ? new Http2Client(this.#origin, socket) : this.#http1(socket);
      this.#carrier.dispatch(request, exchange);
    });
  }

  async destroy(reason: Error): Promise<void> {
    await this.#carrier?.destroy(reason);
  }

  /** Begins with a socket that is connected already, and connects by itself when that one has been closed. */
  #http1(first: Socket): HttpClient {
    let next: Socket | undefined = first;
    return http1Client(this.#origin, (target, connected) => {
      const socket = next;
      next = undefined;
      // undici forgets a request for which it is connected before it has finished asking.
      if (socket !== undefined) queueMicrotask(() => connected(undefined, socket));
      else this.#connect(target, (error, other) => connected(error ?? changed(other), other));
    });
  }
}

/** undici would speak HTTP/2 by itself, see `Http2Client` for why it is not to. */
function changed(socket: Socket | undefined): Error | undefined {
  if (socket === undefined || !isHttp2(socket)) return undefined;
  socket.destroy();
  return new ConnectError('tls', undefined, 'the server has gone from HTTP/1.1 to HTTP/2');
}

function isHttp2(socket: Socket): boolean {
  return socket instanceof TLSSocket && socket.alpnProtocol === 'h2';
}

function targetOf(origin: string): ConnectTarget {
  const { hostname, protocol, port } = new URL(origin);
  return { hostname: hostname.replace(/^\[|\]$/g, ''), protocol, port };
}
