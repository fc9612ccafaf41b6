import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { closeConnection } from '../../src/cluster/broker-connection.ts';

const INFO = { server_id: 'x', version: '2.9.10', proto: 1, headers: true, max_payload: 1024 ** 2 };

/** A client that is reconnecting: its server accepted the second connection, and sends nothing on it. */
async function reconnectingClient(): Promise<{ connection: NatsConnection; socket: Socket }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}).resume());
    if (sockets.length > 1) return void server.emit('reconnect');
    socket.write(`INFO ${JSON.stringify(INFO)}\r\n`);
    socket.on('data', (data) => data.includes('PING') && socket.write('PONG\r\n'));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  const connection = await connect({
    servers: `127.0.0.1:${address.port}`,
    timeout: 10_000,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => 1,
  });
  const reconnect = once(server, 'reconnect');
  sockets[0]?.destroy();
  await reconnect;
  const socket = sockets[1];
  if (socket === undefined) throw new Error('The client did not reconnect');
  return { connection, socket };
}

/** Whether the client ends its side of the connection within this time. */
function isEnded(socket: Socket, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    const end = () => {
      clearTimeout(timer);
      resolve(true);
    };
    for (const event of ['end', 'close']) socket.once(event, end);
  });
}

describe('the client of the broker, while it reconnects to a server that sends nothing', () => {
  it('is closed by closeConnection(), with its socket', async () => {
    const { connection, socket } = await reconnectingClient();
    const ended = isEnded(socket, 5000);
    await closeConnection(connection);
    expect(await ended).toBe(true);
  });

  // When this fails, the client was fixed: closeConnection() may then use only its public API.
  it('keeps its socket open after close()', async () => {
    const { connection, socket } = await reconnectingClient();
    const ended = isEnded(socket, 200);
    await connection.close();
    expect(await ended).toBe(false);
  });
});
