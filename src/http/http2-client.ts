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
import { explain } from './classify-error.ts';
import type { DispatchHandler, HttpClient } from './http1-client.ts';
import { KnownError } from './network-errors.ts';

/** An HTTP/2 stream ended before its answer did. */
class Http2Error extends KnownError {
  override readonly name = 'Http2Error';
}

const NAMES: ReadonlyMap<number, string> = new Map(
  [
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
  ].map((name, code) => [code, name]),
);

/**
 * Says what the end of a stream means: by the error that Node reports, and by the code of the reset, where it was one.
 * A server that breaks off may do better next time; one that breaks the rules of HTTP/2 will not.
 */
function http2Failure(
  error: (Error & { readonly code?: string }) | undefined,
  resetCode: number,
  hasHead: boolean,
): Error {
  const { code = '' } = error ?? {};
  if (error !== undefined && !code.startsWith('ERR_HTTP2_')) return error;
  // What nghttp2 itself cannot read.
  if (error !== undefined && code === 'ERR_HTTP2_ERROR') {
    return new Http2Error('protocol', code, `the answer is not valid HTTP/2 (${explain(error)})`);
  }
  const name = NAMES.get(resetCode) ?? `code ${resetCode}`;
  const reported = `NGHTTP2_${name}`;
  if (hasHead) {
    return new Http2Error('reset', reported, `the stream ended before the body was complete (${name})`);
  }
  switch (resetCode) {
    case constants.NGHTTP2_PROTOCOL_ERROR:
      return new Http2Error('protocol', reported, 'the answer breaks the rules of HTTP/2');
    case constants.NGHTTP2_HTTP_1_1_REQUIRED:
      return new Http2Error('protocol', reported, 'the server wants HTTP/1.1 here: leave out --http2');
    default:
      return new Http2Error('reset', reported, `the server ended the stream without an answer (${name})`);
  }
}

// Of HTTP/1.1 connections; HTTP/2 forbids them (RFC 9113, 8.2.2). `host` has become `:authority`.
const DROPPED: ReadonlySet<string> = new Set(['host', 'http2-settings', 'proxy-connection', 'te']);
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** The headers of a request in HTTP/2, where method, path and host are headers, too. `bytes` are those of its body. */
function http2Headers(request: Dispatcher.DispatchOptions, bytes: number): OutgoingHttpHeaders {
  const { origin, path, method } = request;
  const given = Object.entries(request.headers ?? {}) as [string, string][]; // what a `Hop` has
  const host = given.find(([name]) => name === 'host')?.[1];
  const length = bytes > 0 || WITH_BODY.has(method) ? { 'content-length': `${bytes}` } : {};
  return {
    ':method': method,
    ':scheme': 'https',
    ':authority': host ?? new URL(`${origin}`).host,
    ':path': path,
    ...Object.fromEntries(given.filter(([name]) => !DROPPED.has(name))),
    ...length,
  };
}

/** Tells an exchange of the answer that comes on a stream; of its end or an error once, whatever happens to the stream. */
class Http2Answer {
  readonly #stream: ClientHttp2Stream;
  readonly #exchange: DispatchHandler;
  readonly #ended: () => void;
  /** Bytes of the body that were announced and have not come. */
  #missing = 0;
  #hasHead = false;
  #isOver = false;

  /** `ended` is called before the exchange is told that it is over. */
  constructor(stream: ClientHttp2Stream, exchange: DispatchHandler, ended: () => void) {
    this.#stream = stream;
    this.#exchange = exchange;
    this.#ended = ended;
    stream.once('response', (headers) => this.#tell(() => this.#start(headers)));
    stream.once('end', () => this.#end());
    stream.once('error', (error) => this.#fail(error));
    stream.once('close', () => this.#fail());
  }

  #start({ ':status': status = 0, ...headers }: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    this.#hasHead = true;
    const hasBody = this.#stream.sentHeaders[':method'] !== 'HEAD' && status !== 204 && status !== 304;
    if (hasBody) this.#missing = Number(headers['content-length'] ?? 0);
    this.#exchange.onResponseStart(undefined, status, headers);
    this.#stream.on('data', (chunk: Buffer) => {
      this.#missing -= chunk.length;
      this.#tell(() => this.#exchange.onResponseData(undefined, chunk));
    });
  }

  /** Node ends a stream in the same way whether the server said so or reset it. */
  #end(): void {
    const isWhole = this.#hasHead && this.#stream.rstCode === 0 && this.#missing <= 0;
    if (this.#isOver) return;
    if (!isWhole) {
      this.#fail();
      return;
    }
    this.#finish();
    this.#exchange.onResponseEnd();
  }

  #fail(error?: Error): void {
    if (this.#isOver) return;
    this.#finish();
    this.#exchange.onResponseError(undefined, http2Failure(error, this.#stream.rstCode, this.#hasHead));
  }

  #finish(): void {
    this.#isOver = true;
    this.#ended();
    // What is left of the request is of no use after the answer.
    if (!this.#stream.writableFinished) this.#stream.close();
  }

  /** What the exchange throws is its failure, and must not end the process. */
  #tell(news: () => void): void {
    if (this.#isOver) return;
    try {
      news();
    } catch (error) {
      this.#finish();
      this.#exchange.onResponseError(undefined, error as Error); // only bugs are thrown, as errors
    }
  }
}

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
export class Http2Client implements HttpClient {
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

  dispatch(request: Dispatcher.DispatchOptions, exchange: DispatchHandler): void {
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
