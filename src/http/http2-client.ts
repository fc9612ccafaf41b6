import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import { INVALID_HTTP2, toHttp2Error } from './classify-error.ts';
import type { ConnectionUse, Idle } from './connection.ts';
import type { Carrier, Exchange } from './exchange.ts';
import type { DispatchHandler, HttpClient } from './http1-client.ts';
import { Http2Error } from './network-errors.ts';
import { SILENCE, SilenceProbe } from './silence-probe.ts';

/** Bytes of a body that may arrive while it is not read. Node still reads the other streams. */
const STREAM_WINDOW_BYTES = 1024 ** 2;
/** Bytes on the way over all streams. */
const SESSION_WINDOW_BYTES = 16 * 1024 ** 2;
const SESSION_OPTIONS = {
  settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES, maxHeaderListSize: 65_536 },
  maxHeaderListPairs: 2_000,
  maxSessionMemory: 1_000, // in MB; above it Node refuses responses
} as const;
/** Streams that are opened before the server of an origin has sent its limit, which should not be lower (RFC 9113, 6.5.2). */
export const ASSUMED_STREAMS = 100;
const IDLE_MS = 4_000;

/** How a connection ended while it carried exchanges. */
export interface SessionEnd {
  /** Whether it carried several. */
  readonly isShared: boolean;
  /** Whether the server broke the rules of HTTP/2 in one of them. */
  readonly isFault: boolean;
  /** Responses before. */
  readonly responses: number;
}

/** Gives exchanges to its sessions. */
export interface SessionOwner {
  /** Whether a session carries one exchange at a time. */
  readonly isIsolated: boolean;
  /** The session may carry one more exchange. */
  onRoom(): void;
  /** The session carries an exchange no more. */
  onLeft(): void;
  /** The session carries nothing. */
  onIdle(session: Http2Session): void;
  /** The connection has ended while it carried exchanges. */
  onEnd(end: SessionEnd): void;
  /** The session accepts no more exchanges. */
  onRetired(): void;
  /** The session is closed, and carries nothing. */
  onClosed(session: Http2Session): void;
  /** The exchange left its session, since the server did not process it. */
  resend(exchange: Exchange, use: ConnectionUse): void;
  /** The server wants HTTP/1.1 for this origin. */
  onHttp1Required(): void;
}

/**
 * An HTTP/2 connection (RFC 9113), which carries each exchange on a stream.
 *
 * undici 7 has an HTTP/2 client, but it sends one request at a time, takes a body that RST_STREAM cut off for complete, and
 * fails the exchanges in flight when the server sends GOAWAY.
 */
export class Http2Session implements Idle {
  older: Idle | undefined = undefined;
  newer: Idle | undefined = undefined;
  /** Whether it is in the list of idle ones. Only the owner and `evict` set it. */
  isListed = false;
  /** Whether it accepts no more exchanges. */
  isRetired = false;
  /** Host and port of its origin, as requests name them. */
  readonly authority: string;
  readonly #owner: SessionOwner;
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #streams: Http2Stream[] = [];
  readonly #probe: SilenceProbe;
  #limit: number;
  #responses = 0;
  #isClosed = false;
  #end: SessionEnd | undefined;

  /**
   * @param socket connected, with HTTP/2 negotiated
   * @param limit streams that are opened before the server has said how many it allows
   */
  constructor(owner: SessionOwner, origin: string, socket: Socket, limit: number, silence = SILENCE) {
    const session = http2.connect(origin, { ...SESSION_OPTIONS, createConnection: () => socket });
    this.#owner = owner;
    this.#session = session;
    this.#socket = socket;
    this.#limit = limit;
    this.authority = new URL(origin).host;
    this.#probe = new SilenceProbe(session, socket, silence, {
      isAllSent: () => this.#streams.every((stream) => stream.isRequestSent),
      onBroken: () => this.#die(new Http2Error('protocol', 'ERR_HTTP2_ERROR', INVALID_HTTP2)),
      onDead: (ms) => this.#die(new Http2Error('timeout', 'ERR_HTTP2_PING', deadText(ms))),
    });
    session.on('error', (error) => this.#onEnd(error));
    session.on('close', () => this.#onEnd());
    session.on('goaway', (code, lastId) => this.#onGoAway(code, lastId));
    session.on('remoteSettings', ({ maxConcurrentStreams = Number.POSITIVE_INFINITY }) => {
      this.#limit = maxConcurrentStreams;
      if (this.hasRoom) this.#owner.onRoom();
    });
    session.once('connect', () => session.setLocalWindowSize(SESSION_WINDOW_BYTES));
    session.setTimeout(IDLE_MS, () => {
      if (this.#streams.length === 0) this.#close();
    });
  }

  /** Exchanges that it carries. */
  get size(): number {
    return this.#streams.length;
  }

  /** Whether it may carry one more exchange. */
  get hasRoom(): boolean {
    if (this.isRetired || this.#session.closed || this.#session.destroyed) return false;
    return this.#streams.length < (this.#owner.isIsolated ? Math.min(1, this.#limit) : this.#limit);
  }

  /** Whether the connection has ended, and the same request may well succeed on another one. */
  get mayFailOver(): boolean {
    const end = this.#end;
    return end !== undefined && (end.responses > 0 || (end.isShared && end.isFault));
  }

  /** Exchanges that it may carry; `undefined` if each exchange gets a connection of its own. */
  get streams(): number | undefined {
    return this.#owner.isIsolated ? undefined : this.#limit;
  }

  /** Streams that the server allows. */
  get limit(): number {
    return this.#limit;
  }

  get socket(): Socket {
    return this.#socket;
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  carry(exchange: Exchange, use: ConnectionUse): void {
    const stream = new Http2Stream(this, exchange, use);
    this.#streams.push(stream);
    if (this.#streams.length === 1) this.#probe.start();
    exchange.start(stream);
  }

  /** Accepts no more exchanges, and closes after those that it has. */
  retire(): void {
    if (this.isRetired) return;
    this.isRetired = true;
    this.#owner.onRetired();
    if (this.#streams.length === 0) this.#close();
  }

  /** Aborts its exchanges, and closes. */
  abort(reason: Error): void {
    this.retire();
    for (const { exchange } of [...this.#streams]) exchange.abort(reason);
  }

  evict(): void {
    this.isListed = false;
    this.#close();
  }

  /** Opens the stream of a request. Throws if the session has ended. */
  request(headers: OutgoingHttpHeaders, endStream: boolean): ClientHttp2Stream {
    return this.#session.request(headers, { endStream });
  }

  onResponse(): void {
    this.#responses += 1;
  }

  /** A stream is over. */
  onStreamOver(stream: Http2Stream): void {
    const last = this.#streams.pop();
    if (last !== undefined && last !== stream) this.#streams[this.#streams.indexOf(stream)] = last;
    if (this.#streams.length === 0) this.#probe.stop();
    this.#owner.onLeft();
    const isEnding = this.isRetired || this.#session.closed || this.#session.destroyed;
    if (!isEnding && this.hasRoom) this.#owner.onRoom();
    if (this.#streams.length > 0 || this.#isClosed) return;
    if (isEnding) this.#close();
    else this.#owner.onIdle(this);
  }

  /**
   * Whether an exchange that was not processed is sent again at once: if this connection has responded to others, or if the
   * server allows fewer streams now than when it was sent.
   */
  resend(stream: Http2Stream): boolean {
    const isSurplus = this.#limit < stream.limit;
    if (!stream.exchange.mayWait || !(isSurplus || (this.isRetired && this.#responses > 0))) return false;
    this.#owner.resend(stream.exchange, stream.use);
    stream.leave();
    return true;
  }

  resendOverHttp1(stream: Http2Stream): void {
    this.#owner.onHttp1Required();
    this.#owner.resend(stream.exchange, stream.use);
    stream.leave();
  }

  /** The error of a stream; a milder one if the connection ended by the fault of a stream that may be another. */
  toStreamError(error: Error): Error {
    if (this.#session.destroyed) this.#onEnd(error);
    const isFaultOfOne = this.#end?.isShared === true && isProtocolError(error);
    return isFaultOfOne ? new Http2Error('reset', 'ERR_HTTP2_ERROR', FAULT_OF_ONE) : error;
  }

  /** The server accepts no more streams. One above `lastId` was certainly not processed (RFC 9113, 6.8). */
  #onGoAway(code: number, lastId: number): void {
    const wantsHttp1 = code === constants.NGHTTP2_HTTP_1_1_REQUIRED;
    if (wantsHttp1) this.#owner.onHttp1Required();
    this.retire();
    const excluded = this.#streams.filter(({ id }) => id > lastId);
    // Each goes to the front of those that wait, so the first one comes last.
    for (const stream of excluded.sort((one, other) => other.id - one.id)) {
      if (wantsHttp1) this.resendOverHttp1(stream);
      else stream.onRefused();
    }
  }

  /** The connection has ended, by `error` if there is one. */
  #onEnd(error?: Error): void {
    if (this.#end !== undefined) return;
    const isShared = this.#streams.length > 1;
    const isFault = error !== undefined && isProtocolError(error);
    this.#end = { isShared, isFault, responses: this.#responses };
    if (this.#streams.length > 0) this.#owner.onEnd(this.#end);
    this.retire();
  }

  #die(error: Http2Error): void {
    this.#onEnd(error);
    for (const stream of [...this.#streams]) stream.fail(this.toStreamError(error));
  }

  /** A session that is only destroyed after a GOAWAY waits for the server to close the socket. */
  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.isRetired = true;
    this.#probe.stop();
    this.#session.destroy();
    this.#socket.destroy();
    this.#owner.onClosed(this);
  }
}

/** One stream of a session, for one exchange. Reports the head, the data, and one end or error, in whatever way it ends. */
class Http2Stream implements Carrier, HttpClient {
  readonly exchange: Exchange;
  readonly use: ConnectionUse;
  readonly isLenient = false;
  readonly tellsEnd = true;
  readonly marksEnds = true;
  /** A response ends the exchange, also if the request is still being sent. */
  readonly isSending = false;
  readonly error = undefined;
  isInBody = false;
  /** Streams that the server allowed when this one was opened. */
  readonly limit: number;
  readonly #session: Http2Session;
  readonly #bytesRead: number;
  #stream: ClientHttp2Stream | undefined;
  #handler: DispatchHandler | undefined;
  /** Bytes of the Content-Length that have not arrived. */
  #missing = 0;
  #hasHead = false;
  #hasEndStream = false;
  #isOver = false;

  constructor(session: Http2Session, exchange: Exchange, use: ConnectionUse) {
    this.#session = session;
    this.exchange = exchange;
    this.use = use;
    this.limit = session.limit;
    this.#bytesRead = session.bytesRead;
  }

  get client(): HttpClient {
    return this;
  }

  /** The number of the stream; Infinity if it was not sent. */
  get id(): number {
    return this.#stream?.id ?? Number.POSITIVE_INFINITY;
  }

  /** Whether the whole request was written. */
  get isRequestSent(): boolean {
    return this.#stream?.writableFinished === true;
  }

  get isReused(): boolean {
    return this.#session.mayFailOver;
  }

  get streams(): number | undefined {
    return this.#session.streams;
  }

  get socket(): Socket {
    return this.#session.socket;
  }

  hasEnded(): boolean {
    return false; // nothing depends on it in HTTP/2
  }

  onceSent(): void {}

  dispatch(request: Dispatcher.DispatchOptions, handler: DispatchHandler): void {
    this.#handler = handler;
    // The body of a `Hop` is text or bytes.
    const body = request.body as string | Uint8Array | null | undefined;
    const bytes = body ? Buffer.byteLength(body) : 0;
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(toHttp2Headers(request, this.#session.authority, bytes), bytes === 0);
    } catch (error) {
      // Node throws if the server has just closed the connection.
      this.fail(toHttp2Error(error as Error, 0, false));
      return;
    }
    this.#stream = stream;
    // Node emits `end` both for the end of the stream and for a reset without an error. It pushes the end before it closes the
    // stream only for the former; the tests fail if that changes.
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown, ...rest) => {
      if (chunk === null && !stream.closed) this.#hasEndStream = true;
      return push(chunk, ...rest);
    };
    stream.once('response', (headers) => this.#guard(() => this.#start(stream, headers)));
    stream.once('end', () => this.#end(stream));
    stream.on('error', (error) => this.#failWith(stream, error));
    stream.once('close', () => this.#failWith(stream));
    if (body && bytes > 0) stream.end(body);
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  /** The server certainly did not process the request. */
  onRefused(): void {
    if (this.#isOver) return;
    if (!this.#hasHead && this.#session.resend(this)) return;
    this.fail(toHttp2Error(undefined, constants.NGHTTP2_REFUSED_STREAM, this.#hasHead));
  }

  fail(error: Error): void {
    if (this.#isOver) return;
    this.#handler?.onResponseError(undefined, error); // which discards it
  }

  release(): void {
    this.leave();
    // The rest of the request body is not needed after the response.
    if (this.#stream?.writableFinished === false) this.#stream.close();
  }

  discard(): void {
    if (this.#isOver) return;
    // If nothing has come since the stream was opened, the connection may be dead.
    if (this.#stream !== undefined && !this.#stream.closed && this.#bytesRead === this.#session.bytesRead) {
      this.#session.retire();
    }
    this.#stream?.close(constants.NGHTTP2_CANCEL);
    this.leave();
  }

  async destroy(): Promise<void> {
    this.discard();
  }

  /** Reports nothing more. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#stream?.pending === true) this.#stream.close(constants.NGHTTP2_CANCEL); // it was not sent
    this.#session.onStreamOver(this);
  }

  #start(
    stream: ClientHttp2Stream,
    { ':status': status = 0, ...headers }: IncomingHttpHeaders & IncomingHttpStatusHeader,
  ): void {
    this.#hasHead = true;
    this.#session.onResponse();
    const hasBody = stream.sentHeaders[':method'] !== 'HEAD' && status !== 204 && status !== 304;
    if (hasBody) this.#missing = Number(headers['content-length'] ?? 0);
    this.#handler?.onResponseStart(undefined, status, headers);
    stream.on('data', (chunk: Buffer) => {
      this.#missing -= chunk.length;
      this.#guard(() => this.#handler?.onResponseData(undefined, chunk));
    });
  }

  #end(stream: ClientHttp2Stream): void {
    if (this.#isOver) return;
    const isComplete = this.#hasHead && this.#hasEndStream && stream.rstCode === 0 && this.#missing <= 0;
    if (isComplete)
      this.#handler?.onResponseEnd(); // which releases it
    else this.#failWith(stream);
  }

  #failWith(stream: ClientHttp2Stream, error?: Error & { readonly code?: string }): void {
    if (this.#isOver) return;
    const { rstCode } = stream;
    const isOfHttp2 = error?.code === undefined || error.code.startsWith('ERR_HTTP2_');
    const failure = this.#session.toStreamError(toHttp2Error(error, rstCode, this.#hasHead));
    if (rstCode === constants.NGHTTP2_HTTP_1_1_REQUIRED && !this.#hasHead)
      this.#session.resendOverHttp1(this);
    else if ((stream.pending && isOfHttp2) || rstCode === constants.NGHTTP2_REFUSED_STREAM) this.onRefused();
    else this.fail(failure);
  }

  /** Fails the exchange if its handler throws, which would otherwise end the process. */
  #guard(callHandler: () => void): void {
    if (this.#isOver) return;
    try {
      callHandler();
    } catch (error) {
      this.fail(error as Error); // a bug, which is thrown as an error
    }
  }
}

// Headers of HTTP/1.1 connections, which HTTP/2 forbids (RFC 9113, 8.2.2). `host` becomes `:authority`.
const DROPPED_HEADERS: ReadonlySet<string> = new Set(['http2-settings', 'proxy-connection', 'te']);
const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** The headers of a request with its pseudo-headers (RFC 9113, 8.3.1). `bytes` is the length of its body. */
function toHttp2Headers(
  { path, method, headers }: Dispatcher.DispatchOptions,
  authority: string,
  bytes: number,
): OutgoingHttpHeaders {
  const all: OutgoingHttpHeaders = Object.create(null); // any name may come, also `__proto__`
  all[':method'] = method;
  all[':scheme'] = 'https';
  all[':authority'] = authority;
  all[':path'] = path;
  const own = (headers ?? {}) as Readonly<Record<string, string>>; // as a `Hop` has them
  for (const name of Object.keys(own)) {
    if (name === 'host') all[':authority'] = own[name];
    else if (!DROPPED_HEADERS.has(name)) all[name] = own[name];
  }
  if (bytes > 0 || METHODS_WITH_BODY.has(method)) all['content-length'] = `${bytes}`;
  return all;
}

const FAULT_OF_ONE = 'the connection ended, since one of its responses is not valid HTTP/2';

function deadText(ms: number): string {
  return `the server has sent nothing for ${Math.round(ms / 1_000)} s, nor after a ping`;
}

/** Whether the server broke the rules of HTTP/2. */
function isProtocolError(error: Error & { readonly code?: string | undefined }): boolean {
  return error instanceof Http2Error ? error.kind === 'protocol' : error.code === 'ERR_HTTP2_ERROR';
}
