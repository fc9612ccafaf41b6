import { X509Certificate } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { isIP, type Socket } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { ConnectionOptions, NatsConnection, TlsOptions } from '@nats-io/transport-node';
import { errorCode, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';

/** The packages of the client, which are installed with fanout where npm does not leave out what is optional. */
export interface Nats {
  readonly transport: typeof import('@nats-io/transport-node');
  readonly jetstream: typeof import('@nats-io/jetstream');
}

/** Loads the client on use. Throws a `UsageError` that says how to install it when it is missing. */
async function loadNats(load: (name: string) => Promise<unknown> = (name) => import(name)): Promise<Nats> {
  const names = ['@nats-io/transport-node', '@nats-io/jetstream'] as const;
  try {
    const [transport, jetstream] = await Promise.all(names.map(load));
    // The types are those of the packages that were loaded by these names.
    return { transport, jetstream } as Nats;
  } catch (error) {
    if (!/MODULE_NOT_FOUND$/.test(errorCode(error) ?? '')) throw error;
    throw new UsageError(
      `Cannot use a broker: its client is not installed; type "npm install ${names.map((name) => `${name}@3.3`).join(' ')}"`,
      { cause: error },
    );
  }
}

const NEW_SOCKET = 'net.client.socket';

/**
 * Connects, and ends what was opened for it when that fails: to a server that says nothing the client gives up, but leaves
 * its socket open, which would keep the process alive. For a time at which the process connects to nothing else.
 */
async function leavingNothing<T>(connect: () => Promise<T>): Promise<T> {
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

/** What Node calls a server of which it was told no name. */
const NO_NAME = 'localhost';

/** What the client takes, and hands on to Node whole. */
type BrokerTls = TlsOptions & { readonly checkServerIdentity: typeof checkServerIdentity };

/**
 * The TLS settings of a connection to these servers, `host:port`. The client names no server that it knows by its address,
 * and Node then wants a certificate for "localhost", from whatever machine; it must be one for the address.
 */
export function brokerTls(servers: readonly string[], ca: string | undefined): BrokerTls {
  const hosts = servers.map((server) => server.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
  return {
    ...(ca === undefined ? {} : { ca }),
    checkServerIdentity: (name: string, certificate: PeerCertificate) => {
      const wanted = name === NO_NAME ? hosts : [name];
      const errors = wanted.map((host) =>
        isForAddress(host, certificate) ? undefined : checkServerIdentity(host, certificate),
      );
      return errors.includes(undefined) ? undefined : errors[0];
    },
  };
}

/** By OpenSSL: some versions of Node 22 say no to every certificate for an IPv6 address, which they give a dot at its end. */
function isForAddress(host: string, { raw }: PeerCertificate): boolean {
  return isIP(host) !== 0 && new X509Certificate(raw).checkIP(host) !== undefined;
}

/** Where the broker is, and who asks. */
export interface BrokerAddress {
  /** `host:port`, one for each server of a cluster. */
  readonly servers: readonly string[];
  readonly isSecure: boolean;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** The text of a credentials file. */
  readonly credentials?: string | undefined;
  /** Certificates to trust, as PEM. */
  readonly ca?: string | undefined;
}

/** A connection that comes back by itself, as often as it is lost. */
export interface Broker {
  readonly nats: Nats;
  readonly connection: NatsConnection;
  /** Whether it is there just now. */
  isConnected(): boolean;
}

const CONNECT_MS = 5000;
const RECONNECT_MS = 500;

/**
 * Connects to the broker. Throws a `UsageError` when it cannot be reached, refuses, or cannot do what is needed; after
 * that, `warn` is told when it is lost and when it is back.
 */
export async function connectBroker(address: BrokerAddress, warn: (text: string) => void): Promise<Broker> {
  const nats = await loadNats();
  const shown = address.servers.map((server) => printable(server, 200)).join(',');
  let connection: NatsConnection;
  try {
    connection = await leavingNothing(() => nats.transport.connect(connectionOptions(address, nats)));
  } catch (error) {
    const isRefused = error instanceof nats.transport.AuthorizationError;
    const reason = isRefused ? 'it refuses the credentials' : reasonOf(error);
    throw new UsageError(`Cannot connect to the broker at ${shown}: ${reason}`, { cause: error });
  }
  try {
    await checkServer(nats, connection, shown);
  } catch (error) {
    await closeConnection(connection);
    throw error;
  }
  return { nats, connection, isConnected: tellOfLosses({ nats, connection }, shown, warn) };
}

function connectionOptions(address: BrokerAddress, { transport }: Nats): ConnectionOptions {
  const { servers, user, password, token, credentials, ca, isSecure } = address;
  return {
    servers: [...servers],
    name: 'fanout',
    timeout: CONNECT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    // Otherwise the client gives up for good when it was refused twice, and everybody would wait for nothing.
    ignoreAuthErrorAbort: true,
    // Two stale pings: a broker that is stopped and not gone is noticed within half a minute.
    pingInterval: 10_000,
    ...(user === undefined ? {} : { user, pass: password ?? '' }),
    ...(token === undefined ? {} : { token }),
    ...(credentials === undefined
      ? {}
      : { authenticator: transport.credsAuthenticator(new TextEncoder().encode(credentials)) }),
    ...(isSecure || ca !== undefined ? { tls: brokerTls(servers, ca) } : {}),
  };
}

async function checkServer({ jetstream }: Nats, connection: NatsConnection, shown: string): Promise<void> {
  const version = connection.info?.version ?? '0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 9)) {
    throw new UsageError(
      `Cannot use the broker at ${shown}: it is nats-server ${printable(version, 50)}, it must be 2.9 or newer`,
    );
  }
  try {
    await (await jetstream.jetstreamManager(connection, { checkAPI: false })).getAccountInfo();
  } catch (error) {
    throw new UsageError(
      `Cannot use the broker at ${shown}: ${reasonOf(error)}; it must run with JetStream, as in "nats-server -js"`,
      { cause: error },
    );
  }
}

function tellOfLosses(
  { nats, connection }: Omit<Broker, 'isConnected'>,
  shown: string,
  warn: (text: string) => void,
): () => boolean {
  let isConnected = true;
  let isRefused = false;
  const watch = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect' && isConnected) {
        isConnected = false;
        warn(`the broker at ${shown} is away: waiting for it`);
      } else if (status.type === 'reconnect' && !isConnected) {
        isConnected = true;
        isRefused = false;
        warn(`the broker at ${shown} is back`);
      } else if (status.type === 'error' && status.error instanceof nats.transport.AuthorizationError) {
        if (!isRefused) warn(`the broker at ${shown} refuses the credentials: waiting until it takes them`);
        isRefused = true;
      }
    }
  };
  watch().catch(() => {}); // the connection was closed
  return () => isConnected;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error), 200);
  const { cause } = error;
  const inner = cause instanceof Error && cause.message !== '' ? cause.message : error.message;
  return printable(inner === '' ? error.name : inner, 200);
}
