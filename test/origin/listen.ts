import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { Tally } from './tally.ts';

export interface ListenOptions {
  /** Address to listen on: `127.0.0.1` (default), another one in 127/8, or `::1`. */
  readonly host?: string;
  /** Port; 0 (default) takes a free one. */
  readonly port?: number;
}

/** A server that listens: where it is, who came, and the way to end it. */
export interface Listening {
  readonly host: string;
  readonly port: number;
  /** `host:port` as it stands in a URL, with brackets around an IPv6 address. */
  readonly authority: string;
  /** Connections accepted so far. */
  readonly accepted: Tally;
  /** Connections closed so far, by whichever side. */
  readonly ended: Tally;
  /** Stops listening and destroys every open socket. Safe to call twice. */
  close(): Promise<void>;
}

/** Starts any `net`, `http` or `tls` server on a loopback address and keeps track of its sockets. */
export async function listen(server: Server, options: ListenOptions = {}): Promise<Listening> {
  const sockets = new Set<Socket>();
  const accepted = new Tally();
  const ended = new Tally();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    accepted.add();
    socket.on('error', () => {}); // a peer that resets is what many tests are about
    socket.once('close', () => {
      sockets.delete(socket);
      ended.add();
    });
  });
  server.listen({ host: options.host ?? '127.0.0.1', port: options.port ?? 0 });
  await once(server, 'listening'); // rejects with the listen error, such as EADDRINUSE
  // `address()` is a string only for pipes and null only before `listening`.
  const { address, port, family } = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
    return closed;
  };
  const authority = family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
  return { host: address, port, authority, accepted, ended, close };
}
