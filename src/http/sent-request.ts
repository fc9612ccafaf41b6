import { originOf, pathOf } from '../model/url.ts';
import type { ExchangeRequest } from './exchange.ts';
import type { Hop } from './hop.ts';
import { absoluteTarget, forwardedHeaders } from './proxy-forward.ts';
import type { ProxyRoute } from './proxy-routes.ts';

const SAFE_TO_REPEAT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Whether sending a request of this method twice does what sending it once does (RFC 9110, 9.2.2). */
export function isIdempotent(method: string): boolean {
  return SAFE_TO_REPEAT.has(method);
}

/**
 * The request of a hop as it is sent: to its origin, or to the proxy that forwards it.
 *
 * @param isLast whether the connection is closed after it, since no other request waits for it
 */
export function sentRequest(hop: Hop, proxy: ProxyRoute | undefined, isLast: boolean): ExchangeRequest {
  const { url, method, headers, body } = hop;
  const request = {
    origin: proxy === undefined ? originOf(url) : proxy.origin,
    path: proxy === undefined ? pathOf(url) : absoluteTarget(url),
    method: method as 'GET', // undici's type names the usual methods; it sends any token
    headers: proxy === undefined ? headers : forwardedHeaders(headers, url, proxy),
    // undici would otherwise go by the host header, and connect to an https:// proxy anew for each host.
    servername: proxy?.server.hostname,
    body: body ?? null,
    idempotent: isIdempotent(method),
    // undici closes the connection after a HEAD unless told not to. The one to a proxy serves other hosts, too.
    reset: isLast && proxy === undefined,
  };
  return request; // undici's type leaves `servername` out
}
