import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { closeConnection, leavingNothing } from './broker-sockets.ts';
import { brokerTls } from './broker-tls.ts';
import { loadNats, type Nats } from './load-nats.ts';

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
