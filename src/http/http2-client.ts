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
import { describeError } from './classify-error.ts';
import type { DispatchHandler, HttpClient } from './http1-client.ts';
import { NetworkError } from './network-errors.ts';

const WINDOW_BYTES = 1024 ** 2;
const SESSION_OPTIONS = {
  settings: { enablePush: false, initialWindowSize: WINDOW_BYTES, maxHeaderListSize: 65_536 },
  maxHeaderListPairs: 2_000,
} as const;
const IDLE_MS = 4_000;
/** Time in ms of silence before the first ping of a request, and for which a ping is waited to be written. */
const FIRST_PROBE_MS = 100;

/**
 * An HTTP/2 connection for one exchange at a time, as with HTTP/1.1: every connection is one socket wherever sockets are
 * counted, and cutting an exchange off cannot affect another one.
 *
 * undici 7 has an HTTP/2 client, but it takes a body that RST_STREAM cut off for complete, and fails the exchange in flight
 * when the server sends GOAWAY.
 */
export class Http2Client implements HttpClient {
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  /** The response in flight. */
  #response: Http2Response | undefined;
  #probeTimer: NodeJS.Timeout | undefined;

  /** @param socket connected, with HTTP/2 negotiated */
  constructor(origin: string, socket: Socket) {
    const session = http2.connect(origin, { ...SESSION_OPTIONS, createConnection: () => socket });
    this.#session = session;
    this.#socket = socket;
    session.on('error', () => {}); // the stream in flight gets the error as well
    session.on('goaway', (_code, lastId) => this.#onGoAway(lastId));
    session.once('connect', () => session.setLocalWindowSize(WINDOW_BYTES));
    session.setTimeout(IDLE_MS, () => this.#closeIfIdle());
  }

  /** Whether the connection accepts no more requests, because of a GOAWAY or because it has ended. */
  get isClosed(): boolean {
    return this.#session.closed || this.#session.destroyed;
  }

  dispatch(request: Dispatcher.DispatchOptions, handler: DispatchHandler): void {
    // The body of a `Hop` is text or bytes.
    const body = request.body as string | Uint8Array | null | undefined;
    const bytes = body ? Buffer.byteLength(body) : 0;
    try {
      const stream = this.#session.request(toHttp2Headers(request, bytes), { endStream: bytes === 0 });
      const response = new Http2Response(stream, handler, () => {
        this.#response = undefined;
        clearTimeout(this.#probeTimer);
        if (this.isClosed) this.#close();
      });
      this.#response = response;
      this.#watch(response);
      if (body && bytes > 0) stream.end(body);
    } catch (error) {
      // Node throws if the server has just closed the connection.
      handler.onResponseError(undefined, toHttp2Error(error as Error, 0, false));
    }
  }

  pause(): void {
    this.#response?.pause();
  }

  resume(): void {
    this.#response?.resume();
  }

  async destroy(): Promise<void> {
    this.#close();
  }

  /** The server accepts no more streams. One above `lastId` was certainly not processed (RFC 9113, 6.8). */
  #onGoAway(lastId: number): void {
    this.#response?.onGoAway(lastId);
    this.#closeIfIdle();
  }

  /**
   * Finds out whether the session has ended because the server broke the rules, which Node 20 does not report: it then
   * writes nothing more, so a ping is not written either. Pings only when received bytes are followed by silence, and
   * waits twice as long after each ping.
   */
  #watch(response: Http2Response): void {
    const socket = this.#socket;
    let delayMs = FIRST_PROBE_MS;
    let { bytesRead } = socket;
    let isDirty = false;
    let pingedAt: number | undefined;
    const probe = () => {
      if (pingedAt === socket.bytesWritten) {
        response.fail(new Http2Error('protocol', 'ERR_HTTP2_ERROR', 'the response is not valid HTTP/2'));
        return;
      }
      pingedAt = undefined;
      if (bytesRead !== socket.bytesRead) isDirty = true;
      else if (isDirty && response.isRequestSent) {
        isDirty = false;
        delayMs *= 2;
        const before = socket.bytesWritten;
        const isSent = this.#ping(() => {
          bytesRead = socket.bytesRead;
        });
        if (isSent) pingedAt = before;
      }
      bytesRead = socket.bytesRead;
      this.#probeTimer = setTimeout(probe, pingedAt === undefined ? delayMs : FIRST_PROBE_MS);
    };
    this.#probeTimer = setTimeout(probe, delayMs);
  }

  #ping(onResponse: () => void): boolean {
    return !this.isClosed && this.#session.ping(onResponse);
  }

  #closeIfIdle(): void {
    if (this.#response === undefined) this.#close();
  }

  /** A session that is only destroyed after a GOAWAY waits for the server to close the socket. */
  #close(): void {
    clearTimeout(this.#probeTimer);
    this.#session.destroy();
    this.#socket.destroy();
  }
}

/** The response on one stream. Reports the head, the data, and one end or error, in whatever way the stream ends. */
class Http2Response {
  readonly #stream: ClientHttp2Stream;
  readonly #handler: DispatchHandler;
  readonly #onOver: () => void;
  /** Bytes of the Content-Length that have not arrived. */
  #missing = 0;
  #hasHead = false;
  #hasEndStream = false;
  #isOver = false;

  /** @param onOver called before the handler gets the end or the error */
  constructor(stream: ClientHttp2Stream, handler: DispatchHandler, onOver: () => void) {
    this.#stream = stream;
    this.#handler = handler;
    this.#onOver = onOver;
    // Node emits `end` both for the end of the stream and for a reset without an error. It pushes the end before it closes the
    // stream only for the former; the tests fail if that changes.
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown, ...rest) => {
      if (chunk === null && !stream.closed) this.#hasEndStream = true;
      return push(chunk, ...rest);
    };
    stream.once('response', (headers) => this.#guard(() => this.#start(headers)));
    stream.once('end', () => this.#end());
    stream.once('error', (error) => this.#failWith(error));
    stream.once('close', () => this.#failWith());
  }

  /** Whether the whole request was written. */
  get isRequestSent(): boolean {
    return this.#stream.writableFinished;
  }

  onGoAway(lastId: number): void {
    const { id = 0 } = this.#stream;
    if (id > lastId) this.fail(toHttp2Error(undefined, constants.NGHTTP2_REFUSED_STREAM, this.#hasHead));
  }

  fail(error: Error): void {
    if (this.#isOver) return;
    this.#finish();
    this.#handler.onResponseError(undefined, error);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  #start({ ':status': status = 0, ...headers }: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    this.#hasHead = true;
    const hasBody = this.#stream.sentHeaders[':method'] !== 'HEAD' && status !== 204 && status !== 304;
    if (hasBody) this.#missing = Number(headers['content-length'] ?? 0);
    this.#handler.onResponseStart(undefined, status, headers);
    this.#stream.on('data', (chunk: Buffer) => {
      this.#missing -= chunk.length;
      this.#guard(() => this.#handler.onResponseData(undefined, chunk));
    });
  }

  #end(): void {
    const isComplete =
      this.#hasHead && this.#hasEndStream && this.#stream.rstCode === 0 && this.#missing <= 0;
    if (this.#isOver) return;
    if (!isComplete) {
      this.#failWith();
      return;
    }
    this.#finish();
    this.#handler.onResponseEnd();
  }

  #failWith(error?: Error): void {
    this.fail(toHttp2Error(error, this.#stream.rstCode, this.#hasHead));
  }

  #finish(): void {
    this.#isOver = true;
    this.#onOver();
    // The rest of the request body is not needed after the response.
    if (!this.#stream.writableFinished) this.#stream.close();
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
const DROPPED_HEADERS: ReadonlySet<string> = new Set(['host', 'http2-settings', 'proxy-connection', 'te']);
const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** The headers of a request with its pseudo-headers (RFC 9113, 8.3.1). `bytes` is the length of its body. */
function toHttp2Headers(request: Dispatcher.DispatchOptions, bytes: number): OutgoingHttpHeaders {
  const { origin, path, method } = request;
  const headers = Object.entries(request.headers ?? {}) as [string, string][]; // as a `Hop` has them
  const host = headers.find(([name]) => name === 'host')?.[1];
  const length = bytes > 0 || METHODS_WITH_BODY.has(method) ? { 'content-length': `${bytes}` } : {};
  return {
    ':method': method,
    ':scheme': 'https',
    ':authority': host ?? new URL(`${origin}`).host,
    ':path': path,
    ...Object.fromEntries(headers.filter(([name]) => !DROPPED_HEADERS.has(name))),
    ...length,
  };
}

/** An HTTP/2 stream ended before its response did. */
class Http2Error extends NetworkError {
  override readonly name = 'Http2Error';
}

// The error codes of RFC 9113, 7, by their number.
const ERROR_CODES: readonly string[] = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

function nameOf(code: number): string {
  return ERROR_CODES[code] ?? `code ${code}`;
}

/**
 * The error of a stream that ended early, from Node's error and the code of RST_STREAM. A cut-off stream may be retried; a
 * violation of HTTP/2 would happen again.
 */
function toHttp2Error(
  error: (Error & { readonly code?: string }) | undefined,
  resetCode: number,
  hasHead: boolean,
): Error {
  const { code = '' } = error ?? {};
  if (hasHead && (code === 'EPIPE' || code === 'ECONNRESET')) {
    return new Http2Error('reset', code, `the stream ended before the body was complete (${code})`);
  }
  if (error !== undefined && !code.startsWith('ERR_HTTP2_')) return error;
  // nghttp2 could not parse the response.
  if (error !== undefined && code === 'ERR_HTTP2_ERROR') {
    return new Http2Error('protocol', code, `the response is not valid HTTP/2 (${describeError(error)})`);
  }
  const name = nameOf(resetCode);
  const reported = `NGHTTP2_${name}`;
  if (hasHead) {
    return new Http2Error('reset', reported, `the stream ended before the body was complete (${name})`);
  }
  switch (resetCode) {
    case constants.NGHTTP2_PROTOCOL_ERROR:
      return new Http2Error('protocol', reported, 'the response breaks the rules of HTTP/2');
    case constants.NGHTTP2_HTTP_1_1_REQUIRED:
      return new Http2Error('protocol', reported, 'the server wants HTTP/1.1 here: leave out --http2');
    default:
      return new Http2Error('reset', reported, `the server ended the stream without a response (${name})`);
  }
}
