import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Dispatcher } from 'undici';
import { toConnectTarget } from './connect-target.ts';
import { type Connect, type DispatchHandler, Http1Client, type HttpClient } from './http1-client.ts';
import { Http2Client } from './http2-client.ts';
import { LenientClient } from './lenient-client.ts';
import { ConnectError } from './network-errors.ts';

/** Speaks HTTP/2 if the server selects it by ALPN (RFC 7301) in the TLS handshake, otherwise HTTP/1.1. */
export class AlpnClient implements HttpClient {
  readonly #origin: string;
  readonly #connect: Connect;
  readonly #isLenient: boolean;
  #client: HttpClient | undefined;

  /** @param isLenient whether HTTP/1.1 is read by `LenientClient`, for one exchange */
  constructor(origin: string, connect: Connect, isLenient = false) {
    this.#origin = origin;
    this.#connect = connect;
    this.#isLenient = isLenient;
  }

  get marksEnds(): boolean {
    return this.#client instanceof Http2Client;
  }

  dispatch(request: Dispatcher.DispatchOptions, handler: DispatchHandler): void {
    const client = this.#client;
    if (client !== undefined && !(client instanceof Http2Client && client.isClosed)) {
      client.dispatch(request, handler);
      return;
    }
    this.#connect(toConnectTarget(this.#origin), (error, socket) => {
      if (socket === undefined) {
        handler.onResponseError(undefined, error ?? new Error('the connection was not made'));
        return;
      }
      this.#client = isHttp2(socket) ? new Http2Client(this.#origin, socket) : this.#http1Client(socket);
      this.#client.dispatch(request, handler);
    });
  }

  pause(): void {
    this.#client?.pause();
  }

  resume(): void {
    this.#client?.resume();
  }

  async destroy(reason: Error): Promise<void> {
    await this.#client?.destroy(reason);
  }

  /** A client that starts on a connected socket, and connects by itself when that one has been closed. */
  #http1Client(connected: Socket): HttpClient {
    let first: Socket | undefined = connected;
    const connect: Connect = (target, onConnect) => {
      const socket = first;
      first = undefined;
      // undici loses the request if its connect callback is called before `connect` has returned.
      if (socket !== undefined) queueMicrotask(() => onConnect(undefined, socket));
      else this.#connect(target, (error, next) => onConnect(error ?? rejectHttp2(next), next));
    };
    return this.#isLenient
      ? new LenientClient(this.#origin, connect)
      : new Http1Client(this.#origin, connect);
  }
}

/** undici would speak its own HTTP/2 on this socket; `Http2Client` says why it must not. */
function rejectHttp2(socket: Socket | undefined): Error | undefined {
  if (socket === undefined || !isHttp2(socket)) return undefined;
  socket.destroy();
  return new ConnectError('tls', undefined, 'the server has gone from HTTP/1.1 to HTTP/2');
}

function isHttp2(socket: Socket): boolean {
  return socket instanceof TLSSocket && socket.alpnProtocol === 'h2';
}
