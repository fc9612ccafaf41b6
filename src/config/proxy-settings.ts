import { UsageError } from '../model/errors.ts';
import type { ProxyServer, ProxySettings } from '../model/url.ts';
import { InvalidValueError } from './option.ts';
import type { Environment } from './option-sources.ts';
import { proxy } from './parse/server-urls.ts';
import type { RunOptions } from './run-options.ts';

/**
 * The proxies of a run: the one of `--proxy`, otherwise those of the environment, as curl reads it; `undefined` if there
 * is none. `NO_PROXY` applies to both. A `proxy` of `null` disables proxies. An empty variable counts as not set.
 *
 * @throws UsageError if a variable that is used is invalid, or if there is a proxy with `denyPrivate`
 */
export function toProxySettings(
  { proxy: configured, denyPrivate }: Pick<RunOptions, 'proxy' | 'denyPrivate'>,
  environment: Environment,
): ProxySettings | undefined {
  if (configured === null) return undefined;
  // Under CGI, HTTP_PROXY is the `Proxy` header of a client's request (CVE-2016-5385, httpoxy).
  const upper = environment.REQUEST_METHOD === undefined ? ['HTTP_PROXY'] : [];
  const http = configured ?? readProxy(['http_proxy', ...upper, 'all_proxy', 'ALL_PROXY'], environment);
  const https =
    configured ?? readProxy(['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'], environment);
  if (http === undefined && https === undefined) return undefined;
  if (denyPrivate) {
    throw new UsageError(
      `cannot use ${configured === undefined ? 'the proxy of the environment' : '--proxy'} with --deny-private, ` +
        "which cannot check what the proxy connects to; --proxy '' uses no proxy",
    );
  }
  return { http, https, bypass: environment.no_proxy || environment.NO_PROXY || '' };
}

/** The proxy of the first variable that is set. */
function readProxy(names: readonly string[], environment: Environment): ProxyServer | undefined {
  const name = names.find((one) => environment[one]?.trim());
  if (name === undefined) return undefined;
  try {
    return proxy.parse(environment[name]) ?? undefined;
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    throw new UsageError(`invalid value for ${name}: ${error.message}`);
  }
}
