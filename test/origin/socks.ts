import { connect, createServer, isIPv6, type Socket } from 'node:net';
import { type Listening, type ListenOptions, listen } from './listen.ts';
import { startRawServer } from './raw-server.ts';
import type { Starter } from './script.ts';

export interface SocksOptions extends ListenOptions {
  /** `user:password` that SOCKS 5 requires. */
  readonly credentials?: string;
  /** The status of each connection, instead of what becomes of it; `undefined` connects. */
  readonly statusFor?: (host: string) => number | undefined;
  /** Where to connect to in place of the host and port that are asked for. */
  readonly route?: { readonly host: string; readonly port: number };
  /** The type of the address that SOCKS 5 gives as its own: 1, 3 or 4. */
  readonly boundType?: number;
}

/** A SOCKS proxy and what it was asked for. */
export interface TestSocks extends Listening {
  /** `VERSION TYPE HOST:PORT`, with the user of SOCKS 4 in front, in the order they came. */
  readonly log: readonly string[];
}

/** Starts a proxy that speaks SOCKS 5 (RFC 1928, RFC 1929), 4 and 4a. */
export async function startSocks(options: SocksOptions = {}): Promise<TestSocks> {
  const log: string[] = [];
  const server = createServer((socket) => {
    const read = reader(socket);
    serve(socket, read, options, log).catch(() => socket.destroy());
  });
  return { ...(await listen(server, options)), log };
}

type Read = (bytes: number) => Promise<Buffer>;

/** Reads whole numbers of bytes from a socket, and lets go of it when `bytes` is 0. */
function reader(socket: Socket): Read {
  return async (bytes) => {
    for (;;) {
      if (socket.destroyed) throw new Error('closed');
      const piece: Buffer | null = socket.read(bytes);
      if (piece !== null && piece.length === bytes) return piece;
      await new Promise<void>((resolve) => {
        const done = () => {
          socket.off('readable', done).off('close', done);
          resolve();
        };
        socket.on('readable', done).on('close', done);
      });
    }
  };
}

async function untilNul(read: Read): Promise<string> {
  let text = '';
  for (;;) {
    const byte = (await read(1)).toString('latin1');
    if (byte === '\0') return text;
    text += byte;
  }
}

async function serve(socket: Socket, read: Read, options: SocksOptions, log: string[]): Promise<void> {
  const [version = 0] = await read(1);
  if (version === 4) {
    const [, high = 0, low = 0, ...address] = await read(7);
    const port = high * 256 + low;
    const user = await untilNul(read);
    const isName = address.slice(0, 3).every((byte) => byte === 0);
    const host = isName ? await untilNul(read) : address.join('.');
    log.push(`${user} 4 ${isName ? 'name' : 'ipv4'} ${host}:${port}`.trim());
    open(socket, host, port, options, (status) => Buffer.from([0, status ?? 90, 0, 0, 0, 0, 0, 0]));
    return;
  }
  const [count = 0] = await read(1);
  const methods = [...(await read(count))];
  const method = options.credentials === undefined ? 0 : methods.includes(2) ? 2 : 255;
  socket.write(Buffer.from([5, method]));
  if (method === 2) {
    const [, length = 0] = await read(2);
    const user = (await read(length)).toString();
    const [passwordLength = 0] = await read(1);
    const password = passwordLength === 0 ? '' : (await read(passwordLength)).toString();
    const isRight = `${user}:${password}` === options.credentials;
    socket.write(Buffer.from([1, isRight ? 0 : 1]));
    if (!isRight) socket.end();
  }
  const [, , , type = 0] = await read(4);
  const host = await readHost(read, type);
  const [high = 0, low = 0] = await read(2);
  const port = high * 256 + low;
  log.push(`5 ${['', 'ipv4', '', 'name', 'ipv6'][type]} ${isIPv6(host) ? `[${host}]` : host}:${port}`);
  const { boundType = 1 } = options;
  const own = boundType === 1 ? [127, 0, 0, 1] : boundType === 4 ? Array(16).fill(0) : [2, 104, 105];
  open(socket, host, port, options, (status) => Buffer.from([5, status ?? 0, 0, boundType, ...own, 1, 1]));
}

async function readHost(read: Read, type: number): Promise<string> {
  if (type === 1) return [...(await read(4))].join('.');
  if (type === 4) {
    const hex = (await read(16)).toString('hex').match(/.{4}/g)?.join(':') ?? '';
    return new URL(`http://[${hex}]/`).hostname.slice(1, -1);
  }
  const [length = 0] = await read(1);
  return (await read(length)).toString();
}

function open(
  socket: Socket,
  host: string,
  port: number,
  { statusFor, route }: SocksOptions,
  response: (status: number | undefined) => Buffer,
): void {
  const status = statusFor?.(host);
  if (status !== undefined) {
    socket.end(response(status));
    return;
  }
  const upstream = connect({ host: route?.host ?? host, port: route?.port ?? port }, () => {
    // In two pieces: a response may be cut anywhere.
    const bytes = response(undefined);
    socket.write(bytes.subarray(0, 3));
    setImmediate(() => {
      socket.write(bytes.subarray(3));
      socket.pipe(upstream).pipe(socket);
    });
  });
  upstream.on('error', () => socket.end(response(5)));
  socket.on('close', () => upstream.destroy());
}

const afterGreeting =
  (bytes: readonly number[] | string, isClosed: boolean, greeting: readonly number[] = [5, 0]): Starter =>
  (options) =>
    startRawServer(
      {
        onData: (socket, received) => {
          if (received.length === 3) socket.write(Buffer.from(greeting));
          else if (isClosed) socket.end(Buffer.from(bytes as string));
          else socket.write(Buffer.from(bytes as string));
        },
      },
      options,
    );

/** Proxies that misbehave in one way each. */
export const BROKEN_SOCKS = {
  'speaks HTTP': (options?: ListenOptions) =>
    startRawServer({ onData: (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') }, options),
  'speaks HTTP after its greeting': afterGreeting('HTTP/1.1 400 Bad Request\r\n\r\n', true),
  'closes at once': (options?: ListenOptions) =>
    startRawServer({ onConnect: (socket) => void socket.end() }, options),
  'closes after its greeting': afterGreeting([], true),
  'closes in the middle of its response': afterGreeting([5, 0, 0, 1, 127], true),
  resets: (options?: ListenOptions) =>
    startRawServer({ onData: (socket) => void socket.resetAndDestroy() }, options),
  'gives an address of an unknown type': afterGreeting([5, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9], false),
  'sends more than its response': afterGreeting([5, 0, 0, 1, 127, 0, 0, 1, 0, 80, 72, 84], false),
  'selects a method that was not offered': afterGreeting([], false, [5, 1]),
  'never responds': (options?: ListenOptions) => startRawServer({}, options),
  'stops after its greeting': (options?: ListenOptions) =>
    startRawServer(
      { onData: (socket, received) => void (received.length === 3 && socket.write(Buffer.from([5, 0]))) },
      options,
    ),
} satisfies Record<string, Starter>;
