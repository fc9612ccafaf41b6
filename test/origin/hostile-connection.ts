import { createServer, type Socket } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { filler } from './filler.ts';
import { type ListenOptions, listen } from './listen.ts';
import { startRawServer } from './raw-server.ts';
import { okAnswer, type Starter, scripted } from './script.ts';

const RESET_AFTER_MS = 50;
const DRIP_EVERY_MS = 5;
const MAX_DRIPS = 20_000;
const MAX_ENDLESS_BYTES = 1024 ** 3;

/** A port that was bound and is closed again: connecting is refused. */
export async function refusedPort(
  options: ListenOptions = {},
): Promise<{ url: string; host: string; port: number }> {
  const { authority, host, port, close } = await listen(createServer(), options);
  await close();
  return { url: `http://${authority}`, host, port };
}

/** Takes the request and resets the connection without an answer. */
export const resetBeforeAnswer: Starter = (options) =>
  startRawServer({ onRequest: ({ socket }) => socket.resetAndDestroy() }, options);

/** Resets the connection as soon as it has been accepted. */
export const resetOnAccept: Starter = (options) =>
  startRawServer({ onConnect: (socket) => socket.resetAndDestroy() }, options);

/**
 * Sends the head and 1,000 of 10,000 bytes, then resets. The pause lets the client read them before: libuv reports a
 * reset that it finds behind unread bytes as a plain end of the stream.
 */
export const resetInBody: Starter = (options) =>
  startRawServer(
    {
      onRequest: ({ socket }) => {
        const head = 'HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n';
        socket.write(Buffer.concat([Buffer.from(head), filler(1000)]));
        // the setImmediate() lets a client in this same process read, however late the timer is
        const timer = setTimeout(() => setImmediate(() => socket.resetAndDestroy()), RESET_AFTER_MS);
        socket.once('close', () => clearTimeout(timer));
      },
    },
    options,
  );

/** Takes the request and closes in good order, without an answer. */
export const closeWithoutAnswer: Starter = scripted('', 'close');

/** Accepts, reads everything and never says anything. */
export const hangAfterAccept: Starter = (options) => startRawServer({}, options);

/** Sends a good head, then the body byte by byte for ever. */
export const dripBody: Starter = (options) =>
  startRawServer(
    {
      onRequest: ({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
        drip(socket, '.');
      },
    },
    options,
  );

/** Sends a header that grows byte by byte for ever. */
export const dripHead: Starter = (options) =>
  startRawServer(
    {
      onRequest: ({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nX-Slow: ');
        drip(socket, 'a');
      },
    },
    options,
  );

/** Sends header after header for ever. */
export const endlessHeader: Starter = endless('HTTP/1.1 200 OK\r\n', `X-More: ${'m'.repeat(1000)}\r\n`);

/** Sends chunk after chunk for ever. */
export const endlessBody: Starter = endless(
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  `10000\r\n${'.'.repeat(0x10000)}\r\n`,
);

/**
 * The keep-alive race: each connection answers one request, and closes without an answer when a second one arrives.
 * A fresh connection works.
 */
export const keepAliveRace: Starter = (options) =>
  startRawServer(
    { onRequest: ({ socket, turn }) => void (turn === 1 ? socket.write(okAnswer()) : socket.destroy()) },
    options,
  );

/** The same race, lost with a reset. */
export const keepAliveReset: Starter = (options) =>
  startRawServer(
    {
      onRequest: ({ socket, turn }) =>
        void (turn === 1 ? socket.write(okAnswer()) : socket.resetAndDestroy()),
    },
    options,
  );

/** Closes right after each answer without having said `Connection: close`. */
export const closeAfterAnswer: Starter = scripted(okAnswer(), 'close');

/** A 256 KB body of a `Connection: close` answer with the FIN right behind it. */
export const finAfterLargeBody: Starter = scripted(
  okAnswer(filler(256 * 1024).toString(), 'Connection: close\r\n'),
  'close',
);

function drip(socket: Socket, byte: string): void {
  let left = MAX_DRIPS;
  const timer = setInterval(() => (left-- > 0 ? socket.write(byte) : socket.end()), DRIP_EVERY_MS);
  socket.once('close', () => clearInterval(timer));
}

function endless(head: string, part: string): Starter {
  const bytes = Buffer.from(part);
  function* parts(): Generator<Buffer> {
    yield Buffer.from(head);
    for (let sent = 0; sent < MAX_ENDLESS_BYTES; sent += bytes.length) yield bytes;
  }
  return (options) =>
    startRawServer(
      { onRequest: ({ socket }) => void pipeline(Readable.from(parts()), socket, () => {}) },
      options,
    );
}
