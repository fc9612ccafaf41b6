import type { Socket } from 'node:net';
import { authorityOf, type ConnectTarget } from './connect-target.ts';
import { brokenProxy, type ProxyRoute, refusedByProxy } from './proxy.ts';

const MAX_HEAD_LENGTH = 16_384;
const START = 'HTTP/1.';
const HEAD_END = /\n\r?\n/;
const STATUS_LINE = /^HTTP\/1\.\d (\d{3})(?: ([^\r\n]*))?\r?\n/;

/**
 * Asks a proxy to connect this socket to the target (CONNECT: RFC 9110, 9.3.6) and calls back once, with an error or
 * when the next byte is the target's. It has no time limit of its own: a socket that is destroyed ends it.
 */
export function openTunnel(
  socket: Socket,
  proxy: ProxyRoute,
  target: ConnectTarget,
  opened: (error: Error | undefined) => void,
): void {
  let head = '';
  const finish = (error: Error | undefined) => {
    socket.off('data', take).off('close', cutOff);
    opened(error);
  };
  const cutOff = () => finish(brokenProxy(proxy, 'closed the connection without an answer to CONNECT'));
  const take = (chunk: Buffer) => {
    head += chunk.toString('latin1');
    if (!head.startsWith(START.slice(0, head.length))) {
      finish(brokenProxy(proxy, 'answered CONNECT with something that is not HTTP'));
      return;
    }
    const end = HEAD_END.exec(head);
    if ((end?.index ?? head.length) > MAX_HEAD_LENGTH) {
      finish(brokenProxy(proxy, 'answered CONNECT with headers over 16 KiB'));
    } else if (end !== null) {
      const hasMore = end.index + end[0].length < head.length;
      finish(judge(head, hasMore, proxy));
    }
  };
  socket.on('data', take).on('close', cutOff);
  socket.on('error', () => {}); // `close` follows, or what was put on top of the tunnel says it
  socket.write(connectRequest(proxy, authorityOf(target)), 'latin1');
}

/** What a whole head says, and whatever came with it. */
function judge(head: string, hasMore: boolean, proxy: ProxyRoute): Error | undefined {
  const [, status = '', reason = ''] = STATUS_LINE.exec(head) ?? [];
  if (status === '') return brokenProxy(proxy, 'answered CONNECT with something that is not HTTP');
  if (!status.startsWith('2')) return refusedByProxy(proxy, 'tunnel', Number(status), reason);
  // With TLS the client speaks first, so this comes from the proxy and not from the target.
  return hasMore ? brokenProxy(proxy, 'sent data before the tunnel was used') : undefined;
}

function connectRequest({ authorization, userAgent }: ProxyRoute, authority: string): string {
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (authorization !== undefined) lines.push(`Proxy-Authorization: ${authorization}`);
  if (userAgent !== undefined) lines.push(`User-Agent: ${userAgent}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
