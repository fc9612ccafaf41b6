import { describe, expect, it } from 'vitest';
import { proxy } from '../../src/config/parse/server-urls.ts';
import { ProxyRoutes } from '../../src/http/proxy.ts';
import { through } from './through.ts';

const HTTP = { hostname: 'a.test', protocol: 'http:', port: '' };
const HTTPS = { hostname: 'a.test', protocol: 'https:', port: '' };

describe('ProxyRoutes', () => {
  it('forwards http, and tunnels https', () => {
    const routes = through('http://p.test:3128');
    expect(routes.forwardProxyFor('http://a.test/x')?.name).toBe('p.test:3128');
    expect(routes.forwardProxyFor('https://a.test/x')).toBeUndefined();
    expect(routes.tunnelProxyFor(HTTPS)?.name).toBe('p.test:3128');
    expect(routes.tunnelProxyFor(HTTP)).toBeUndefined();
  });

  it('takes each scheme to a proxy of its own, or to none', () => {
    const one = proxy.parse('one:1') ?? undefined;
    const onlyHttp = new ProxyRoutes({ http: one, https: undefined, bypass: '' });
    const onlyHttps = new ProxyRoutes({ http: undefined, https: one, bypass: '' });
    expect([onlyHttp.forwardProxyFor('http://a.test/')?.name, onlyHttp.tunnelProxyFor(HTTPS)]).toEqual([
      'one:1',
      undefined,
    ]);
    expect([onlyHttps.forwardProxyFor('http://a.test/'), onlyHttps.tunnelProxyFor(HTTPS)?.name]).toEqual([
      undefined,
      'one:1',
    ]);
  });

  it('asks the hosts of the list directly, with their ports, named or not', () => {
    const routes = through('p.test:1', 'a.test:80 a.test:443 [::1]:8080');
    expect(routes.forwardProxyFor('http://a.test/')).toBeUndefined();
    expect(routes.forwardProxyFor('http://a.test:81/')).toBeDefined();
    expect(routes.forwardProxyFor('http://[::1]:8080/')).toBeUndefined();
    expect(routes.forwardProxyFor('http://[::1]/')).toBeDefined();
    expect(routes.tunnelProxyFor(HTTPS)).toBeUndefined();
    expect(routes.tunnelProxyFor({ ...HTTPS, port: '8443' })).toBeDefined();
  });

  it('knows the proxy that is itself connected to, and asks for no tunnel to it', () => {
    const routes = through('https://[::1]:443');
    const target = { hostname: '::1', protocol: 'https:', port: '' };
    expect([routes.proxyAt(target)?.name, routes.tunnelProxyFor(target)]).toEqual(['[::1]:443', undefined]);
    for (const other of [{ protocol: 'http:' }, { port: '444' }, { hostname: '::2' }]) {
      expect(routes.proxyAt({ ...target, ...other }), JSON.stringify(other)).toBeUndefined();
    }
  });

  it('makes Basic credentials in UTF-8', () => {
    const sent = through('http://j%C3%BCrgen:p%3Aw@p.test').forwardProxyFor('http://a.test/')?.authorization;
    expect(Buffer.from(sent?.replace(/^Basic /, '') ?? '', 'base64').toString()).toBe('jürgen:p:w');
    expect(through('p.test').forwardProxyFor('http://a.test/')?.authorization).toBeUndefined();
  });
});
