import { Connection } from './connection.ts';
import type { Dialer } from './dialer.ts';
import { Exchange, type ExchangeHandler, type ExchangeRequest } from './exchange.ts';

export interface AgentOptions {
  readonly dialer: Dialer;
  /** Connections kept open without a request, over all origins. */
  readonly maxIdle: number;
}

/**
 * The one agent that all workers share: a dispatcher over a table of connections, each an undici `Client`.
 *
 * It has no queue: every `dispatch` starts at once, on an idle connection or on a new one, and how many there are is
 * for the caller to say.
 */
export class Agent {
  readonly #dialer: Dialer;
  readonly #maxIdle: number;
  /** Idle connections, the one that has been idle longest first. */
  readonly #idle = new Set<Connection>();
  readonly #idleByOrigin = new Map<string, Connection[]>();
  readonly #exchanges = new Set<Exchange>();
  #abortReason: Error | undefined;

  constructor(options: AgentOptions) {
    this.#dialer = options.dialer;
    this.#maxIdle = options.maxIdle;
  }

  /** Exchanges under way. */
  get inFlight(): number {
    return this.#exchanges.size;
  }

  dispatch(request: ExchangeRequest, handler: ExchangeHandler): Exchange {
    const exchange = new Exchange(this, request, handler);
    this.#exchanges.add(exchange);
    if (this.#abortReason === undefined) exchange.start();
    else exchange.abort(this.#abortReason);
    return exchange;
  }

  /** The idle connection that was used last, so that the others can grow old, or else a new one. */
  takeConnection(origin: string): Connection {
    const idle = this.#idleByOrigin.get(origin);
    const connection = idle?.pop();
    if (idle?.length === 0) this.#idleByOrigin.delete(origin);
    if (connection === undefined) return this.newConnection(origin);
    this.#idle.delete(connection);
    connection.isReused = true;
    return connection;
  }

  newConnection(origin: string): Connection {
    return new Connection(origin, this.#dialer);
  }

  /** An exchange is over; its connection is kept for another one unless it was discarded. */
  release(exchange: Exchange, connection: Connection): void {
    this.#exchanges.delete(exchange);
    if (connection.isDiscarded) return;
    const idle = this.#idleByOrigin.get(connection.origin);
    if (idle === undefined) this.#idleByOrigin.set(connection.origin, [connection]);
    else idle.push(connection);
    this.#idle.add(connection);
    if (this.#idle.size > this.#maxIdle) this.#discardOldest();
  }

  /** Aborts what is under way and what is dispatched from now on. */
  abort(reason: Error): void {
    this.#abortReason = reason;
    for (const exchange of this.#exchanges) exchange.abort(reason);
  }

  /** Aborts what is under way and closes every connection. */
  destroy(reason: Error): void {
    this.abort(reason);
    for (const connection of this.#idle) connection.discard(reason);
    this.#idle.clear();
    this.#idleByOrigin.clear();
  }

  #discardOldest(): void {
    const [oldest] = this.#idle;
    if (oldest === undefined) return;
    this.#idle.delete(oldest);
    const idle = this.#idleByOrigin.get(oldest.origin);
    idle?.splice(idle.indexOf(oldest), 1);
    if (idle?.length === 0) this.#idleByOrigin.delete(oldest.origin);
    oldest.discard(new Error('too many idle connections'));
  }
}
