import { Connection, IdleList, type PooledTarget, poolKey } from './connection.ts';
import type { Connector } from './connector.ts';
import { Exchange, type ExchangeHandler, type ExchangeRequest } from './exchange.ts';

export interface AgentOptions {
  readonly connector: Connector;
  /** Connections kept open without a request, over all origins. */
  readonly maxIdle: number;
  /** Connections above which an idle one is closed for each new one. Connections in use are not limited. */
  readonly maxOpen?: number;
}

/** Any connection; a new one; or a new one that reads what the strict parser refuses, for this exchange only. */
export type ConnectionUse = 'any' | 'fresh' | 'lenient';

/** The connections to one origin. */
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
const EVICTED = new Error('the connection is not wanted any more');

/**
 * The one agent that all workers share: dispatches exchanges on a table of connections, each with a client of its own.
 *
 * It has no queue: every `dispatch` starts at once, on an idle or a new connection. The caller limits how many run.
 */
export class Agent {
  readonly #connector: Connector;
  readonly #maxIdle: number;
  readonly #maxOpen: number;
  readonly #origins = new Map<string, OriginConnections>();
  readonly #connections = new Set<Connection>();
  readonly #watched = new Set<string>();
  readonly #idle = new IdleList<Connection>();
  #abortReason: Error | undefined;

  constructor(options: AgentOptions) {
    this.#connector = options.connector;
    this.#maxIdle = options.maxIdle;
    this.#maxOpen = options.maxOpen ?? Number.POSITIVE_INFINITY;
  }

  /** Exchanges in flight. */
  get inFlight(): number {
    return this.#connections.size - this.#idle.size;
  }

  /** Whether there is a client certificate, which anonymous requests do not show. */
  get hasCertificate(): boolean {
    return this.#connector.hasCertificate;
  }

  /** Whether more than 16 origins are connected, so that a connection should be closed when no request waits for it. */
  get hasManyOrigins(): boolean {
    return this.#origins.size > FEW_ORIGINS;
  }

  /** Starts an exchange, on an idle connection if `use` allows it. */
  dispatch(request: ExchangeRequest, handler: ExchangeHandler, use: ConnectionUse = 'any'): Exchange {
    const { origin, isAnonymous = false } = request;
    const target = this.#targetOf({ origin, isAnonymous });
    const connection = use === 'any' ? this.#take(target) : this.#connect(target, use);
    const exchange = new Exchange(this, connection, request, handler);
    if (this.#abortReason === undefined) exchange.start();
    else exchange.abort(this.#abortReason);
    return exchange;
  }

  /** Watches the end of TLS on new connections to this origin, since it sends bodies that end with their connection. */
  watchEnds(origin: string): void {
    if (this.#watched.size >= MAX_WATCHED) this.#watched.clear();
    this.#watched.add(origin);
  }

  /** Keeps the connection of a finished exchange for the next one. */
  release(connection: Connection): void {
    connection.exchange = undefined;
    this.#origins.get(connection.key)?.idle.push(connection);
    this.#idle.add(connection);
    if (this.#idle.size > this.#maxIdle) this.#closeOldest();
  }

  /** Closes a connection, also while it connects or carries an exchange. */
  discard(connection: Connection, reason: Error): void {
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
    while (this.#idle.size > 0) this.#closeOldest();
  }

  /** Closes the connection to this target that was used last, if one carries no request. */
  closeOneIdle(target: PooledTarget): void {
    const connection = this.#origins.get(poolKey(this.#targetOf(target)))?.idle.pop();
    if (connection === undefined) return;
    this.#idle.remove(connection);
    this.discard(connection, EVICTED);
  }

  /** Aborts the exchanges in flight, and every exchange dispatched from now on. */
  abort(reason: Error): void {
    this.#abortReason = reason;
    for (const connection of this.#connections) connection.exchange?.abort(reason);
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

  /** The idle connection that was used last, so that the others reach their idle timeout; a new one if there is none. */
  #take(target: PooledTarget): Connection {
    const connection = this.#origins.get(poolKey(target))?.idle.pop();
    if (connection === undefined) return this.#connect(target);
    this.#idle.remove(connection);
    connection.isReused = true;
    return connection;
  }

  #connect(target: PooledTarget, use: ConnectionUse = 'any'): Connection {
    if (this.#connections.size >= this.#maxOpen) this.#closeOldest();
    // What is not repeated on another connection is watched at once.
    const watchesEnd = use !== 'any' || this.#watched.has(target.origin);
    const connection = new Connection(target, this.#connector, use === 'lenient', watchesEnd);
    this.#connections.add(connection);
    const connections = this.#origins.get(connection.key);
    if (connections === undefined) this.#origins.set(connection.key, { idle: [], open: 1 });
    else connections.open += 1;
    return connection;
  }

  #closeOldest(): void {
    const { oldest } = this.#idle;
    if (oldest === undefined) return;
    this.#idle.remove(oldest);
    const idle = this.#origins.get(oldest.key)?.idle;
    idle?.splice(idle.indexOf(oldest), 1);
    this.discard(oldest, EVICTED);
  }
}
