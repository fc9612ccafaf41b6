import { once } from 'node:events';
import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { SharedBufferSocket } from '../../src/http/shared-buffer-socket.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { running, startClient } from './client.ts';

const LENGTH = 1_000_000;

/** A connection to a server that sends one letter `length` times, and closes. */
async function connectedTo(letter: string, length = LENGTH): Promise<SharedBufferSocket> {
  const server = await running(
    startRawServer({ onConnect: (socket) => void socket.end(Buffer.alloc(length, letter)) }),
  );
  return new SharedBufferSocket().connect(server.port, '127.0.0.1');
}

/** The pieces that are handed over, read as undici does. */
async function piecesOf(socket: SharedBufferSocket): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  socket.on('readable', () => {
    for (let piece = socket.read(); piece !== null; piece = socket.read()) pieces.push(piece);
  });
  await once(socket, 'end');
  return pieces;
}

test('data that is not transient is complete, and may be kept', async () => {
  const first = await piecesOf(await connectedTo('a'));
  await piecesOf(await connectedTo('b'));
  expect(Buffer.concat(first).equals(Buffer.alloc(LENGTH, 'a'))).toBe(true);
});

test('transient data is not copied: the next read overwrites it', async () => {
  const socket = await connectedTo('a');
  socket.isTransient = true;
  const first = Buffer.concat(await piecesOf(socket));
  expect(first.length).toBe(LENGTH);
  const second = await connectedTo('b');
  second.isTransient = true;
  const [piece] = (await piecesOf(second)).filter(({ length }) => length > 16 * 1024);
  await piecesOf(await connectedTo('c'));
  expect(piece?.includes('c')).toBe(true);
});

test('a small piece may be kept even if it is transient', async () => {
  const socket = await connectedTo('a', 1000);
  socket.isTransient = true;
  const first = await piecesOf(socket);
  await piecesOf(await connectedTo('b'));
  expect(Buffer.concat(first).equals(Buffer.alloc(1000, 'a'))).toBe(true);
});

test.each([
  ['that is read as an ordinary stream', (socket: SharedBufferSocket) => buffer(socket)],
  [
    'whose reader starts late',
    async (socket: SharedBufferSocket) => {
      await once(socket, 'connect');
      return Buffer.concat(await piecesOf(socket));
    },
  ],
])('a socket %s delivers all data', async (_, read) => {
  const bytes = await read(await connectedTo('a'));
  expect(bytes.equals(Buffer.alloc(LENGTH, 'a'))).toBe(true);
});

test('unread data comes before later data', async () => {
  const server = await running(
    startRawServer({
      onConnect: (socket) => void socket.write('a'),
      onData: (socket) => void socket.write('b'),
    }),
  );
  const socket = new SharedBufferSocket().connect(server.port, '127.0.0.1');
  let isReading = false;
  let text = '';
  const read = () => {
    if (isReading) text += socket.read() ?? '';
  };
  socket.on('readable', read);
  await expect.poll(() => socket.readableLength).toBe(1);
  isReading = true;
  socket.write('more');
  await expect.poll(() => text.length + socket.readableLength).toBe(2);
  read();
  expect(text).toBe('ab');
  socket.destroy();
});

test('a head that arrives in two pieces is complete, whatever is read in between', async () => {
  const value = 'h'.repeat(30_000);
  let cut: Socket | undefined;
  const server = await running(
    startRawServer({
      onRequest: ({ socket, target }) => {
        if (target === '/first') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
        if (target === '/cut') cut = socket.setNoDelay(true);
        if (target === '/cut') socket.write(`HTTP/1.1 200 OK\r\nx-long: ${value}\r\n`);
        if (target === '/other')
          socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${LENGTH}\r\n\r\n${'b'.repeat(LENGTH)}`);
      },
    }),
  );
  const { send } = await startClient();
  await send(`${server.url}/first`);
  const sent = send(`${server.url}/cut`);
  await server.requests.reached(2);
  expect((await send(`${server.url}/other`)).response?.bytes).toBe(LENGTH);
  cut?.end('content-length: 0\r\n\r\n');
  const { response } = await sent;
  expect(response?.headers['x-long'] === value).toBe(true); // toBe() would print the whole value
  expect(server.accepted.count).toBe(2);
});
