import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import {
  type Connect,
  type DispatchHandler,
  type HttpClient,
  listOf,
  toConnectTarget,
  transferCodings,
  trimValue,
} from './http1-client.ts';
import { AttemptError } from './network-errors.ts';

const MAX_HEAD_BYTES = 256 * 1024;
/** Bytes of a chunk size with its extensions, or of a trailer. */
const MAX_LINE_BYTES = 16 * 1024;
/** Interim responses (1xx) before the final one. */
const MAX_INTERIM = 32;

const LF = 0x0a;
const CR = 0x0d;

/**
 * Sends one request over a connection of its own and reads the response as browsers and curl do, where undici's parser
 * refuses it: odd status lines, bare LF, folded header lines, lines that are no header, control characters, repeated equal
 * Content-Length, repeated `chunked`, Transfer-Encoding with Content-Length, padded chunk sizes, unsolicited 1xx but for
 * 101. The connection is closed afterwards.
 *
 * Framing that two readers could understand differently stays a failure: different Content-Lengths, data behind the end of
 * a chunk, a second status line or NUL in the head (RFC 9112, 6.3 and 11).
 */
export class LenientClient implements HttpClient {
  readonly #origin: string;
  readonly #connect: Connect;
  #socket: Socket | undefined;

  constructor(origin: string, connect: Connect) {
    this.#origin = origin;
    this.#connect = connect;
  }

  dispatch(request: Dispatcher.DispatchOptions, handler: DispatchHandler): void {
    const target = toConnectTarget(this.#origin);
    this.#connect(target, (error, socket) => {
      if (socket === undefined) {
        handler.onResponseError(undefined, error ?? new Error('the connection was not made'));
        return;
      }
      this.#socket = socket;
      new ResponseReader(socket, request.method === 'HEAD', handler).start();
      // The body of a `Hop` is text or bytes.
      const body = request.body as string | Uint8Array | null | undefined;
      socket.write(encodeHead(request, new URL(this.#origin).host, body), 'latin1');
      if (body) socket.write(body);
    });
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  async destroy(reason: Error): Promise<void> {
    this.#socket?.destroy(reason);
  }
}

const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** The request up to its body. Header names and values were checked when they were parsed. */
function encodeHead(
  { method, path, headers }: Dispatcher.DispatchOptions,
  host: string,
  body: string | Uint8Array | null | undefined,
): string {
  const own = Object.entries((headers ?? {}) as Readonly<Record<string, string>>); // `Hop` has no other form
  const hasHost = own.some(([name]) => name === 'host');
  const hasBody = Boolean(body) || METHODS_WITH_BODY.has(method);
  const length = hasBody ? [['content-length', `${Buffer.byteLength(body ?? '')}`]] : [];
  const lines = [...(hasHost ? [] : [['host', host]]), ...own, ...length, ['connection', 'close']];
  return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

/** How the end of a body is found (RFC 9112, 6.3). */
type Framing =
  | { readonly kind: 'length'; left: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' };

type State = 'head' | 'body' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'over';

/** Reads one response from a socket and reports it once. */
class ResponseReader {
  readonly #socket: Socket;
  readonly #isHead: boolean;
  readonly #handler: DispatchHandler;
  #state: State = 'head';
  #held: Buffer = Buffer.alloc(0);
  readonly #headEnd = new HeadEnd();
  #framing: Framing = { kind: 'close' };
  #chunkLeft = 0;
  #trailerBytes = 0;
  #interim = 0;

  constructor(socket: Socket, isHead: boolean, handler: DispatchHandler) {
    this.#socket = socket;
    this.#isHead = isHead;
    this.#handler = handler;
  }

  start(): void {
    const controller: Pick<Dispatcher.DispatchController, 'abort'> = {
      abort: (reason) => void this.#socket.destroy(reason),
    };
    this.#handler.onRequestStart(controller as Dispatcher.DispatchController); // `Exchange` calls nothing else
    this.#socket.on('data', (piece) => this.#onData(piece));
    this.#socket.on('end', () => this.#onEnd());
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#onEnd());
  }

  #onData(piece: Buffer): void {
    if (this.#state === 'over') return;
    // A shared buffer may be overwritten after this call, so what is held is a copy.
    this.#held = this.#held.length === 0 ? Buffer.from(piece) : Buffer.concat([this.#held, piece]);
    try {
      while (this.#readNext()) if (this.#isOver()) return;
    } catch (error) {
      this.#fail(error as Error); // an `AttemptError` of the functions below
    }
  }

  #isOver(): boolean {
    return this.#state === 'over';
  }

  /** Reads one part of the response; false if more data is needed. */
  #readNext(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#readHead();
      case 'body':
        return this.#readBody();
      case 'chunk-size':
        return this.#readChunkSize();
      case 'chunk':
        return this.#readChunk();
      case 'chunk-end':
        return this.#readLine((line) => {
          if (line !== '') throw protocolError('a chunk is longer than its size');
          this.#state = 'chunk-size';
        });
      case 'trailer':
        return this.#readLine((line) => {
          this.#trailerBytes += line.length + 1;
          if (this.#trailerBytes > MAX_HEAD_BYTES) throw protocolError('trailers over 256 KiB');
          if (line === '') this.#finish();
        });
      case 'over':
        return false;
    }
  }

  #readHead(): boolean {
    const end = this.#headEnd.find(this.#held);
    if (end === -1 && !this.#headEnd.mayBeHttp(this.#held)) throw notHttp();
    // The same, however much has arrived at once.
    if ((end === -1 ? this.#held.length : end) > MAX_HEAD_BYTES) throw protocolError('headers over 256 KiB');
    if (end === -1) return false;
    const head = parseHead(this.#held.toString('latin1', 0, end));
    this.#held = this.#held.subarray(end);
    if (head.status === 101) throw protocolError('the server switched to another protocol');
    if (head.status < 200) {
      this.#interim += 1;
      if (this.#interim > MAX_INTERIM) throw protocolError('too many interim responses');
      return true;
    }
    const hasBody = !this.#isHead && head.status !== 204 && head.status !== 304;
    this.#framing = hasBody ? toFraming(head.headers) : { kind: 'length', left: 0 };
    this.#state = this.#framing.kind === 'chunked' ? 'chunk-size' : 'body';
    this.#handler.onResponseStart(undefined, head.status, head.headers, head.statusText);
    return true;
  }

  #readBody(): boolean {
    const framing = this.#framing;
    const limit = framing.kind === 'length' ? framing.left : this.#held.length;
    const piece = this.#take(limit);
    if (piece.length > 0) this.#handler.onResponseData(undefined, piece);
    if (framing.kind !== 'length') return false;
    framing.left -= piece.length;
    if (framing.left === 0) this.#finish();
    return false;
  }

  #readChunkSize(): boolean {
    return this.#readLine((line) => {
      const [, digits = ''] = /^0*([0-9a-f]{1,13})[ \t]*(?:;.*)?$/i.exec(line) ?? [];
      if (digits === '') throw protocolError('a chunk has no valid size');
      this.#chunkLeft = Number.parseInt(digits, 16);
      this.#state = this.#chunkLeft === 0 ? 'trailer' : 'chunk';
    });
  }

  #readChunk(): boolean {
    const piece = this.#take(this.#chunkLeft);
    if (piece.length === 0) return false;
    this.#chunkLeft -= piece.length;
    if (this.#chunkLeft === 0) this.#state = 'chunk-end';
    this.#handler.onResponseData(undefined, piece);
    return true;
  }

  #readLine(use: (line: string) => void): boolean {
    const end = this.#held.indexOf(LF);
    const length = end === -1 ? this.#held.length : end;
    if (length > MAX_LINE_BYTES) throw protocolError('a line of the chunked body is too long');
    if (end === -1) return false;
    const line = trimLineEnd(this.#held.toString('latin1', 0, end));
    this.#held = this.#held.subarray(end + 1);
    use(line);
    return true;
  }

  #take(bytes: number): Buffer {
    const piece = this.#held.subarray(0, bytes);
    this.#held = this.#held.subarray(piece.length);
    return piece;
  }

  #onEnd(): void {
    if (this.#state === 'body' && this.#framing.kind === 'close') this.#finish();
    else if (this.#state === 'head' && this.#held.length === 0)
      this.#fail(cutOff('the server closed the connection without a response'));
    else if (this.#state === 'head')
      this.#fail(cutOff('the connection ended before the headers were complete'));
    else this.#fail(cutOff('the connection ended before the body was complete'));
  }

  #finish(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#handler.onResponseEnd(); // closes the socket when the request has been sent
  }

  #fail(error: Error): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#handler.onResponseError(undefined, error);
    this.#socket.destroy();
  }
}

interface Head {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
}

const PROTOCOL = 'HTTP/';

/** Finds where a head ends that arrives in pieces. Looks at each byte once. */
class HeadEnd {
  #at = 0;
  #textAt = -1;
  #isBlankLine = true;

  /** The index behind the empty line, and starts anew; -1 if it has not arrived. Empty lines before the head are skipped. */
  find(data: Buffer): number {
    for (; this.#at < data.length; this.#at += 1) {
      const byte = data[this.#at];
      if (byte === LF) {
        if (this.#isBlankLine && this.#textAt !== -1) return this.#startAnew();
        this.#isBlankLine = true;
      } else if (byte !== CR) {
        this.#isBlankLine = false;
        if (this.#textAt === -1) this.#textAt = this.#at;
      }
    }
    return -1;
  }

  /** Whether what has arrived can become a response: any other protocol may send nothing more. */
  mayBeHttp(data: Buffer): boolean {
    if (this.#textAt === -1) return true;
    const start = data.toString('latin1', this.#textAt, this.#textAt + PROTOCOL.length);
    return PROTOCOL.startsWith(start.toUpperCase());
  }

  #startAnew(): number {
    const end = this.#at + 1;
    this.#at = 0;
    this.#textAt = -1;
    return end;
  }
}

/** Some servers say HTTP/2 over HTTP/1.1, and some separate the reason by anything. */
const STATUS_LINE = /^HTTP\/[0-3](?:\.\d)?[ \t]+([1-9]\d\d)(?!\d)(.*)$/is;
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;

function parseHead(text: string): Head {
  if (text.includes('\0')) throw protocolError('there is a NUL in the headers');
  const lines = text.split('\n').map(trimLineEnd);
  const first = lines.findIndex((line) => line !== '');
  const [, status = '', reason = ''] = STATUS_LINE.exec(lines[first] ?? '') ?? [];
  if (status === '') throw notHttp();
  const headers: Record<string, string | string[]> = Object.create(null); // any name may come, also `constructor`
  for (const [name, ...parts] of headerLines(lines.slice(first + 1))) {
    const value = trimValue(parts.join(' '));
    const earlier = headers[name];
    if (earlier === undefined) headers[name] = value;
    else if (Array.isArray(earlier)) earlier.push(value);
    else headers[name] = [earlier, value];
  }
  // In the form in which every reader understands it.
  if ('transfer-encoding' in headers) headers['transfer-encoding'] = transferCodings(headers).join(', ');
  return { status: Number(status), statusText: trimValue(reason), headers };
}

/** Each name with its value, in parts if it is folded. A line that is no header is skipped. */
function headerLines(lines: readonly string[]): HeaderParts[] {
  const headers: HeaderParts[] = [];
  let last: HeaderParts | undefined;
  for (const line of lines) {
    if (line.startsWith(' ') || line.startsWith('\t')) {
      last?.push(trimValue(line));
      continue;
    }
    // Two responses in one head: another reader, such as a proxy, may take the second one for the response.
    if (STATUS_LINE.test(line)) throw protocolError('there is a second status line in the head');
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).trimEnd();
    last = TOKEN.test(name) ? [name.toLowerCase(), trimValue(line.slice(colon + 1))] : undefined;
    if (last !== undefined) headers.push(last);
  }
  return headers;
}

type HeaderParts = [name: string, ...parts: string[]];

function trimLineEnd(line: string): string {
  let end = line.length;
  while (end > 0 && line.charCodeAt(end - 1) === CR) end -= 1;
  return line.slice(0, end);
}

function toFraming(headers: Head['headers']): Framing {
  const codings = transferCodings(headers);
  // The length is ignored (RFC 9112, 6.3). Another coding than chunked is undone by the reader of the body.
  if (codings.length > 0) return { kind: codings.at(-1) === 'chunked' ? 'chunked' : 'close' };
  const lengths = listOf(headers['content-length']);
  if (lengths.length === 0) return { kind: 'close' };
  if (!lengths.every((length) => /^\d{1,40}$/.test(length))) {
    throw protocolError('the Content-Length is not a number');
  }
  const [length = 0, ...others] = new Set(lengths.map(Number));
  if (others.length > 0) throw protocolError('there are different Content-Lengths');
  if (length > Number.MAX_SAFE_INTEGER) throw protocolError('the Content-Length is too large');
  return { kind: 'length', left: length };
}

function protocolError(message: string): AttemptError {
  return new AttemptError('protocol', undefined, message);
}

function notHttp(): AttemptError {
  return protocolError('the response does not start with a status line of HTTP/1');
}

function cutOff(message: string): AttemptError {
  return new AttemptError('reset', undefined, message);
}
