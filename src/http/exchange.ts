import type { Dispatcher } from 'undici';
import type { Connection } from './connection.ts';

/** Response headers by lower-case name; bytes as latin1; a list where a name came more than once. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** What the caller is told of an exchange: a head, data, and one of `onEnd` and `onError`, which is the last. */
export interface ExchangeHandler {
  onHead(status: number, headers: ResponseHeaders, statusText: string): void;
  /** The piece is of no use after the call: what is kept of it is copied. */
  onData(piece: Buffer): void;
  onEnd(): void;
  onError(error: Error & { readonly code?: string }): void;
}

/** One request as undici takes it, already checked: undici throws on one that it cannot send. */
export type ExchangeRequest = Dispatcher.DispatchOptions & { readonly origin: string };

/** Where an exchange gets its connection, and where it gives it back. */
export interface ConnectionSource {
  /** A kept connection, or else a new one. */
  takeConnection(origin: string): Connection;
  newConnection(origin: string): Connection;
  /** The exchange is over; the connection may be kept. */
  release(connection: Connection): void;
  /** The connection is of no more use. */
  discard(connection: Connection, reason: Error): void;
}

const LAST = new Error('it was the last exchange on this connection');

/**
 * One request and its answer on one connection.
 *
 * It is the handler that undici calls, and adds three things: `abort` works in every state, also while the connection
 * is being made; a kept connection that turns out to be closed is replaced once; and a 204 or 304 may say how long
 * another answer would be.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #agent: ConnectionSource;
  readonly #request: ExchangeRequest;
  readonly #handler: ExchangeHandler;
  #connection: Connection;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #hasData = false;
  #isOver = false;

  constructor(agent: ConnectionSource, request: ExchangeRequest, handler: ExchangeHandler) {
    this.#agent = agent;
    this.#request = request;
    this.#handler = handler;
    this.#connection = agent.takeConnection(request.origin);
    this.#connection.exchange = this;
  }

  start(): void {
    this.#connection.client.dispatch(this.#request, this);
  }

  /** Ends the exchange with `onError(reason)`, unless it is over. */
  abort(reason: Error): void {
    if (this.#isOver) return;
    this.#fail(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error('the exchange is over'));
  }

  onResponseStart(_: unknown, status: number, headers: ResponseHeaders, statusText = ''): void {
    if (this.#isOver || status < 200) return;
    this.#status = status;
    this.#connection.isInBody = true;
    this.#handler.onHead(status, headers, statusText);
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    if (this.#isOver) return;
    this.#hasData = true;
    this.#handler.onData(chunk);
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection.isInBody = false;
    // The server closes one that was said to be the last; undici does so on this side only later.
    if (this.#request.reset === true) this.#agent.discard(this.#connection, LAST);
    else this.#agent.release(this.#connection);
    this.#handler.onEnd();
  }

  onResponseError(_: unknown, error: Error & { code?: string }): void {
    if (this.#isOver) return;
    if (this.#isMistakenMismatch(error)) this.onResponseEnd();
    else if (this.#mayStartAfresh()) this.#startAfresh(error);
    else this.#fail(error);
  }

  #fail(error: Error): void {
    this.#isOver = true;
    this.#agent.discard(this.#connection, error);
    this.#handler.onError(error);
  }

  /** undici 7 takes the Content-Length of a 204 or 304, which says how long another answer would be, for its own. */
  #isMistakenMismatch(error: { readonly code?: string }): boolean {
    const isMismatch = error.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';
    return isMismatch && !this.#hasData && (this.#status === 204 || this.#status === 304);
  }

  /** A server may close a kept connection at the very moment it is used again; that is nobody's failure. */
  #mayStartAfresh(): boolean {
    return this.#status === 0 && this.#connection.isReused && this.#request.idempotent !== false;
  }

  #startAfresh(error: Error): void {
    this.#agent.discard(this.#connection, error);
    this.#connection = this.#agent.newConnection(this.#request.origin);
    this.#connection.exchange = this;
    this.#connection.client.dispatch(this.#request, this);
  }
}
