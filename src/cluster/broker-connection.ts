import { AsyncLocalStorage } from 'node:async_hooks';
import { X509Certificate } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { isIP, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { ConnectionOptions, NatsConnection, TlsOptions } from '@nats-io/transport-node';
import { durationText } from '../config/parse/numbers.ts';
import type { TlsMaterial } from '../config/tls-files.ts';
import { systemClock } from '../core/clock.ts';
import { BrokerUnavailableError, errorCode, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';

const RECONNECT_PAUSE_MS = 500;

interface BrokerTiming {
  /** How long one attempt to connect may take. */
  readonly connectTimeoutMs: number;
  /** The client reconnects after two pings without response. */
  readonly pingIntervalMs: number;
}

/** A broker that hangs is noticed within 30 s. */
const DEFAULT_TIMING: BrokerTiming = { connectTimeoutMs: 5000, pingIntervalMs: 10_000 };

/** The smallest `max_payload` with which a run works. */
const MIN_PAYLOAD = 16 * 1024;

/** Time in ms between two reports of an error that lasts, at least. */
const REPORT_INTERVAL_MS = 10_000;

/** An error is reported after this many failures in a row: while a leader is elected, a few are normal. */
export const REPORTED_FAILURES = 4;

/** The host name that Node checks a certificate for when it was given none. */
const DEFAULT_HOST = 'localhost';

/** The packages of the client. They are optional dependencies. */
export interface Nats {
  readonly transport: typeof import('@nats-io/transport-node');
  readonly jetstream: typeof import('@nats-io/jetstream');
  readonly kv: typeof import('@nats-io/kv');
}

export interface BrokerAddress {
  /** `host:port`, one for each server of a cluster. */
  readonly servers: readonly string[];
  readonly isSecure: boolean;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** The text of a credentials file. */
  readonly credentials?: string | undefined;
  /** The seed of an nkey. */
  readonly seed?: string | undefined;
  /** Certificates and key as PEM; any of them asks for TLS. */
  readonly tls?: TlsMaterial | undefined;
  /** The prefix of subjects for responses; `_INBOX` if unset. */
  readonly inboxPrefix?: string | undefined;
  /** How long to wait for a broker that cannot be reached, in ms; 0 if unset. */
  readonly waitMs?: number | undefined;
}

/** Receives what happens to a connection. */
export interface ConnectionMessages {
  readonly warn: (text: string) => void;
  readonly note: (text: string) => void;
}

/** A connection that reconnects by itself, without limit. */
export interface Broker {
  readonly nats: Nats;
  readonly connection: NatsConnection;
  /** Whether there is a connection now. */
  isConnected(): boolean;
}

/**
 * Connects to the broker; waits for it while it cannot be reached. Throws a `BrokerUnavailableError` when that takes longer than
 * `waitMs`, and a `UsageError` when the broker refuses the credentials, is too old, or has no JetStream. Later, the messages say
 * when the connection is lost and when it is back.
 */
export async function connectBroker(
  address: BrokerAddress,
  messages: ConnectionMessages,
  timing: BrokerTiming = DEFAULT_TIMING,
): Promise<Broker> {
  const nats = await loadNats();
  const servers = address.servers.map((server) => printable(server, 200)).join(',');
  const { waitMs = 0 } = address;
  const timeUp = AbortSignal.timeout(waitMs);
  let isReported = false;
  const connection = await retryUntilBack(
    async () => {
      const options = connectionOptions(address, timing, nats);
      const opened = await closingSocketsOnError(() => nats.transport.connect(options));
      return checkServer(nats, opened, servers).catch(async (error: unknown) => {
        await closeConnection(opened);
        throw error;
      });
    },
    {
      isTransient: (error) => {
        if (timeUp.aborted || !isUnreachable(error, nats)) return false;
        if (!isReported)
          messages.warn(
            `cannot connect to the broker at ${servers}: ${connectReason(error, address, nats)}; waiting up to ${durationText(waitMs)} (--wait)`,
          );
        isReported = true;
        return true;
      },
    },
  ).catch((error: unknown) => {
    if (error instanceof UsageError) throw error;
    const isRefused = error instanceof nats.transport.AuthorizationError;
    const reason = isRefused ? 'it refuses the credentials' : connectReason(error, address, nats);
    const message = `cannot connect to the broker at ${servers}: ${reason}`;
    if (isUnreachable(error, nats)) throw new BrokerUnavailableError(message, { cause: error });
    throw new UsageError(message, { cause: error });
  });
  return { nats, connection, isConnected: watchStatus({ nats, connection }, servers, messages) };
}

/** A server that wants a client certificate closes the connection without one, which the client reports as a timeout. */
function connectReason(error: unknown, { isSecure, tls }: BrokerAddress, { transport }: Nats): string {
  const isTls = isSecure || tls?.ca !== undefined;
  const isUnsure = isTls && tls?.cert === undefined && error instanceof transport.TimeoutError;
  return `${reasonOf(error)}${isUnsure ? ' (if it wants a client certificate, give --broker-cert)' : ''}`;
}

/** Whether an error says that a server cannot be reached, or does not respond. */
function isUnreachable(error: unknown, { transport }: Nats): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof transport.TimeoutError) return true;
  const code = errorCode(error) ?? errorCode(error.cause) ?? '';
  return /^(ECONN[A-Z]+|EHOST[A-Z]+|ENET[A-Z]+|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE)$/.test(code);
}

/** The part of the client that its types do not show. */
interface ClientInternals {
  readonly protocol?: { readonly transport?: { discard?(): void } };
}

/**
 * Closes a connection, and the socket of an attempt to reconnect.
 *
 * This calls a private method of the client: while it reconnects to a server that accepts and then sends nothing, its
 * `close()` leaves the socket open, and that keeps the process alive. Seen with @nats-io/transport-node 3.3.1;
 * `nats-internals.test.ts` fails when a version closes the socket itself, or has no such method any more.
 */
export async function closeConnection(connection: NatsConnection): Promise<void> {
  await connection.close();
  (connection as ClientInternals).protocol?.transport?.discard?.(); // the class behind the interface has this field
}

type BrokerTls = TlsOptions & { readonly checkServerIdentity: typeof checkServerIdentity };

/**
 * The TLS settings of a connection to these servers, `host:port`. The client passes no host name to Node for a server
 * that is given by its address. Node would then accept a certificate for "localhost" from any server; here it must be
 * valid for the address.
 */
export function brokerTls(servers: readonly string[], { ca, cert, key }: TlsMaterial = {}): BrokerTls {
  const hosts = servers.map((server) => server.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    checkServerIdentity: (name: string, certificate: PeerCertificate) => {
      const candidates = name === DEFAULT_HOST ? hosts : [name];
      const errors = candidates.map((host) =>
        isForAddress(host, certificate) ? undefined : checkServerIdentity(host, certificate),
      );
      return errors.includes(undefined) ? undefined : errors[0];
    },
  };
}

/**
 * Checked by OpenSSL: some versions of Node 22 refuse every certificate for an IPv6 address, to which they add a final
 * dot.
 */
function isForAddress(host: string, { raw }: PeerCertificate): boolean {
  return isIP(host) !== 0 && new X509Certificate(raw).checkIP(host) !== undefined;
}

/** Throws a `UsageError` that says how to install the client when it is missing. */
async function loadNats(): Promise<Nats> {
  const names = ['@nats-io/transport-node', '@nats-io/jetstream', '@nats-io/kv'] as const;
  try {
    const [transport, jetstream, kv] = await Promise.all(names.map((name) => import(name)));
    // The types are those of the packages that were loaded by these names.
    return { transport, jetstream, kv } as Nats;
  } catch (error) {
    if (!/MODULE_NOT_FOUND$/.test(errorCode(error) ?? '')) throw error;
    throw new UsageError(
      `the NATS client is not installed: run "npm install ${names.map((name) => `${name}@3.3.1`).join(' ')}"`,
      { cause: error },
    );
  }
}

function connectionOptions(
  address: BrokerAddress,
  { connectTimeoutMs, pingIntervalMs }: BrokerTiming,
  { transport }: Nats,
): ConnectionOptions {
  const { servers, user, password, token, credentials, seed, inboxPrefix, tls = {}, isSecure } = address;
  return {
    servers: [...servers],
    name: 'fanout',
    timeout: connectTimeoutMs,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_PAUSE_MS,
    // Otherwise the client stops to reconnect when it was refused twice, and nothing would end the run.
    ignoreAuthErrorAbort: true,
    pingInterval: pingIntervalMs,
    ...(user === undefined ? {} : { user, pass: password ?? '' }),
    ...(token === undefined ? {} : { token }),
    ...(credentials === undefined
      ? {}
      : { authenticator: transport.credsAuthenticator(new TextEncoder().encode(credentials)) }),
    ...(seed === undefined
      ? {}
      : { authenticator: transport.nkeyAuthenticator(new TextEncoder().encode(seed)) }),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
    ...(isSecure || tls.ca !== undefined || tls.cert !== undefined ? { tls: brokerTls(servers, tls) } : {}),
  };
}

/** The channel on which Node publishes each client socket, as `{ socket }`. */
const SOCKET_CHANNEL = 'net.client.socket';

/**
 * Connects, and destroys the sockets of the attempt when that fails: when a server sends nothing, the client gives up but leaves
 * its socket open, which would keep the process alive.
 */
async function closingSocketsOnError<T>(connect: () => Promise<T>): Promise<T> {
  const sockets: Socket[] = [];
  const attempt = new AsyncLocalStorage<true>();
  const onSocket = (message: unknown) => {
    if (attempt.getStore()) sockets.push((message as { socket: Socket }).socket); // as Node documents it
  };
  subscribe(SOCKET_CHANNEL, onSocket);
  try {
    return await attempt.run(true, connect);
  } catch (error) {
    for (const socket of sockets) socket.destroy();
    throw error;
  } finally {
    unsubscribe(SOCKET_CHANNEL, onSocket);
    attempt.disable(); // Node 20 would keep on following every promise
  }
}

async function checkServer(
  { jetstream, transport }: Nats,
  connection: NatsConnection,
  servers: string,
): Promise<NatsConnection> {
  const version = connection.info?.version ?? '0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 9)) {
    throw new UsageError(
      `the broker at ${servers} is too old: nats-server ${printable(version, 50)}; use 2.9 or newer`,
    );
  }
  const payload = connection.info?.max_payload ?? MIN_PAYLOAD;
  if (payload < MIN_PAYLOAD) {
    throw new UsageError(
      `the broker at ${servers} takes messages of ${payload} bytes at most: set its max_payload to ${MIN_PAYLOAD} or more (64kB is enough for all but long records)`,
    );
  }
  try {
    await (await jetstream.jetstreamManager(connection, { checkAPI: false })).getAccountInfo();
    return connection;
  } catch (error) {
    if (error instanceof transport.TimeoutError) throw error;
    const isForbidden = permissionError(error, { transport }) !== undefined;
    const wayOut = isForbidden ? `. ${PERMISSION_ADVICE}` : '; start it with "nats-server -js"';
    throw new UsageError(`cannot use JetStream of the broker at ${servers}: ${reasonOf(error)}${wayOut}`, {
      cause: error,
    });
  }
}

/** The permission that an error says is missing. Requests wrap the error of their subscription. */
export function permissionError(error: unknown, { transport }: Pick<Nats, 'transport'>): Error | undefined {
  const { cause } = error instanceof Error ? error : {};
  return [error, cause].find((one) => one instanceof transport.PermissionViolationError);
}

/** Reports each change of the connection. The function returned tells whether there is one. */
function watchStatus(
  { nats, connection }: Omit<Broker, 'isConnected'>,
  servers: string,
  { warn, note }: ConnectionMessages,
): () => boolean {
  const troubles = new Troubles(warn);
  let isConnected = true;
  let isRefused = false;
  const watch = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect' && isConnected) {
        isConnected = false;
        warn(`lost the connection to the broker at ${servers}: waiting for it`);
      } else if (status.type === 'reconnect' && !isConnected) {
        isConnected = true;
        isRefused = false;
        note(`connected to the broker at ${servers} again`);
      } else if (status.type === 'error' && status.error instanceof nats.transport.PermissionViolationError) {
        troubles.report(status.error);
      } else if (status.type === 'error' && status.error instanceof nats.transport.AuthorizationError) {
        if (!isRefused)
          warn(`the broker at ${servers} refuses the credentials: waiting until it accepts them`);
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

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

/** The run of this process was purged, or another run has its name: nothing that the process does can be of use. */
export class RunGoneError extends UsageError {}

interface RetryOptions {
  /** After an abort the next error is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Whether to retry after this error. If unset, every error but a `RunGoneError` is retried. */
  readonly isTransient?: ((error: unknown) => boolean) | undefined;
  /** Repairs what may have caused the error, before the next try. Its own errors are ignored, but for a `RunGoneError`. */
  readonly repair?: ((error: unknown) => Promise<void>) | undefined;
  /** Called when several tries have failed in a row. */
  readonly report?: ((error: unknown) => void) | undefined;
}

/** Calls `act` until it succeeds, with growing pauses: while the broker is away, every call to it fails. */
export async function retryUntilBack<T>(act: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { signal, isTransient, repair, report } = options;
  let failures = 0;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await act();
    } catch (error) {
      throwIfGone(error);
      if (signal?.aborted || isTransient?.(error) === false) throw error;
      failures += 1;
      if (failures >= REPORTED_FAILURES) report?.(error);
      await repair?.(error).catch(throwIfGone);
      await pause(pauseMs, signal);
    }
  }
}

/** Ignores any error but a `RunGoneError`. */
export function throwIfGone(error: unknown): void {
  if (error instanceof RunGoneError) throw error;
}

/** Resolves after this time, or at the signal. Keeps the process alive until then. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, { ...(signal && { signal }) }).catch(() => {});
}

/** Error codes of the JetStream API that say that a store or a stream has no room. */
const NO_ROOM: ReadonlySet<number> = new Set([10023, 10047, 10077]);
const MESSAGE_TOO_LARGE = 10054;

/** Reports what a broker that can be reached refuses, with what to do: each reason at most once in 10 s. */
export class Troubles {
  readonly #warn: (text: string) => void;
  readonly #now: () => number;
  readonly #reportedAt = new Map<string, number>();

  constructor(warn: (text: string) => void, now: () => number = systemClock.now) {
    this.#warn = warn;
    this.#now = now;
  }

  report(error: unknown): void {
    const reason = reasonOf(error);
    const now = this.#now();
    if (now - (this.#reportedAt.get(reason) ?? Number.NEGATIVE_INFINITY) < REPORT_INTERVAL_MS) return;
    if (this.#reportedAt.size > MAX_REASONS) this.#reportedAt.clear();
    this.#reportedAt.set(reason, now);
    this.#warn(`the broker does not take what this process sends: ${reason}; trying again. ${advice(error)}`);
  }
}

/** Reasons of which the last report is remembered. */
const MAX_REASONS = 100;

const PERMISSION_ADVICE =
  'Give this user the permission, or use another one (for the prefix of inboxes: --broker-inbox)';

function advice(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const name = error instanceof Error ? error.name : '';
  if (typeof code === 'number' && NO_ROOM.has(code)) {
    return 'Its store is full: give it more space (max_file_store, or the limits of the account), or purge runs that are complete';
  }
  if (code === MESSAGE_TOO_LARGE) return 'Raise max_payload of the server';
  if (name === 'PermissionViolationError') return PERMISSION_ADVICE;
  return 'JetStream may be starting, or a cluster of servers may have lost its majority: see the log of the server';
}
