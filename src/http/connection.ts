import type { Carrier } from './carrier.ts';
import type { Dialer } from './dialer.ts';
import { DirectSocket } from './direct-socket.ts';
import { type Connect, http1Client } from './http1-client.ts';
import type { IdleNode } from './idle-list.ts';
import { NegotiatedClient } from './negotiated-client.ts';

/** One connection slot to one origin, used by one exchange at a time. */
export class Connection implements IdleNode<Connection> {
  readonly origin: string;
  readonly client: Carrier;
  /** Whether the socket has carried an exchange before the present one. */
  isReused = false;
  /** The exchange under way. */
  exchange: { abort(reason: Error): void } | undefined = undefined;
  older: Connection | undefined = undefined;
  newer: Connection | undefined = undefined;
  #cancelDial: ((reason: Error) => void) | undefined;
  #socket: DirectSocket | undefined;

  constructor(origin: string, dialer: Dialer) {
    this.origin = origin;
    const connect: Connect = (target, connected) => {
      this.isReused = false;
      this.#cancelDial = dialer.dial(target, (error, socket) => {
        this.#cancelDial = undefined;
        this.#socket = socket instanceof DirectSocket ? socket : undefined;
        connected(error, socket);
      });
    };
    const isNegotiated = dialer.offersHttp2 && origin.startsWith('https:');
    this.client = isNegotiated ? new NegotiatedClient(origin, connect) : http1Client(origin, connect);
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
