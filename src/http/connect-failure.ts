import dgram from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { DialError } from './dial-error.ts';
import { isShortage, ShortageError } from './shortage.ts';

// Any port will do: connecting a datagram socket sends nothing.
const DISCARD_PORT = 9;

/** Reports what it means that an address could not be connected to: a failure of the host, as it was, or a shortage. */
export function connectFailure(
  error: DialError,
  address: string,
  report: (failure: DialError | ShortageError) => void,
): void {
  const { code, kind, message } = error;
  // There is no free local port, or no local address at all from which this one can be reached.
  if (kind === 'connect' && code === 'EADDRNOTAVAIL') {
    hasWayTo(address, (has) => report(has ? new ShortageError(code, message) : error));
  } else report(kind === 'connect' && isShortage(code) ? new ShortageError(code, message) : error);
}

/** A datagram socket needs a local address just as well, and has ports of its own, of which there is no lack. */
function hasWayTo(address: string, tell: (has: boolean) => void): void {
  const socket = dgram.createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  const answer = (code?: string) => {
    socket.close();
    tell(code === undefined || isShortage(code));
  };
  socket.once('connect', () => answer());
  socket.once('error', (error: Error & { readonly code?: string }) => answer(error.code ?? error.name));
  socket.connect(DISCARD_PORT, address);
}
