import type { Socket } from 'node:net';
import { AlpnOrigin, type AlpnPool, NO_TRAITS, type OriginTraits } from './alpn-origin.ts';
import { Connection, type ConnectionUse, IdleList, type PooledTarget, poolKey } from './connection.ts';
import type { Connector } from './connector.ts';
import { Exchange, type ExchangeHandler, type ExchangeRequest } from './exchange.ts';
import type { SilenceLimits } from './silence-probe.ts';

export interface AgentOptions {
  readonly connector: Connector;
  /** Connections kept open without a request, over all origins. */
  readonly maxIdle: number;
  /** Connections above which an idle one is closed for each new one. Connections in use are not limited. */
  readonly maxOpen?: number;
  /** When a silent HTTP/2 connection is dead; after 15 s if left out. */
  readonly silence?: SilenceLimits;
}

/** The HTTP/1.1 connections to one origin. */
interface OriginConnections {
  /** In the order of their last use, the most recent last. */
  readonly idle: Connection[];
  /** Idle or in use. */
  open: number;
}

/** Origins up to which a run may keep idle connections to all of them. */
const FEW_ORIGINS = 16;
/** Origins that are remembered for bodies that end with their connection. */
const MAX_WATCHED = 10_000;
/** Origins whose traits are remembered. */
const MAX_TRAITS = 10_000;
const EVICTED = new Error('the connection is not wanted any more');

/**
 * The one agent that all workers share: dispatches exchanges on a table of connections, each with a client of its own.
 *
 * It has no queue for HTTP/1.1: every `dispatch` starts at once, on an idle or a new connection. The caller limits how many
 * run. HTTP/2 is the part of `AlpnOrigin`.
 */
export class Agent implements AlpnPool {
  readonly connector: Connector;
  readonly silence: SilenceLimits | undefined;
  readonly idle = new IdleList();
  readonly usage = { inFlight: 0, open: 0 };
  readonly #maxIdle: number;
  readonly #maxOpen: number;
  readonly #origins = new Map<string, OriginConnections>();
  readonly #connections = new Set<Connection>();
  readonly #watched = new Set<string>();
  /** Origins that HTTP/2 is offered to. */
  readonly #alpnOrigins = new Map<string, AlpnOrigin>();
  readonly #traits = new Map<string, OriginTraits>();
  /** HTTP/1.1 connections that carry an exchange. */
  #busy = 0;
  #abortReason: Error | undefined;

  constructor(options: AgentOptions) {
    this.connector = options.connector;
    this.silence = options.silence;
    this.#maxIdle = options.maxIdle;
    this.#maxOpen = options.maxOpen ?? Number.POSITIVE_INFINITY;
  }

  /** Exchanges in flight. */
  get inFlight(): number {
    return this.#busy + this.usage.inFlight;
  }

  /** Whether there is a client certificate, which anonymous requests do not show. */
  get hasCertificate(): boolean {
    return this.connector.hasCertificate;
  }

  /** Whether more than 16 origins are connected, so that a connection should be closed when no request waits for it. */
  get hasManyOrigins(): boolean {
    return this.#origins.size + this.#alpnOrigins.size > FEW_ORIGINS;
  }

  /** Starts an exchange, on a connection in use or an idle one if `use` allows it. */
  dispatch(request: ExchangeRequest, handler: ExchangeHandler, use: ConnectionUse = 'any'): Exchange {
    const { origin, isAnonymous = false } = request;
    const exchange = new Exchange(request, handler);
    if (this.#abortReason !== undefined) {
      exchange.abort(this.#abortReason);
      return exchange;
    }
    const target = this.#targetOf({ origin, isAnonymous });
    const mayBeHttp2 = this.connector.offersHttp2 && origin.startsWith('https:');
    if (!mayBeHttp2 || this.traitsOf(target).isHttp1) this.startHttp1(exchange, target, use);
    else this.#alpnOriginOf(target).dispatch(exchange, use);
    return exchange;
  }

  traitsOf(target: PooledTarget): OriginTraits {
    if (this.#traits.size === 0) return NO_TRAITS;
    return this.#traits.get(poolKey(target)) ?? NO_TRAITS;
  }

  remember(target: PooledTarget, traits: OriginTraits): void {
    if (this.#traits.size >= MAX_TRAITS) this.#traits.clear();
    this.#traits.set(poolKey(target), traits);
  }

  startHttp1(exchange: Exchange, target: PooledTarget, use: ConnectionUse, socket?: Socket): boolean {
    // A socket that does not watch its end is for any exchange only.
    const takesSocket = socket !== undefined && use === 'any' && !this.#watched.has(target.origin);
    const reused = use === 'any' && !takesSocket ? this.#takeIdle(target) : undefined;
    const connection = reused ?? this.#connect(target, use, takesSocket ? socket : undefined);
    connection.exchange = exchange;
    this.#busy += 1;
    exchange.start(connection);
    return takesSocket;
  }

  onUnused(target: PooledTarget): void {
    this.#alpnOrigins.delete(poolKey(target));
  }

  /** Watches the end of TLS on new connections to this origin, since it sends bodies that end with their connection. */
  watchEnds(origin: string): void {
    if (this.#watched.size >= MAX_WATCHED) this.#watched.clear();
    this.#watched.add(origin);
  }

  /** Keeps the connection of a finished exchange for the next one. */
  release(connection: Connection): void {
    connection.exchange = undefined;
    this.#busy -= 1;
    this.#origins.get(connection.key)?.idle.push(connection);
    this.idle.add(connection);
    this.trim();
  }

  trim(): void {
    if (this.idle.size > this.#maxIdle) this.#closeOldest();
  }

  makeRoom(): void {
    if (this.#connections.size + this.usage.open >= this.#maxOpen) this.#closeOldest();
  }

  /** Closes a connection, also while it connects or carries an exchange. */
  discard(connection: Connection, reason: Error): void {
    if (connection.exchange !== undefined) this.#busy -= 1;
    connection.exchange = undefined;
    connection.destroy(reason);
    this.#connections.delete(connection);
    const connections = this.#origins.get(connection.key);
    if (connections === undefined) return;
    connections.open -= 1;
    if (connections.open === 0) this.#origins.delete(connection.key);
  }

  /** Closes every connection that carries no request. */
  closeIdle(): void {
    while (this.idle.size > 0) this.#closeOldest();
  }

  /** Closes the connection to this target that was used last, if one carries no request. */
  closeOneIdle(target: PooledTarget): void {
    const key = poolKey(this.#targetOf(target));
    if (this.#alpnOrigins.get(key)?.closeOneIdle() === true) return;
    const connection = this.#origins.get(key)?.idle.pop();
    if (connection === undefined) return;
    this.idle.remove(connection);
    this.discard(connection, EVICTED);
  }

  evict(connection: Connection): void {
    const idle = this.#origins.get(connection.key)?.idle;
    idle?.splice(idle.indexOf(connection), 1);
    this.discard(connection, EVICTED);
  }

  /** Aborts the exchanges in flight, and every exchange dispatched from now on. */
  abort(reason: Error): void {
    this.#abortReason = reason;
    for (const connection of this.#connections) connection.exchange?.abort(reason);
    for (const origin of this.#alpnOrigins.values()) origin.abort(reason);
  }

  /** Aborts, and closes every connection. */
  destroy(reason: Error): void {
    this.abort(reason);
    this.closeIdle();
  }

  /** Without a client certificate, anonymous requests share the connections of the others. */
  #targetOf({ origin, isAnonymous }: PooledTarget): PooledTarget {
    return { origin, isAnonymous: isAnonymous && this.hasCertificate };
  }

  #alpnOriginOf(target: PooledTarget): AlpnOrigin {
    const key = poolKey(target);
    const known = this.#alpnOrigins.get(key);
    if (known !== undefined) return known;
    const origin = new AlpnOrigin(this, target);
    this.#alpnOrigins.set(key, origin);
    return origin;
  }

  /** The idle connection that was used last, so that the others reach their idle timeout. */
  #takeIdle(target: PooledTarget): Connection | undefined {
    const connection = this.#origins.get(poolKey(target))?.idle.pop();
    if (connection === undefined) return undefined;
    this.idle.remove(connection);
    connection.isReused = true;
    return connection;
  }

  #connect(target: PooledTarget, use: ConnectionUse, socket: Socket | undefined): Connection {
    this.makeRoom();
    // What is not repeated on another connection is watched at once.
    const watchesEnd = use !== 'any' || this.#watched.has(target.origin);
    const isLenient = use === 'lenient';
    const connection = new Connection(this, target, this.connector, { isLenient, watchesEnd, socket });
    this.#connections.add(connection);
    const connections = this.#origins.get(connection.key);
    if (connections === undefined) this.#origins.set(connection.key, { idle: [], open: 1 });
    else connections.open += 1;
    return connection;
  }

  #closeOldest(): void {
    const { oldest } = this.idle;
    if (oldest === undefined) return;
    this.idle.remove(oldest);
    oldest.evict();
  }
}
