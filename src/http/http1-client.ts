import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
// Internals of undici, pinned to one version and checked by test/http/undici-internals.test.ts, so that the program loads
// only `Client`: undici's main module, with fetch, WebSocket and caches, takes 2.3 times the CPU to load (medians of 15
// runs, Node 20).
import Client from 'undici/lib/dispatcher/client.js';
// undici loads its parser with the first response, when the process may have no descriptor left to open the file.
import 'undici/lib/llhttp/llhttp_simd-wasm.js';

/** Sends requests to one origin over one connection, one at a time. */
export interface HttpClient {
  /** Whether the protocol marks the end of every body, so that none ends with its connection. */
  readonly marksEnds?: boolean;
  /** Whether the response that is read belongs to another protocol, which the parser takes for HTTP. */
  readonly isOtherProtocol?: boolean;
  dispatch(request: Dispatcher.DispatchOptions, handler: DispatchHandler): unknown;
  /** Stops reading the response until `resume`. What has been read already may still arrive. */
  pause(): void;
  resume(): void;
  /** Closes the client in any state. */
  destroy(reason: Error): Promise<void>;
}

/** Receives the events of an exchange as undici sends them: a head, data, and at last either end or error. */
export interface DispatchHandler {
  onRequestStart(controller: Dispatcher.DispatchController): void;
  onResponseStart(
    controller: unknown,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    statusText?: string,
  ): void;
  onResponseData(controller: unknown, chunk: Buffer): void;
  onResponseEnd(): void;
  onResponseError(controller: unknown, error: Error): void;
}

/** Where to connect to, in undici's form: an IPv6 address without brackets, an empty port for the default one. */
export interface ConnectTarget {
  readonly hostname: string;
  readonly protocol: string;
  readonly port: string;
}

/** The port of a target, also if it is the default one of its scheme. */
export function toPort({ port, protocol }: ConnectTarget): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}

/** The target of an origin such as `https://[::1]:8443`. */
export function toConnectTarget(origin: string): ConnectTarget {
  const { hostname, protocol, port } = new URL(origin);
  return { hostname: hostname.replace(/^\[|\]$/g, ''), protocol, port };
}

/** The origin of a target. */
export function toOrigin({ hostname, protocol, port }: ConnectTarget): string {
  const host = hostname.includes(':') ? `[${hostname}]` : hostname;
  return `${protocol}//${host}${port === '' ? '' : `:${port}`}`;
}

/** Connects, and calls back once with either a connected socket or an error. */
export type Connect = (
  target: ConnectTarget,
  onConnect: (error: Error | undefined, socket: Socket | undefined) => void,
) => void;

/** A value without the white space around it, and with a space for each CR within it (RFC 9110, 5.5). */
export function trimValue(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end).replaceAll('\r', ' ');
}

/** Not `trim`, which removes control characters, and no regular expression, whose time may grow with the square. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d;
}

/** The elements of a header that is a list, over all its lines (RFC 9110, 5.6.1), also empty ones. */
export function listOf(header: string | readonly string[] | undefined): string[] {
  const lines = typeof header === 'string' ? [header] : (header ?? []);
  return lines.flatMap((line) => line.split(',')).map(trimValue);
}

const NO_CODINGS: readonly string[] = [];

/** The transfer codings of a response, in the order in which they were applied. Browsers and curl apply chunked once. */
export function transferCodings(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): readonly string[] {
  const { 'transfer-encoding': header } = headers;
  if (header === undefined) return NO_CODINGS;
  const codings = listOf(header).map((coding) => coding.toLowerCase());
  const applied = codings.filter((coding) => coding !== '' && coding !== 'identity');
  while (applied.at(-1) === 'chunked' && applied.at(-2) === 'chunked') applied.pop();
  return applied;
}

// One request at a time on each connection, HTTP/1.1, and none of undici's timers: its half-second ticks cost more than
// the one deadline of each attempt.
const CLIENT_OPTIONS = {
  pipelining: 1,
  allowH2: false,
  maxHeaderSize: 65_536,
  headersTimeout: 0,
  bodyTimeout: 0,
  keepAliveTimeout: 4_000,
  keepAliveMaxTimeout: 15_000,
} as const;

/** An undici `Client` for HTTP/1.1. It connects with its first request, and again when the connection was closed. */
export class Http1Client implements HttpClient {
  readonly #client: Client;
  #valve: ReadValve | undefined;

  constructor(origin: string, connect: Connect) {
    this.#client = new Client(origin, {
      ...CLIENT_OPTIONS,
      connect: (target, callback) => {
        connect(target, (error, socket) => {
          this.#valve = socket && new ReadValve(socket);
          if (socket !== undefined) callback(null, socket);
          else callback(error ?? new Error('the connection was not made'), null);
        });
      },
    });
  }

  get isOtherProtocol(): boolean {
    return this.#valve?.isOtherProtocol === true;
  }

  dispatch(request: Dispatcher.DispatchOptions, handler: DispatchHandler): void {
    this.#valve?.expectResponse();
    this.#client.dispatch(request, handler);
  }

  pause(): void {
    this.#valve?.close();
  }

  resume(): void {
    this.#valve?.open();
  }

  destroy(reason: Error): Promise<void> {
    return this.#client.destroy(reason);
  }
}

/** The start of RTSP/1.0 and ICE/1.0, which undici's parser reads as HTTP/1.1. */
const OTHER_PROTOCOL = /^[RI]/;

/**
 * Looks at the first bytes of each response on their way to undici, and gives it nothing to read while it is closed; the socket then stops reading from the network. undici's own pause ends
 * the process if a FIN arrives meanwhile (undici 7, nodejs/undici#5360).
 */
class ReadValve {
  readonly #socket: Socket;
  /** Whether the response that is read does not start as HTTP does. */
  isOtherProtocol = false;
  #isAtStart = true;
  #isClosed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    const { read } = socket;
    socket.read = (size) => {
      if (this.#isClosed) return null;
      const piece: Buffer | null = read.call(socket, size);
      if (this.#isAtStart && piece !== null) this.#readStart(piece);
      return piece;
    };
  }

  /** Call before each request. */
  expectResponse(): void {
    this.#isAtStart = true;
  }

  #readStart(piece: Buffer): void {
    let at = 0;
    while (at < piece.length && (piece[at] === 0x0d || piece[at] === 0x0a)) at += 1; // empty lines may precede a response
    this.#isAtStart = at === piece.length;
    this.isOtherProtocol = OTHER_PROTOCOL.test(piece.toString('latin1', at, at + 1));
  }

  close(): void {
    this.#isClosed = true;
  }

  open(): void {
    if (!this.#isClosed) return;
    this.#isClosed = false;
    // undici reads at this event, but must not while it parses.
    queueMicrotask(() => this.#socket.emit('readable'));
  }
}
