import type { Dispatcher } from 'undici';
import type { ResponseHeaders } from '../model/result.ts';
import type { Connection } from './connection.ts';
import { transferCodings } from './http1-client.ts';
import { AttemptError } from './network-errors.ts';

/** Receives the events of an exchange: a head, data, and at last either `onEnd` or `onError`. */
export interface ExchangeHandler {
  onHead(status: number, headers: ResponseHeaders, statusText: string): void;
  /** The buffer is reused after the call: copy what you keep. */
  onData(piece: Buffer): void;
  /** @param isMarked whether the response marked its end, so that it is whole, and not only the connection that ended */
  onEnd(isMarked: boolean): void;
  /**
   * @param isStale the connection had carried an exchange before, and failed before any byte of a response
   * @param hasEnded the server had ended or reset the connection before
   */
  onError(error: Error & { readonly code?: string }, isStale: boolean, hasEnded?: boolean): void;
}

/** One request in undici's form. undici throws on a request that it cannot send. */
export type ExchangeRequest = Dispatcher.DispatchOptions & {
  readonly origin: string;
  /** Whether the client certificate must not be shown. */
  readonly isAnonymous?: boolean;
};

/** Takes connections back. */
interface ConnectionPool {
  /** The exchange is over; the connection may be used again. */
  release(connection: Connection): void;
  /** Closes a connection that is not to be used again. */
  discard(connection: Connection, reason: Error): void;
}

/** undici took something for a response, or for its body, that is not. */
class MisreadError extends Error {
  override readonly name = 'MisreadError';
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** undici's parser takes `chunked` only at the very end of Transfer-Encoding, spaces aside. Otherwise it takes chunks for the body. */
function hasMisreadChunks(method: string, status: number, headers: ResponseHeaders): boolean {
  const { 'transfer-encoding': header } = headers;
  if (header === undefined || header === 'chunked') return false;
  const isBodiless = method === 'HEAD' || status === 204 || status === 304;
  return !isBodiless && transferCodings(headers).at(-1) === 'chunked' && !/chunked *$/i.test(`${header}`);
}

/**
 * A 408 on a kept connection says that it was idle for too long, and may have been sent before the request (RFC 9110, 15.5.9).
 * Browsers send the request again on a new connection.
 */
const IDLE_TOO_LONG = new AttemptError(
  'reset',
  undefined,
  'the server closed the kept connection with a 408',
);

const UNSENT = new AttemptError(
  'reset',
  undefined,
  'the server sent a response and closed the connection before the request was sent',
);

const LAST = new Error('it was the last exchange on this connection');

/**
 * One request and its response on one connection.
 *
 * It is the handler that undici calls, and adds to undici: `abort` works in every state, also while connecting; a 204 or
 * 304 may carry the Content-Length of another response; and a reset is never the end of a body.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #pool: ConnectionPool;
  readonly #connection: Connection;
  readonly #request: ExchangeRequest;
  readonly #handler: ExchangeHandler;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #isMarked = false;
  #hasData = false;
  #isPaused = false;
  /** Whether the response is complete, and the request is still being sent. */
  #isSending = false;
  #isOver = false;

  constructor(
    pool: ConnectionPool,
    connection: Connection,
    request: ExchangeRequest,
    handler: ExchangeHandler,
  ) {
    this.#pool = pool;
    this.#connection = connection;
    this.#request = request;
    this.#handler = handler;
    connection.exchange = this;
  }

  start(): void {
    this.#connection.client.dispatch(this.#request, this);
  }

  /** Whether the lenient parser reads the response. Known once the head is there. */
  get isLenient(): boolean {
    return this.#connection.isLenient && this.#connection.client.marksEnds !== true;
  }

  /** Whether the response marks its end. Known once the head is there. */
  get isMarked(): boolean {
    return this.#isMarked;
  }

  /** Whether the end of the response will show if it is whole. Known once the head is there. */
  get tellsEnd(): boolean {
    return this.#isMarked || this.#connection.tellsEnd;
  }

  /** Stops reading the body until `resume`. What has been read already may still arrive, also its end. */
  pause(): void {
    if (this.#isOver) return;
    this.#isPaused = true;
    this.#connection.client.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#connection.client.resume();
  }

  /** Ends the exchange with `onError(reason)`, unless it is over. */
  abort(reason: Error): void {
    if (this.#isOver) return;
    this.#fail(reason, false);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error('the exchange is over'));
  }

  onResponseStart(_: unknown, status: number, headers: ResponseHeaders, statusText = ''): void {
    if (this.#isOver || status < 200) return;
    if (status === 408 && this.#connection.isReused) {
      this.#fail(IDLE_TOO_LONG, true);
      this.#controller?.abort(IDLE_TOO_LONG);
      return;
    }
    const fault = this.#faultOf(status, headers, statusText);
    if (fault !== undefined) {
      this.abort(new MisreadError(fault));
      return;
    }
    this.#status = status;
    this.#isMarked = this.#connection.client.marksEnds === true || marksEnd(headers);
    this.#connection.isInBody = true;
    this.#handler.onHead(status, headers, statusText);
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    if (this.#isOver) return;
    this.#hasData = true;
    this.#handler.onData(chunk);
  }

  onResponseEnd(): void {
    if (this.#isOver || this.#isSending) return;
    // undici takes a reset for the end of a body that has no length.
    const reset = this.#isMarked ? undefined : this.#connection.error;
    if (reset !== undefined) {
      this.#fail(reset, false);
      return;
    }
    this.resume();
    this.#connection.isInBody = false;
    // Like curl: a server that has succeeded may still read the request, and any other does not need it.
    const isSuccess = this.#status <= 299;
    this.#isSending = this.#request.body !== null && isSuccess && this.#connection.isSending;
    if (!this.#isSending) this.#finish();
    else {
      this.#connection.onceSent((isSent) => {
        if (this.#isOver) return;
        if (isSent) this.#finish();
        else this.#fail(UNSENT, false);
      });
    }
  }

  #finish(): void {
    this.#isOver = true;
    // The server closes a connection on which `reset` was sent; undici closes this side only later.
    if (this.#request.reset === true || this.#connection.isSending)
      this.#pool.discard(this.#connection, LAST);
    else this.#pool.release(this.#connection);
    this.#handler.onEnd(this.#isMarked);
  }

  onResponseError(_: unknown, error: Error & { code?: string }): void {
    if (this.#isOver || this.#isSending) return;
    if (this.#isMistakenMismatch(error)) this.onResponseEnd();
    else this.#fail(error, this.#status === 0 && this.#connection.isReused);
  }

  /** The code of what undici accepts and must not; `undefined` if there is nothing. */
  #faultOf(status: number, headers: ResponseHeaders, statusText: string): string | undefined {
    if (hasMisreadChunks(this.#request.method, status, headers)) return 'ERR_TRANSFER_ENCODING';
    if (this.#connection.client.isOtherProtocol === true) return 'ERR_OTHER_PROTOCOL';
    return statusText.includes('\0') ? 'ERR_NUL' : undefined;
  }

  #fail(error: Error, isStale: boolean): void {
    this.#isOver = true;
    this.#isPaused = false;
    this.#pool.discard(this.#connection, error);
    this.#handler.onError(error, isStale, this.#connection.hasEnded(error));
  }

  /** undici 7 expects a body of the Content-Length of a 204 or 304, which has none. */
  #isMistakenMismatch(error: { readonly code?: string }): boolean {
    const isMismatch = error.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';
    return isMismatch && !this.#hasData && (this.#status === 204 || this.#status === 304);
  }
}

/** Whether the end of a body with this head is marked by its length or its last chunk (RFC 9112, 6.3). */
function marksEnd(headers: ResponseHeaders): boolean {
  const codings = transferCodings(headers);
  return codings.length === 0 ? headers['content-length'] !== undefined : codings.at(-1) === 'chunked';
}
