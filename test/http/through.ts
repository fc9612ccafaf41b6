import { proxy } from '../../src/config/parse/server-urls.ts';
import { ProxyRoutes } from '../../src/http/proxy.ts';

/** Routes through one proxy for both schemes, except to the hosts of `bypass`; CONNECT names the agent `test/1`. */
export function through(url: string, bypass = ''): ProxyRoutes {
  const server = proxy.parse(url) ?? undefined;
  return new ProxyRoutes({ http: server, https: server, bypass }, 'test/1');
}
