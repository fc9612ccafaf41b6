import type { Socket } from 'node:net';
import type { ConnectError } from './network-errors.ts';
import { type ProxyRoute, proxyProtocolError, proxyRefusedError } from './proxy.ts';
import type { Endpoint } from './socks.ts';

const MAX_HEAD_LENGTH = 16_384;
const HTTP_PREFIX = 'HTTP/1.';
const HEAD_END = /\n\r?\n/;
/** An interim response, which another one follows (RFC 9110, 15.2). */
const INTERIM = /^HTTP\/1\.\d 1(?!01)\d\d\b/;
const MAX_INTERIM = 32;
const STATUS_LINE = /^HTTP\/1\.\d (\d{3})(?: ([^\r\n]*))?\r?\n/;

/**
 * Makes a proxy connect this socket to the endpoint by CONNECT (RFC 9110, 9.3.6). Calls back once: with an error, or when
 * the next byte is the endpoint's. It has no time limit of its own; destroying the socket ends it.
 */
export function openTunnel(
  socket: Socket,
  proxy: ProxyRoute,
  { hostname, port }: Endpoint,
  onOpen: (error: ConnectError | undefined) => void,
): void {
  let head = '';
  let interim = 0;
  const finish = (error: ConnectError | undefined) => {
    socket.off('data', onData).off('close', onClose);
    onOpen(error);
  };
  const onClose = () =>
    finish(proxyProtocolError(proxy, 'closed the connection without a response to CONNECT'));
  const onData = (chunk: Buffer) => {
    head += chunk.toString('latin1');
    while (readHead());
  };
  /** Reads what has come of a head; true if it was that of an interim response. */
  const readHead = (): boolean => {
    if (!head.startsWith(HTTP_PREFIX.slice(0, head.length))) {
      finish(proxyProtocolError(proxy, 'responded to CONNECT with something that is not HTTP'));
      return false;
    }
    const end = HEAD_END.exec(head);
    if ((end?.index ?? head.length) > MAX_HEAD_LENGTH) {
      finish(proxyProtocolError(proxy, 'responded to CONNECT with headers over 16 KiB'));
    } else if (end !== null) {
      const rest = head.slice(end.index + end[0].length);
      if (INTERIM.test(head) && interim < MAX_INTERIM) {
        interim += 1;
        head = rest;
        return true;
      }
      finish(checkResponse(head, rest !== '', proxy));
    }
    return false;
  };
  socket.on('data', onData).on('close', onClose);
  socket.on('error', () => {}); // `close` follows, or TLS in the tunnel reports the error
  socket.write(
    connectRequest(proxy, `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`),
    'latin1',
  );
}

/** The error of a response to CONNECT; undefined if the tunnel is open. `hasMore` says that bytes followed the head. */
function checkResponse(head: string, hasMore: boolean, proxy: ProxyRoute): ConnectError | undefined {
  const [, status = '', reason = ''] = STATUS_LINE.exec(head) ?? [];
  if (status === '') return proxyProtocolError(proxy, 'responded to CONNECT with something that is not HTTP');
  if (!status.startsWith('2')) return proxyRefusedError(proxy, 'tunnel', Number(status), reason);
  // In TLS the client speaks first, so these bytes come from the proxy, not from the target.
  return hasMore ? proxyProtocolError(proxy, 'sent data before the tunnel was used') : undefined;
}

function connectRequest({ authorization, userAgent }: ProxyRoute, authority: string): string {
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (authorization !== undefined) lines.push(`Proxy-Authorization: ${authorization}`);
  if (userAgent !== undefined) lines.push(`User-Agent: ${userAgent}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
