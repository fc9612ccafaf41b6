import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { NatsConnection } from '@nats-io/transport-node';

const NEW_SOCKET = 'net.client.socket';

/**
 * Connects, and ends what was opened for it when that fails: to a server that says nothing the client gives up, but leaves
 * its socket open, which would keep the process alive. For a time at which the process connects to nothing else.
 */
export async function leavingNothing<T>(connect: () => Promise<T>): Promise<T> {
  const sockets: Socket[] = [];
  const note = (message: unknown) => void sockets.push((message as { socket: Socket }).socket); // as Node documents it
  subscribe(NEW_SOCKET, note);
  try {
    return await connect();
  } catch (error) {
    for (const socket of sockets) socket.destroy();
    throw error;
  } finally {
    unsubscribe(NEW_SOCKET, note);
  }
}

/** The part of the client that it shows to nobody: the socket of an attempt to connect again. */
interface Attempting {
  readonly protocol?: { readonly transport?: { discard?(): void } };
}

/** Closes a connection, also one that is being made again: the client forgets the socket of that. */
export async function closeConnection(connection: NatsConnection): Promise<void> {
  await connection.close();
  (connection as Attempting).protocol?.transport?.discard?.(); // a class of the client, which has more than its interface
}
