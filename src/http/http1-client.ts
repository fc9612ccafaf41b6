import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import Client from 'undici/lib/dispatcher/client.js';
// Loaded by undici for the first answer, when there may be no descriptor left to load it with.
import 'undici/lib/llhttp/llhttp_simd-wasm.js';
import type { ConnectTarget } from './connect-target.ts';

/** What a carrier tells of an exchange, as undici does: a head, data, and one of the last two, once. */
export interface DispatchHandler {
  onRequestStart(controller: Dispatcher.DispatchController): void;
  onResponseStart(controller: unknown, status: number, headers: CarriedHeaders, statusText?: string): void;
  onResponseData(controller: unknown, chunk: Buffer): void;
  onResponseEnd(): void;
  onResponseError(controller: unknown, error: Error): void;
}

type CarriedHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Carries exchanges with one origin over one connection at a time, and one exchange after the other. */
export interface HttpClient {
  dispatch(request: Dispatcher.DispatchOptions, exchange: DispatchHandler): unknown;
  /** Ends whatever it does; it is not to be used again. */
  destroy(reason: Error): Promise<void>;
}

// Loaded by undici for the first answer, when there may be no descriptor left to load it with.

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

/** Makes a connection, and calls back once, with a connected socket or with an error. */
export type Connect = (
  target: ConnectTarget,
  connected: (error: Error | undefined, socket: Socket | undefined) => void,
) => void;

/** An undici `Client` that carries one exchange at a time over HTTP/1.1, and connects when it has to. */
export function http1Client(origin: string, connect: Connect): Client {
  return new Client(origin, {
    ...CLIENT_OPTIONS,
    connect: (target, callback) => {
      connect(target, (error, socket) => handOver(callback, error, socket));
    },
  });
}

type ConnectCallback = (...args: [Error, null] | [null, Socket]) => void;

function handOver(callback: ConnectCallback, error: Error | undefined, socket: Socket | undefined): void {
  if (socket !== undefined) callback(null, socket);
  else callback(error ?? new Error('the connection was not made'), null);
}
