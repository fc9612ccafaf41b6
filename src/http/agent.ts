import { Connection, IdleList } from './connection.ts';
import type { Connector } from './connector.ts';
import { type ConnectionSource, Exchange, type ExchangeHandler, type ExchangeRequest } from './exchange.ts';

export interface AgentOptions {
  readonly dialer: Connector;
  /** Connections kept open without a request, over all origins. */
  readonly maxIdle: number;
  /** Connections, those in use and those kept; what is in use is not bounded here. */
  readonly maxOpen?: number;
}

const UNWANTED = new Error('the connection is not wanted any more');
/** Origins for which any run may keep connections. */
const FEW = 16;

/** The connections to one origin. */
interface Origin {
  /** The one that was used last is the last. */
  readonly idle: Connection[];
  open: number;
}

/**
 * The one agent that all workers share: a dispatcher over a table of connections, each an undici `Client`.
 *
 * It has no queue: every `dispatch` starts at once, on an idle connection or on a new one, and how many there are is
 * for the caller to say.
 */
export class Agent implements ConnectionSource {
  readonly #dialer: Connector;
  readonly #maxIdle: number;
  readonly #maxOpen: number;
  readonly #origins = new Map<string, Origin>();
  readonly #connections = new Set<Connection>();
  readonly #idle = new IdleList<Connection>();
  #abortReason: Error | undefined;

  constructor(options: AgentOptions) {
    this.#dialer = options.dialer;
    this.#maxIdle = options.maxIdle;
    this.#maxOpen = options.maxOpen ?? Number.POSITIVE_INFINITY;
  }

  /** Exchanges under way. */
  get inFlight(): number {
    return this.#connections.size - this.#idle.size;
  }

  /** Whether there are connections to so many origins that one for which nothing waits should be closed after use. */
  get isCrowded(): boolean {
    return this.#origins.size > FEW;
  }

  dispatch(request: ExchangeRequest, handler: ExchangeHandler): Exchange {
    const exchange = new Exchange(this, request, handler);
    if (this.#abortReason === undefined) exchange.start();
    else exchange.abort(this.#abortReason);
    return exchange;
  }

  /** The idle connection that was used last, so that the others can grow old, or else a new one. */
  takeConnection(origin: string): Connection {
    const connection = this.#origins.get(origin)?.idle.pop();
    if (connection === undefined) return this.newConnection(origin);
    this.#idle.remove(connection);
    connection.isReused = true;
    return connection;
  }

  newConnection(origin: string): Connection {
    if (this.#connections.size >= this.#maxOpen) this.#closeOldest();
    const connection = new Connection(origin, this.#dialer);
    this.#connections.add(connection);
    const known = this.#origins.get(origin);
    if (known === undefined) this.#origins.set(origin, { idle: [], open: 1 });
    else known.open += 1;
    return connection;
  }

  /** The exchange on a connection is over, and the connection kept for another one. */
  release(connection: Connection): void {
    connection.exchange = undefined;
    this.#origins.get(connection.origin)?.idle.push(connection);
    this.#idle.add(connection);
    if (this.#idle.size > this.#maxIdle) this.#closeOldest();
  }

  /** Closes a connection for good, whatever it does. */
  discard(connection: Connection, reason: Error): void {
    connection.exchange = undefined;
    connection.destroy(reason);
    this.#connections.delete(connection);
    const origin = this.#origins.get(connection.origin);
    if (origin === undefined) return;
    origin.open -= 1;
    if (origin.open === 0) this.#origins.delete(connection.origin);
  }

  /** Closes every connection that carries no request. */
  closeIdle(): void {
    while (this.#idle.size > 0) this.#closeOldest();
  }

  /** Aborts what is under way and what is dispatched from now on. */
  abort(reason: Error): void {
    this.#abortReason = reason;
    for (const connection of this.#connections) connection.exchange?.abort(reason);
  }

  /** Aborts what is under way and closes every connection. */
  destroy(reason: Error): void {
    this.abort(reason);
    this.closeIdle();
  }

  #closeOldest(): void {
    const { oldest } = this.#idle;
    if (oldest === undefined) return;
    this.#idle.remove(oldest);
    const idle = this.#origins.get(oldest.origin)?.idle;
    idle?.splice(idle.indexOf(oldest), 1);
    this.discard(oldest, UNWANTED);
  }
}
