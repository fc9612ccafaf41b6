import { printable } from '../model/printable.ts';
import { DialError } from './dial-error.ts';
import type { ProxyRoute } from './proxy-routes.ts';

/** The code of the one answer of a proxy that no other attempt makes better. */
export const PROXY_AUTHENTICATION = 'ERR_PROXY_AUTHENTICATION';

/** The proxy answered, and does not do what it is asked for. */
export function refusedByProxy(
  { name }: ProxyRoute,
  wish: 'request' | 'tunnel',
  status: number,
  reason: string,
): DialError {
  const code = status === 407 ? PROXY_AUTHENTICATION : 'ERR_PROXY_REFUSED';
  const words = printable(`${status} ${reason}`.trimEnd(), 200);
  return new DialError('connect', code, `the proxy ${name} refused the ${wish}: ${words}`);
}

/** The proxy did not answer CONNECT as HTTP says. */
export function brokenProxy({ name }: ProxyRoute, what: string): DialError {
  return new DialError('connect', 'ERR_PROXY_ANSWER', `the proxy ${name} ${what}`);
}

/** The failure to connect to the proxy itself. That its name is unknown says nothing of the host of the URL. */
export function unreachableProxy({ name }: ProxyRoute, error: Error): Error {
  if (!(error instanceof DialError)) return error;
  const kind = error.kind === 'dns' ? 'connect' : error.kind;
  return new DialError(kind, error.code, `the proxy ${name} cannot be reached: ${error.message}`);
}

/** Adds the proxy to what went wrong behind it, or with it. */
export function throughProxy(message: string, { name }: ProxyRoute): string {
  return `${message} (through the proxy ${name})`;
}
