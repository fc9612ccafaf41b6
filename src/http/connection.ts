import type { Socket } from 'node:net';
import { AlpnClient } from './alpn-client.ts';
import type { Connector } from './connector.ts';
import { type Connect, Http1Client, type HttpClient } from './http1-client.ts';
import { LenientClient } from './lenient-client.ts';
import { SharedBufferSocket } from './shared-buffer-socket.ts';

/** What a connection is for. Only exchanges of the same target share connections. */
export interface PooledTarget {
  readonly origin: string;
  /** Whether the connection shows no client certificate, although there is one. */
  readonly isAnonymous: boolean;
}

/** The same text for the same target only. */
export function poolKey({ origin, isAnonymous }: PooledTarget): string {
  return isAnonymous ? `${origin} without certificate` : origin;
}

/** One connection to one origin, for one exchange at a time. It connects with its first exchange. */
export class Connection implements IdleNode<Connection> {
  readonly key: string;
  readonly client: HttpClient;
  /** Whether HTTP/1.1 is read by the lenient parser. */
  readonly isLenient: boolean;
  /** Whether it notices if TLS is cut off instead of ended by the server. This costs CPU. */
  readonly tellsEnd: boolean;
  /** Whether the socket has carried an exchange before the current one. */
  isReused = false;
  /** The exchange in flight. */
  exchange: { abort(reason: Error): void } | undefined = undefined;
  older: Connection | undefined = undefined;
  newer: Connection | undefined = undefined;
  #cancelConnect: ((reason: Error) => void) | undefined;
  #socket: Socket | undefined;
  #shared: SharedBufferSocket | undefined;

  /**
   * @param isLenient whether it reads what the strict parser refuses, for one exchange
   * @param watchesEnd whether TLS that ends without close_notify is an error
   */
  constructor(target: PooledTarget, connector: Connector, isLenient = false, watchesEnd = false) {
    const { origin, isAnonymous } = target;
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
      this.#cancelConnect = connector.connect(address, onSocket, { watchesEnd, isAnonymous });
    };
    const usesAlpn = connector.offersHttp2 && origin.startsWith('https:');
    if (usesAlpn) this.client = new AlpnClient(origin, connect, isLenient);
    else this.client = isLenient ? new LenientClient(origin, connect) : new Http1Client(origin, connect);
  }

  /** Whether the socket now receives a body, whose pieces are consumed as they arrive. */
  set isInBody(isInBody: boolean) {
    if (this.#shared !== undefined) this.#shared.isTransient = isInBody;
  }

  /** Whether a part of the request has not been handed to the system. */
  get isSending(): boolean {
    return this.client.marksEnds !== true && (this.#socket?.writableLength ?? 0) > 0;
  }

  /** Calls back once: with true when the request has been sent, with false if the socket is closed before. */
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

  /** The error that has ended the socket, such as a reset. */
  get error(): Error | undefined {
    return this.#socket?.errored ?? undefined;
  }

  /** Whether the server has ended or reset the connection; `error` may be the reason why it is closed on this side. */
  hasEnded(error: Error): boolean {
    if (this.#socket === undefined) return false;
    const { readableEnded, errored } = this.#socket;
    return readableEnded || (errored !== null && errored !== error);
  }

  /** Closes the connection in any state, also while it connects. */
  destroy(reason: Error): void {
    this.#cancelConnect?.(reason);
    // Aborting only the request would make the client connect again for nothing (undici 7, nodejs/undici#5845).
    this.client.destroy(reason).catch(() => {});
  }
}

/** A member of an `IdleList`. Only the list sets these. */
interface IdleNode<T> {
  older: T | undefined;
  newer: T | undefined;
}

/** A linked list of idle connections, oldest first. Unlike a `Set`, it makes no garbage as members come and go. */
export class IdleList<T extends IdleNode<T>> {
  #oldest: T | undefined;
  #newest: T | undefined;
  #size = 0;

  get oldest(): T | undefined {
    return this.#oldest;
  }

  get size(): number {
    return this.#size;
  }

  add(node: T): void {
    node.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = node;
    else this.#newest.newer = node;
    this.#newest = node;
    this.#size += 1;
  }

  /** Removes a member. The node must be one. */
  remove(node: T): void {
    if (node.older === undefined) this.#oldest = node.newer;
    else node.older.newer = node.newer;
    if (node.newer === undefined) this.#newest = node.older;
    else node.newer.older = node.older;
    node.older = node.newer = undefined;
    this.#size -= 1;
  }
}
