import http2, { type ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import type { CarriedExchange, Carrier } from './carrier.ts';
import { Http2Answer } from './http2-answer.ts';
import { http2Failure } from './http2-failure.ts';
import { http2Headers } from './http2-headers.ts';

const WINDOW_BYTES = 1024 ** 2;
const SESSION_OPTIONS = {
  settings: { enablePush: false, initialWindowSize: WINDOW_BYTES, maxHeaderListSize: 65_536 },
  maxHeaderListPairs: 2_000,
} as const;
const IDLE_MS = 4_000;

/**
 * Carries exchanges over one HTTP/2 connection, one at a time as HTTP/1.1 does, so that a connection is one socket
 * wherever sockets are counted, and an exchange that has to be cut off takes no other with it.
 *
 * undici 7 has HTTP/2 of its own, which takes a body that was cut off by RST_STREAM for a whole one, and fails what is
 * under way when the server says by GOAWAY that it is the last.
 */
export class Http2Client implements Carrier {
  readonly #session: ClientHttp2Session;
  #isBusy = false;

  /** `socket` is connected, and HTTP/2 agreed on. */
  constructor(origin: string, socket: Socket) {
    const session = http2.connect(origin, { ...SESSION_OPTIONS, createConnection: () => socket });
    this.#session = session;
    session.on('error', () => {}); // the stream under way has it, too
    session.once('connect', () => session.setLocalWindowSize(WINDOW_BYTES));
    session.setTimeout(IDLE_MS, () => {
      if (!this.#isBusy) session.destroy();
    });
  }

  /** Whether the connection takes no more exchanges: the server has said so, or it is gone. */
  get isClosed(): boolean {
    return this.#session.closed || this.#session.destroyed;
  }

  dispatch(request: Dispatcher.DispatchOptions, exchange: CarriedExchange): void {
    // What a `Hop` sends is text or bytes.
    const body = request.body as string | Uint8Array | null | undefined;
    const bytes = body ? Buffer.byteLength(body) : 0;
    try {
      const stream = this.#session.request(http2Headers(request, bytes), { endStream: bytes === 0 });
      this.#isBusy = true;
      new Http2Answer(stream, exchange, () => {
        this.#isBusy = false;
      });
      if (body && bytes > 0) stream.end(body);
    } catch (error) {
      // Node throws when the server has just closed the connection.
      exchange.onResponseError(undefined, http2Failure(error as Error, 0, false));
    }
  }

  async destroy(): Promise<void> {
    this.#session.destroy();
  }
}
