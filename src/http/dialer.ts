import net, { type Socket } from 'node:net';
import { type AddressPolicy, allowedOf } from './address-policy.ts';
import { DialError } from './dial-error.ts';
import { explain } from './explain.ts';
import type { Resolver } from './resolver.ts';
import type { Secure } from './secure.ts';

/** Where to connect to, as undici says it: no brackets around an IPv6 address, an empty port for the default one. */
export interface DialTarget {
  readonly hostname: string;
  readonly protocol: string;
  readonly port: string;
}

export interface DialerOptions {
  readonly resolver: Resolver;
  /** Time in ms for connection and TLS together. The look-up before it has a time of its own, see `Resolver`. */
  readonly connectTimeoutMs: number;
  readonly secure: Secure;
  /** Asked for each address that is about to be connected to, whatever name led there. */
  readonly refuse?: AddressPolicy | undefined;
}

/** Called once, with a connected socket or with an error. */
export type Dialed = (error: Error | undefined, socket: Socket | undefined) => void;

/** Makes connections: name → addresses → the first that answers → TLS. Never throws, and can be called off at any time. */
export class Dialer {
  readonly #options: DialerOptions;

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /** Returns a function that calls the connection off; `dialed` then gets the reason. */
  dial(target: DialTarget, dialed: Dialed): (reason: Error) => void {
    const { connectTimeoutMs, refuse, resolver } = this.#options;
    let socket: Socket | undefined;
    let timer: NodeJS.Timeout | undefined;
    let isSettled = false;
    const settle = (error: Error | undefined) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      if (error !== undefined) socket?.destroy();
      dialed(error, error === undefined ? socket : undefined);
    };
    const tryAddress = (addresses: readonly string[], index: number) => {
      const address = addresses[index];
      if (isSettled || address === undefined) return;
      const opened = (error: Error | undefined) => {
        if (error !== undefined && index + 1 < addresses.length) tryAddress(addresses, index + 1);
        else settle(error);
      };
      socket = this.#open(target, address, opened);
    };
    resolver.resolve(target.hostname, portOf(target), (error, addresses) => {
      if (isSettled) return;
      const allowed = error ?? allowedOf(addresses, refuse);
      if (allowed instanceof Error) {
        settle(allowed);
        return;
      }
      timer = setTimeout(() => settle(connectTimeout(target, connectTimeoutMs)), connectTimeoutMs);
      tryAddress(allowed, 0);
    });
    return settle;
  }

  #open(target: DialTarget, address: string, opened: (error: Error | undefined) => void): Socket {
    const isSecure = target.protocol === 'https:';
    const port = portOf(target);
    const socket = isSecure
      ? this.#options.secure.connect({ address, port }, target.hostname)
      : net.connect({ host: address, port });
    let hasConnected = false;
    const failed = (error: Error & { code?: string }) => {
      opened(hasConnected ? tlsError(error) : new DialError('connect', error.code, explain(error)));
    };
    socket.setNoDelay(true);
    socket.on('error', failed);
    socket.once('connect', () => {
      hasConnected = true;
    });
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      socket.off('error', failed);
      opened(undefined);
    });
    return socket;
  }
}

function portOf({ port, protocol }: DialTarget): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}

function tlsError(error: Error & { code?: string }): DialError {
  const isReset = error.code === 'ECONNRESET';
  const message = isReset ? 'the server ended the connection during the TLS handshake' : explain(error);
  return new DialError('tls', error.code, message);
}

function connectTimeout(target: DialTarget, timeoutMs: number): DialError {
  return new DialError(
    'timeout',
    'ERR_CONNECT_TIMEOUT',
    `no connection to ${target.hostname} within ${timeoutMs}ms`,
  );
}
