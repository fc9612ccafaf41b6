import { createServer, type Socket } from 'node:net';
import { type ListenOptions, listen } from './listen.ts';
import { splitRequest } from './split-request.ts';
import { Tally } from './tally.ts';

/** One whole request on a raw connection. */
export interface RawRequest {
  readonly socket: Socket;
  /** Request line and headers as they came, without the empty line that ends them. */
  readonly head: string;
  /** The body, as long as its Content-Length says. */
  readonly body: Buffer;
  /** The request target of the request line. */
  readonly target: string;
  /** Number of this connection on the server, from 1. */
  readonly connection: number;
  /** Number of this request on its connection, from 1. */
  readonly turn: number;
}

/** What a raw server does when something happens; what is left out stays unanswered. */
export interface RawBehaviour {
  /** A connection was accepted; nothing has been read from it yet. */
  onConnect?(socket: Socket, connection: number): void;
  /** Bytes came: `received` is all that this connection has sent. For protocols that are not HTTP. */
  onData?(socket: Socket, received: Buffer): void;
  /** A whole request has come. */
  onRequest?(request: RawRequest): void;
}

/** A server that sends any bytes at any moment. */
export interface RawServer {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: Tally;
  /** Whole requests received so far. */
  readonly requests: Tally;
  /** Connections ended so far, by whichever side. */
  readonly ended: Tally;
  /** The heads of all requests, in the order they came. */
  readonly heads: readonly string[];
  close(): Promise<void>;
}

/** Starts a raw TCP server. It keeps every connection open until its behaviour, its peer or `close()` ends it. */
export async function startRawServer(
  behaviour: RawBehaviour,
  options: ListenOptions = {},
): Promise<RawServer> {
  const requests = new Tally();
  const heads: string[] = [];
  let connections = 0;
  const server = createServer((socket) => {
    const connection = ++connections;
    let received: Buffer = Buffer.alloc(0);
    let unread: Buffer = Buffer.alloc(0);
    let turn = 0;
    socket.setNoDelay(true);
    behaviour.onConnect?.(socket, connection);
    socket.on('data', (bytes: Buffer) => {
      if (behaviour.onData) {
        received = Buffer.concat([received, bytes]);
        behaviour.onData(socket, received);
      }
      unread = Buffer.concat([unread, bytes]);
      for (let next = splitRequest(unread); next !== undefined; next = splitRequest(unread)) {
        unread = next.rest;
        heads.push(next.head);
        behaviour.onRequest?.({ socket, connection, turn: ++turn, ...next });
        requests.add();
      }
    });
  });
  const { host, port, authority, accepted, ended, close } = await listen(server, options);
  return { url: `http://${authority}`, host, port, accepted, requests, ended, heads, close };
}
