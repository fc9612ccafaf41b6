import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import type { ResponseHeaders } from '../model/result.ts';
import type { LookupPhase } from './dns/resolver.ts';
import { type HttpClient, transferCodings } from './http1-client.ts';
import { AttemptError } from './network-errors.ts';
import { type Peer, peerOf } from './tls.ts';

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
  /** The request is sent now, after it has waited until the server allowed one more stream. */
  onStreamFree?(): void;
  /** The name of its host, or that of its proxy, is looked up. */
  onLookup?(phase: LookupPhase): void;
}

/** One request in undici's form. undici throws on a request that it cannot send. */
export type ExchangeRequest = Dispatcher.DispatchOptions & {
  readonly origin: string;
  /** Whether the client certificate must not be shown. */
  readonly isAnonymous?: boolean;
};

/** What carries one exchange: an HTTP/1.1 connection, or a stream of an HTTP/2 session. */
export interface Carrier {
  readonly client: HttpClient;
  /** Whether the lenient parser reads the response. */
  readonly isLenient: boolean;
  /** Whether it notices if TLS is cut off instead of ended by the server. */
  readonly tellsEnd: boolean;
  /** Whether the connection has carried an exchange before, so that the server may have closed it before this one. */
  readonly isReused: boolean;
  /** Exchanges that one connection to the origin may carry, if it may carry several. */
  readonly streams?: number | undefined;
  /** Its connected socket. */
  readonly socket: Socket | undefined;
  /** The error that has ended the connection, such as a reset. */
  readonly error: Error | undefined;
  /** Whether a body is received, whose pieces are consumed as they arrive. */
  isInBody: boolean;
  /** Whether a part of the request has not been handed to the system. */
  readonly isSending: boolean;
  /** Calls back once: with true when the request has been sent, with false if the connection is closed before. */
  onceSent(onSent: (isSent: boolean) => void): void;
  /** Whether the server has ended or reset the connection; `error` may be the reason why it is closed on this side. */
  hasEnded(error: Error): boolean;
  /** Ends the exchange; the connection may be used again. */
  release(): void;
  /** Ends the exchange in any state, and what carries it. */
  discard(reason: Error): void;
}

/** Where an exchange waits that has no carrier yet. */
export interface Waiting {
  /** Whether it waits for a stream of a connection in use, and not for a connection. */
  readonly isForStream: boolean;
  /** The exchange does not wait any more. */
  cancel(): void;
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

/** How often an exchange that was not processed is sent on another connection or stream. */
const MAX_WAITS = 100;

const LAST = new Error('it was the last exchange on this connection');

/**
 * One request and its response on one connection.
 *
 * It is the handler that undici calls, and adds to undici: `abort` works in every state, also while connecting; a 204 or
 * 304 may carry the Content-Length of another response; and a reset is never the end of a body.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: ExchangeRequest;
  readonly #handler: ExchangeHandler;
  #carrier: Carrier | undefined;
  #waiting: Waiting | undefined;
  #waits = 0;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #isMarked = false;
  #hasData = false;
  #isPaused = false;
  /** Whether the response is complete, and the request is still being sent. */
  #isSending = false;
  #isOver = false;

  constructor(request: ExchangeRequest, handler: ExchangeHandler) {
    this.#request = request;
    this.#handler = handler;
  }

  /** Sends the request. An error that undici throws goes to the handler. */
  start(carrier: Carrier): void {
    const wasForStream = this.#waiting?.isForStream === true;
    this.#waiting = undefined;
    this.#carrier = carrier;
    if (wasForStream) this.#handler.onStreamFree?.();
    try {
      carrier.client.dispatch(this.#request, this);
    } catch (error) {
      this.onResponseError(undefined, error as Error); // undici throws nothing else
    }
  }

  /** Sends nothing until `start`, also if the request was sent on a carrier that did not process it. */
  wait(waiting: Waiting): void {
    this.#carrier = undefined;
    this.#waiting = waiting;
    this.#waits += 1;
  }

  onLookup(phase: LookupPhase): void {
    if (!this.#isOver) this.#handler.onLookup?.(phase);
  }

  /** Whether it may wait once more: a server must not send it away for ever. */
  get mayWait(): boolean {
    return this.#waits < MAX_WAITS;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether it waits for a stream of a connection in use. */
  get waitsForStream(): boolean {
    return this.#waiting?.isForStream === true;
  }

  /** Whether the lenient parser reads the response. Known once the head is there. */
  get isLenient(): boolean {
    return this.#carrier?.isLenient === true;
  }

  /** Exchanges that one connection to the origin may carry, if it may carry several. */
  get streams(): number | undefined {
    return this.#carrier?.streams;
  }

  /** The other end of the connection. Known once the head is there. */
  get peer(): Peer | undefined {
    const socket = this.#carrier?.socket;
    return socket && peerOf(socket);
  }

  /** Whether the response marks its end. Known once the head is there. */
  get isMarked(): boolean {
    return this.#isMarked;
  }

  /** Whether the end of the response will show if it is whole. Known once the head is there. */
  get tellsEnd(): boolean {
    return this.#isMarked || this.#carrier?.tellsEnd === true;
  }

  /** Stops reading the body until `resume`. What has been read already may still arrive, also its end. */
  pause(): void {
    if (this.#isOver) return;
    this.#isPaused = true;
    this.#carrier?.client.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#carrier?.client.resume();
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
    if (status === 408 && this.#carrier?.isReused === true) {
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
    this.#isMarked = this.#carrier?.client.marksEnds === true || marksEnd(headers);
    if (this.#carrier !== undefined) this.#carrier.isInBody = true;
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
    const reset = this.#isMarked ? undefined : this.#carrier?.error;
    if (reset !== undefined) {
      this.#fail(reset, false);
      return;
    }
    this.resume();
    const carrier = this.#carrier;
    if (carrier !== undefined) carrier.isInBody = false;
    // Like curl: a server that has succeeded may still read the request, and any other does not need it.
    const isSuccess = this.#status <= 299;
    this.#isSending = this.#request.body !== null && isSuccess && carrier?.isSending === true;
    if (!this.#isSending) this.#finish();
    else {
      carrier?.onceSent((isSent) => {
        if (this.#isOver) return;
        if (isSent) this.#finish();
        else this.#fail(UNSENT, false);
      });
    }
  }

  #finish(): void {
    this.#isOver = true;
    const carrier = this.#carrier;
    // Without a body the whole request was one small write, whose end Node may report after the response, as it does with TLS.
    const isUnsent = this.#request.body !== null && carrier?.isSending === true;
    // The server closes a connection on which `reset` was sent; undici closes this side only later.
    if (this.#request.reset === true || isUnsent) carrier?.discard(LAST);
    else carrier?.release();
    this.#handler.onEnd(this.#isMarked);
  }

  onResponseError(_: unknown, error: Error & { code?: string }): void {
    if (this.#isOver || this.#isSending) return;
    if (this.#isMistakenMismatch(error)) this.onResponseEnd();
    else this.#fail(error, this.#status === 0 && this.#carrier?.isReused === true);
  }

  /** The code of what undici accepts and must not; `undefined` if there is nothing. */
  #faultOf(status: number, headers: ResponseHeaders, statusText: string): string | undefined {
    if (hasMisreadChunks(this.#request.method, status, headers)) return 'ERR_TRANSFER_ENCODING';
    if (this.#carrier?.client.isOtherProtocol === true) return 'ERR_OTHER_PROTOCOL';
    return statusText.includes('\0') ? 'ERR_NUL' : undefined;
  }

  #fail(error: Error, isStale: boolean): void {
    this.#isOver = true;
    this.#isPaused = false;
    this.#waiting?.cancel();
    this.#carrier?.discard(error);
    this.#handler.onError(error, isStale, this.#carrier?.hasEnded(error) === true);
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
