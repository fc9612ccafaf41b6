import { hostOf, originOf, pathOf } from '../model/url.ts';
import type { NetworkFailure } from './classify.ts';
import { DialError } from './dial-error.ts';
import { throughProxy } from './proxy-failure.ts';
import type { ProxyRoute } from './proxy-routes.ts';

/** The request target for a proxy: the URL without its fragment (RFC 9112, 3.2.2). */
export function absoluteTarget(url: string): string {
  return originOf(url) + pathOf(url);
}

/** The headers of a request that is sent to a proxy in place of the host of its URL. */
export function forwardedHeaders(
  headers: Readonly<Record<string, string>>,
  url: string,
  { authorization }: ProxyRoute,
): Readonly<Record<string, string>> {
  const credentials = authorization === undefined ? {} : { 'proxy-authorization': authorization };
  return { host: hostOf(url), ...headers, ...credentials };
}

/** The failure of a request that was sent to a proxy: it names the proxy, which may be the one to blame. */
export function forwardedFailure(
  { failure, ...rest }: NetworkFailure,
  error: Error,
  proxy: ProxyRoute,
): NetworkFailure {
  const { kind, message } = failure;
  const isUnnamed = !(error instanceof DialError) && (kind === 'reset' || kind === 'timeout');
  return {
    failure: isUnnamed ? { ...failure, message: throughProxy(message, proxy) } : failure,
    ...rest,
  };
}
