import type { Socket } from 'node:net';
import Client from 'undici/lib/dispatcher/client.js';
// Loaded by undici for the first answer, when there may be no descriptor left to load it with.
import 'undici/lib/llhttp/llhttp_simd-wasm.js';
import type { Dialer } from './dialer.ts';
import type { IdleNode } from './idle-list.ts';

// One request at a time on each connection, HTTP/1.1, and no timers of undici's: its half-second ticks cost more than
// the one deadline that each attempt has.
const CLIENT_OPTIONS = {
  pipelining: 1,
  allowH2: false,
  maxHeaderSize: 65_536,
  headersTimeout: 0,
  bodyTimeout: 0,
  keepAliveTimeout: 4_000,
  keepAliveMaxTimeout: 15_000,
} as const;

/** One connection slot to one origin: an undici `Client` that is used by one exchange at a time. */
export class Connection implements IdleNode<Connection> {
  readonly origin: string;
  readonly client: Client;
  /** Whether the socket has carried an exchange before the present one. */
  isReused = false;
  /** The exchange under way. */
  exchange: { abort(reason: Error): void } | undefined = undefined;
  older: Connection | undefined = undefined;
  newer: Connection | undefined = undefined;
  #cancelDial: ((reason: Error) => void) | undefined;

  constructor(origin: string, dialer: Dialer) {
    this.origin = origin;
    this.client = new Client(origin, {
      ...CLIENT_OPTIONS,
      connect: (target, callback) => {
        this.isReused = false;
        this.#cancelDial = dialer.dial(target, (error, socket) => {
          this.#cancelDial = undefined;
          handOver(callback, error, socket);
        });
      },
    });
  }

  /** Ends whatever it does, also a connect under way, and is not to be used again. */
  destroy(reason: Error): void {
    this.#cancelDial?.(reason);
    // A client that is only aborted opens a new connection for nothing (undici 7, nodejs/undici#5845).
    this.client.destroy(reason).catch(() => {});
  }
}

type ConnectCallback = (...args: [Error, null] | [null, Socket]) => void;

function handOver(callback: ConnectCallback, error: Error | undefined, socket: Socket | undefined): void {
  if (socket !== undefined) callback(null, socket);
  else callback(error ?? new Error('the connection was not made'), null);
}
