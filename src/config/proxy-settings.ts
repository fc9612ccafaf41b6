import { UsageError } from '../model/errors.ts';
import type { ProxyServer, ProxySettings } from '../model/proxy-server.ts';
import { InvalidValueError } from './option.ts';
import type { Environment } from './option-sources.ts';
import { proxy } from './parse/addresses.ts';
import type { RunOptions } from './run-options.ts';

/**
 * The proxies that hold, or `undefined` for none: the one of `--proxy`, or else what the environment says, as curl reads
 * it. `null` uses none, whatever the environment says; `NO_PROXY` holds for both. An empty variable is not set.
 * Throws a `UsageError` when a variable is wrong, but for one that another variable hides.
 */
export function proxySettings(
  options: Pick<RunOptions, 'proxy' | 'denyPrivate'>,
  environment: Environment,
): ProxySettings | undefined {
  const { proxy: given, denyPrivate } = options;
  if (given === null) return undefined;
  // Under CGI, HTTP_PROXY is the header `Proxy` of whoever sends a request (CVE-2016-5385, httpoxy).
  const upper = environment.REQUEST_METHOD === undefined ? ['HTTP_PROXY'] : [];
  const http = given ?? firstOf(['http_proxy', ...upper, 'all_proxy', 'ALL_PROXY'], environment);
  const https = given ?? firstOf(['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'], environment);
  if (http === undefined && https === undefined) return undefined;
  if (denyPrivate) {
    throw new UsageError(
      `Cannot use a proxy${given === undefined ? ' of the environment' : ''} with --deny-private: ` +
        "only the proxy knows to which address it connects; --proxy '' uses none",
    );
  }
  return { http, https, bypass: environment.no_proxy || environment.NO_PROXY || '' };
}

function firstOf(names: readonly string[], environment: Environment): ProxyServer | undefined {
  const name = names.find((one) => environment[one]?.trim());
  if (name === undefined) return undefined;
  try {
    return proxy.parse(environment[name]) ?? undefined;
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    throw new UsageError(`Cannot use the value for ${name}: ${error.message}`);
  }
}
