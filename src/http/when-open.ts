import type { Socket } from 'node:net';
import { DialError } from './dial-error.ts';
import { explain } from './explain.ts';

export interface Phase {
  /** Whether TLS is spoken on it. */
  readonly isSecure: boolean;
  /** Whether it is connected already. */
  readonly isConnected: boolean;
}

/** Calls back when the socket can carry a request, or cannot be made to. */
export function whenOpen(
  socket: Socket,
  { isSecure, isConnected }: Phase,
  opened: (error: DialError | undefined) => void,
): void {
  let hasConnected = isConnected;
  const failed = (error: Error & { code?: string }) => {
    opened(hasConnected ? tlsError(error) : new DialError('connect', error.code, explain(error)));
  };
  socket.on('error', failed);
  socket.once('connect', () => {
    hasConnected = true;
  });
  socket.once(isSecure ? 'secureConnect' : 'connect', () => {
    socket.off('error', failed);
    opened(undefined);
  });
}

function tlsError(error: Error & { code?: string }): DialError {
  const isReset = error.code === 'ECONNRESET';
  const message = isReset ? 'the server ended the connection during the TLS handshake' : explain(error);
  return new DialError('tls', error.code, message);
}
