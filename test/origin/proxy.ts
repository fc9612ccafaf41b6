import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Credentials } from './certificates.ts';
import { type Listening, type ListenOptions, listen } from './listen.ts';
import { startRawServer } from './raw-server.ts';
import type { LoggedRequest } from './request-log.ts';
import { type Starter, scripted } from './script.ts';

export interface ProxyOptions extends ListenOptions {
  /** Certificate and key: TLS is then spoken with the proxy itself. */
  readonly tls?: Credentials;
  /** `user:password` without which everything is answered with 407. */
  readonly credentials?: string;
  /** Where to connect to in place of the host and port that are asked for, so that tests can make up names. */
  readonly route?: { readonly host: string; readonly port: number };
}

/** A proxy and what it was asked for. */
export interface TestProxy extends Listening {
  readonly url: string;
  /** Requests in absolute form and CONNECTs, in the order they came. */
  readonly log: readonly LoggedRequest[];
}

/** Starts a proxy as it should be: it forwards requests in absolute form, and opens tunnels for CONNECT. */
export async function startProxy(options: ProxyOptions = {}): Promise<TestProxy> {
  const log: LoggedRequest[] = [];
  const mayPass = (message: IncomingMessage): boolean => {
    log.push({ method: message.method ?? '', path: message.url ?? '', headers: message.headers });
    const { credentials } = options;
    const basic = `Basic ${Buffer.from(credentials ?? '').toString('base64')}`;
    return credentials === undefined || message.headers['proxy-authorization'] === basic;
  };
  const answer = (message: IncomingMessage, response: ServerResponse): void => {
    if (mayPass(message)) forward(message, response, options);
    else response.writeHead(407, { 'proxy-authenticate': 'Basic realm="test"' }).end('go away');
  };
  const server = options.tls ? createHttpsServer(options.tls, answer) : createServer(answer);
  server.on('connect', (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {});
    if (mayPass(message)) tunnel(message.url ?? '', socket, head, options);
    else socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 7\r\n\r\ngo away');
  });
  server.keepAliveTimeout = 0;
  const listening = await listen(server, options);
  return { ...listening, log, url: `${options.tls ? 'https' : 'http'}://${listening.authority}` };
}

function forward(message: IncomingMessage, response: ServerResponse, { route }: ProxyOptions): void {
  if (!URL.canParse(message.url ?? '')) {
    response.writeHead(400).end('not in absolute form');
    return;
  }
  const url = new URL(message.url ?? '');
  const { 'proxy-authorization': _, ...headers } = message.headers;
  const upstream = request(
    { host: route?.host ?? url.hostname, port: route?.port ?? (url.port || 80), agent: false },
    (from) => {
      response.writeHead(from.statusCode ?? 502, from.headers);
      from.pipe(response);
    },
  );
  upstream.method = message.method ?? 'GET';
  upstream.path = url.pathname + url.search;
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) upstream.setHeader(name, value);
  upstream.on('error', () => response.writeHead(502).end('no way'));
  message.pipe(upstream);
}

function tunnel(authority: string, socket: Duplex, head: Buffer, { route }: ProxyOptions): void {
  const { hostname, port } = new URL(`http://${authority}`);
  const host = route?.host ?? hostname.replace(/^\[|\]$/g, '');
  const upstream: Socket = connect({ host, port: route?.port ?? Number(port || 80) }, () => {
    socket.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n');
    upstream.write(head);
    upstream.pipe(socket);
    socket.pipe(upstream);
  });
  upstream.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
  socket.on('close', () => upstream.destroy());
}

/** Proxies that misbehave in one way each when they are asked for anything. */
export const BROKEN_PROXIES = {
  'answers 403': scripted('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno', 'keep'),
  'answers 502': scripted('HTTP/1.1 502 Bad Gateway\r\n\r\n', 'close'),
  'answers 503 without a reason': scripted('HTTP/1.0 503\r\n\r\n', 'close'),
  'answers with a reason that moves the cursor': scripted('HTTP/1.1 418 \x1b[2J\r\n\r\n', 'close'),
  'answers garbage': scripted('SSH-2.0-OpenSSH_9.6\r\n', 'keep'),
  'answers a status line that is none': scripted('HTTP/1.1 OK\r\n\r\n', 'keep'),
  'never ends its head': endlessHead,
  drops: (options?: ListenOptions) =>
    startRawServer({ onRequest: ({ socket }) => void socket.end() }, options),
  resets: (options?: ListenOptions) =>
    startRawServer({ onRequest: ({ socket }) => void socket.resetAndDestroy() }, options),
  'drops in the middle of its head': scripted('HTTP/1.1 200 OK\r\nVia', 'close'),
  'drops after 200': scripted('HTTP/1.1 200 OK\r\n\r\n', 'close'),
  'sends a body with its 200': scripted('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'keep'),
  stalls: (options?: ListenOptions) => startRawServer({}, options),
  'drips its head': drippingHead,
} satisfies Record<string, Starter>;

function endlessHead(options?: ListenOptions): ReturnType<Starter> {
  const line = Buffer.from(`X-Filler: ${'x'.repeat(1000)}\r\n`);
  const more = (socket: Socket): void => {
    // A write that failed must be the last: its callback comes before the socket knows that it is destroyed.
    socket.write(line, (error) => error ?? more(socket));
  };
  return startRawServer(
    {
      onRequest: ({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\n');
        more(socket);
      },
    },
    options,
  );
}

/** One byte every 10 ms: always at work, and never done. */
function drippingHead(options?: ListenOptions): ReturnType<Starter> {
  return startRawServer(
    {
      onRequest: ({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nX-Slow: ');
        const timer = setInterval(() => socket.write('x'), 10);
        socket.once('close', () => clearInterval(timer));
      },
    },
    options,
  );
}
