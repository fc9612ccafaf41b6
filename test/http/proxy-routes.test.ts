import { describe, expect, it } from 'vitest';
import { proxy } from '../../src/config/parse/addresses.ts';
import { ProxyRoutes } from '../../src/http/proxy.ts';
import { through } from './through.ts';

const HTTP = { hostname: 'a.test', protocol: 'http:', port: '' };
const HTTPS = { hostname: 'a.test', protocol: 'https:', port: '' };

describe('ProxyRoutes', () => {
  it('forwards http, and tunnels https', () => {
    const routes = through('http://p.test:3128');
    expect(routes.forward('http://a.test/x')?.name).toBe('p.test:3128');
    expect(routes.forward('https://a.test/x')).toBeUndefined();
    expect(routes.tunnel(HTTPS)?.name).toBe('p.test:3128');
    expect(routes.tunnel(HTTP)).toBeUndefined();
  });

  it('takes each scheme to a proxy of its own, or to none', () => {
    const one = proxy.parse('one:1') ?? undefined;
    const onlyHttp = new ProxyRoutes({ http: one, https: undefined, bypass: '' });
    const onlyHttps = new ProxyRoutes({ http: undefined, https: one, bypass: '' });
    expect([onlyHttp.forward('http://a.test/')?.name, onlyHttp.tunnel(HTTPS)]).toEqual(['one:1', undefined]);
    expect([onlyHttps.forward('http://a.test/'), onlyHttps.tunnel(HTTPS)?.name]).toEqual([
      undefined,
      'one:1',
    ]);
  });

  it('asks the hosts of the list directly, with their ports, named or not', () => {
    const routes = through('p.test:1', 'a.test:80 a.test:443 [::1]:8080');
    expect(routes.forward('http://a.test/')).toBeUndefined();
    expect(routes.forward('http://a.test:81/')).toBeDefined();
    expect(routes.forward('http://[::1]:8080/')).toBeUndefined();
    expect(routes.forward('http://[::1]/')).toBeDefined();
    expect(routes.tunnel(HTTPS)).toBeUndefined();
    expect(routes.tunnel({ ...HTTPS, port: '8443' })).toBeDefined();
  });

  it('knows the proxy that is itself connected to, and asks for no tunnel to it', () => {
    const routes = through('https://[::1]:443');
    const target = { hostname: '::1', protocol: 'https:', port: '' };
    expect([routes.itself(target)?.name, routes.tunnel(target)]).toEqual(['[::1]:443', undefined]);
    for (const other of [{ protocol: 'http:' }, { port: '444' }, { hostname: '::2' }]) {
      expect(routes.itself({ ...target, ...other }), JSON.stringify(other)).toBeUndefined();
    }
  });

  it('makes Basic credentials in UTF-8', () => {
    const sent = through('http://j%C3%BCrgen:p%3Aw@p.test').forward('http://a.test/')?.authorization;
    expect(Buffer.from(sent?.replace(/^Basic /, '') ?? '', 'base64').toString()).toBe('jürgen:p:w');
    expect(through('p.test').forward('http://a.test/')?.authorization).toBeUndefined();
  });
});
