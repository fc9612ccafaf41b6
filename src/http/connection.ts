import type { Socket } from 'node:net';
import type { Connector } from './connector.ts';
import type { LookupPhase } from './dns/resolver.ts';
import type { Carrier } from './exchange.ts';
import { type Connect, Http1Client, type HttpClient } from './http1-client.ts';
import { LenientClient } from './lenient-client.ts';
import { SharedBufferSocket } from './shared-buffer-socket.ts';

/** What a connection is for. Only exchanges of the same target share connections. */
export interface PooledTarget {
  readonly origin: string;
  /** Whether the connection shows no client certificate, although there is one. */
  readonly isAnonymous: boolean;
}

/** Any connection; a new one; or a new one that reads what the strict parser refuses, for this exchange only. */
export type ConnectionUse = 'any' | 'fresh' | 'lenient';

/** The same text for the same target only. */
export function poolKey({ origin, isAnonymous }: PooledTarget): string {
  return isAnonymous ? `${origin} without certificate` : origin;
}

/** How an HTTP/1.1 connection is made and read. */
interface ConnectionOptions {
  /** Whether it reads what the strict parser refuses, for one exchange. */
  readonly isLenient: boolean;
  /** Whether TLS that ends without close_notify is an error. This costs CPU. */
  readonly watchesEnd: boolean;
  /** A connected socket to start with. */
  readonly socket?: Socket | undefined;
}

/** Takes connections back. */
interface ConnectionPool {
  /** The exchange is over; the connection may be used again. */
  release(connection: Connection): void;
  /** Closes a connection that is not to be used again. */
  discard(connection: Connection, reason: Error): void;
  /** Closes an idle connection, which is not in the list of idle ones any more. */
  evict(connection: Connection): void;
}

/** One HTTP/1.1 connection to one origin, for one exchange at a time. It connects with its first exchange. */
export class Connection implements Carrier, Idle {
  readonly key: string;
  readonly client: HttpClient;
  readonly isLenient: boolean;
  readonly tellsEnd: boolean;
  isReused = false;
  /** The exchange in flight. */
  exchange: { abort(reason: Error): void; onLookup(phase: LookupPhase): void } | undefined = undefined;
  older: Idle | undefined = undefined;
  newer: Idle | undefined = undefined;
  readonly #pool: ConnectionPool;
  #cancelConnect: ((reason: Error) => void) | undefined;
  #connected: Socket | undefined;
  #socket: Socket | undefined;
  #shared: SharedBufferSocket | undefined;

  constructor(
    pool: ConnectionPool,
    target: PooledTarget,
    connector: Connector,
    { isLenient, watchesEnd, socket }: ConnectionOptions,
  ) {
    const { origin, isAnonymous } = target;
    this.#pool = pool;
    this.#connected = socket;
    this.key = poolKey(target);
    this.isLenient = isLenient;
    this.tellsEnd = watchesEnd || !origin.startsWith('https:');
    const connect: Connect = (address, onConnect) => {
      this.isReused = false;
      const onSocket = (error: Error | undefined, socket: Socket | undefined) => {
        this.#cancelConnect = undefined;
        this.#socket = socket;
        this.#shared = socket instanceof SharedBufferSocket ? socket : undefined;
        onConnect(error, socket);
      };
      const connected = this.#connected;
      this.#connected = undefined;
      // undici loses the request if its connect callback is called before `connect` has returned.
      if (connected !== undefined) queueMicrotask(() => onSocket(undefined, connected));
      else {
        const onLookup = (phase: LookupPhase) => this.exchange?.onLookup(phase);
        const manner = { watchesEnd, isAnonymous, isHttp1Only: true, onLookup };
        this.#cancelConnect = connector.connect(address, onSocket, manner);
      }
    };
    this.client = isLenient ? new LenientClient(origin, connect) : new Http1Client(origin, connect);
  }

  set isInBody(isInBody: boolean) {
    if (this.#shared !== undefined) this.#shared.isTransient = isInBody;
  }

  get socket(): Socket | undefined {
    return this.#socket;
  }

  get isSending(): boolean {
    return (this.#socket?.writableLength ?? 0) > 0;
  }

  onceSent(onSent: (isSent: boolean) => void): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) {
      onSent(false);
      return;
    }
    const onClose = () => onSent(false);
    socket.once('close', onClose);
    socket.write('', (error) => {
      socket.off('close', onClose);
      onSent(!error && !socket.destroyed); // it is destroyed after this call if there is an error
    });
  }

  get error(): Error | undefined {
    return this.#socket?.errored ?? undefined;
  }

  hasEnded(error: Error): boolean {
    if (this.#socket === undefined) return false;
    const { readableEnded, errored } = this.#socket;
    return readableEnded || (errored !== null && errored !== error);
  }

  release(): void {
    this.#pool.release(this);
  }

  discard(reason: Error): void {
    this.#pool.discard(this, reason);
  }

  evict(): void {
    this.#pool.evict(this);
  }

  /** Closes the connection in any state, also while it connects. */
  destroy(reason: Error): void {
    this.#cancelConnect?.(reason);
    this.#connected?.destroy();
    // Aborting only the request would make the client connect again for nothing (undici 7, nodejs/undici#5845).
    this.client.destroy(reason).catch(() => {});
  }
}

/** A member of an `IdleList`. Only the list sets `older` and `newer`. */
export interface Idle {
  older: Idle | undefined;
  newer: Idle | undefined;
  /** Closes it. The list does not have it any more. */
  evict(): void;
}

/** A linked list of what is idle, oldest first. Unlike a `Set`, it makes no garbage as members come and go. */
export class IdleList {
  #oldest: Idle | undefined;
  #newest: Idle | undefined;
  #size = 0;

  get oldest(): Idle | undefined {
    return this.#oldest;
  }

  get size(): number {
    return this.#size;
  }

  add(node: Idle): void {
    node.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = node;
    else this.#newest.newer = node;
    this.#newest = node;
    this.#size += 1;
  }

  /** Removes a member. The node must be one. */
  remove(node: Idle): void {
    if (node.older === undefined) this.#oldest = node.newer;
    else node.older.newer = node.newer;
    if (node.newer === undefined) this.#newest = node.older;
    else node.newer.older = node.older;
    node.older = node.newer = undefined;
    this.#size -= 1;
  }
}
