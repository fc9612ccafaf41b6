import type { ListenOptions } from './listen.ts';
import { type RawServer, startRawServer } from './raw-server.ts';

/** Starts one misbehaving server. */
export type Starter = (options?: ListenOptions) => Promise<RawServer>;

/** What becomes of the connection after the scripted bytes. */
export type Afterwards = 'keep' | 'close';

/** A starter of servers that answer each request with the same bytes; strings are sent as latin1, byte for byte. */
export function scripted(reply: string | Buffer, afterwards: Afterwards): Starter {
  const bytes = typeof reply === 'string' ? Buffer.from(reply, 'latin1') : reply;
  return (options) =>
    startRawServer(
      {
        onRequest: ({ socket }) => {
          if (afterwards === 'close') socket.end(bytes);
          else socket.write(bytes);
        },
      },
      options,
    );
}

/** A correct answer with this body, for what comes before or after a misbehaviour. */
export function okAnswer(body = 'ok', headers = ''): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}
