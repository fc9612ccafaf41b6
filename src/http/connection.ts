import { AlpnClient } from './alpn-client.ts';
import type { Connector } from './connector.ts';
import { type Connect, type HttpClient, http1Client } from './http1-client.ts';
import { SharedBufferSocket } from './shared-buffer-socket.ts';

/** A member of an `IdleList`; the list alone sets these. */
interface IdleNode<T> {
  older: T | undefined;
  newer: T | undefined;
}

/** A linked list of what is idle, oldest first. Unlike a Set it makes no garbage when members come and go all the time. */
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

  /** Takes a member out; the caller knows that it is one. */
  remove(node: T): void {
    if (node.older === undefined) this.#oldest = node.newer;
    else node.older.newer = node.newer;
    if (node.newer === undefined) this.#newest = node.older;
    else node.newer.older = node.older;
    node.older = node.newer = undefined;
    this.#size -= 1;
  }
}

/** One connection slot to one origin, used by one exchange at a time. */
export class Connection implements IdleNode<Connection> {
  readonly origin: string;
  readonly client: HttpClient;
  /** Whether the socket has carried an exchange before the present one. */
  isReused = false;
  /** The exchange under way. */
  exchange: { abort(reason: Error): void } | undefined = undefined;
  older: Connection | undefined = undefined;
  newer: Connection | undefined = undefined;
  #cancelDial: ((reason: Error) => void) | undefined;
  #socket: SharedBufferSocket | undefined;

  constructor(origin: string, dialer: Connector) {
    this.origin = origin;
    const connect: Connect = (target, connected) => {
      this.isReused = false;
      this.#cancelDial = dialer.dial(target, (error, socket) => {
        this.#cancelDial = undefined;
        this.#socket = socket instanceof SharedBufferSocket ? socket : undefined;
        connected(error, socket);
      });
    };
    const isNegotiated = dialer.offersHttp2 && origin.startsWith('https:');
    this.client = isNegotiated ? new AlpnClient(origin, connect) : http1Client(origin, connect);
  }

  /** Tells whether what comes on it is a body, the pieces of which nobody keeps. */
  set isInBody(isInBody: boolean) {
    if (this.#socket !== undefined) this.#socket.isTransient = isInBody;
  }

  /** Ends whatever it does, also a connect under way, and is not to be used again. */
  destroy(reason: Error): void {
    this.#cancelDial?.(reason);
    // A client that is only aborted opens a new connection for nothing (undici 7, nodejs/undici#5845).
    this.client.destroy(reason).catch(() => {});
  }
}
