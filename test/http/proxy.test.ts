import { describe, expect, it, test } from 'vitest';
import { proxy } from '../../src/config/parse/server-urls.ts';
import { ProxyRoutes, parseBypass } from '../../src/http/proxy.ts';

import { selfSignedCertificate, serverCertificate } from '../origin/certificates.ts';
import { startOrigin } from '../origin/origin.ts';
import { startProxy } from '../origin/proxy.ts';
import { startHttps, startSelfSigned } from '../origin/tls.ts';
import { running, startClient, through } from './client.ts';

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

  it('has a proxy per scheme, or none', () => {
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

  it('bypasses the proxy for the hosts of the list, with explicit and default ports', () => {
    const routes = through('p.test:1', 'a.test:80 a.test:443 [::1]:8080');
    expect(routes.forwardProxyFor('http://a.test/')).toBeUndefined();
    expect(routes.forwardProxyFor('http://a.test:81/')).toBeDefined();
    expect(routes.forwardProxyFor('http://[::1]:8080/')).toBeUndefined();
    expect(routes.forwardProxyFor('http://[::1]/')).toBeDefined();
    expect(routes.tunnelProxyFor(HTTPS)).toBeUndefined();
    expect(routes.tunnelProxyFor({ ...HTTPS, port: '8443' })).toBeDefined();
  });

  it('recognises the proxy itself as a target, and needs no tunnel to it', () => {
    const routes = through('https://[::1]:443');
    const target = { hostname: '::1', protocol: 'https:', port: '' };
    expect([routes.proxyAt(target)?.name, routes.tunnelProxyFor(target)]).toEqual(['[::1]:443', undefined]);
    for (const other of [{ protocol: 'http:' }, { port: '444' }, { hostname: '::2' }]) {
      expect(routes.proxyAt({ ...target, ...other }), JSON.stringify(other)).toBeUndefined();
    }
  });

  it('encodes Basic credentials in UTF-8', () => {
    const sent = through('http://j%C3%BCrgen:p%3Aw@p.test').forwardProxyFor('http://a.test/')?.authorization;
    expect(Buffer.from(sent?.replace(/^Basic /, '') ?? '', 'base64').toString()).toBe('jürgen:p:w');
    expect(through('p.test').forwardProxyFor('http://a.test/')?.authorization).toBeUndefined();
  });
});

describe('parseBypass()', () => {
  it.each<[string, string, number?]>([
    ['*', 'example.com'],
    ['other.test, *', '::1'],
    ['example.com', 'example.com'],
    ['example.com', 'a.b.example.com'],
    ['.example.com', 'www.example.com'],
    ['.example.com', 'example.com'],
    ['*.example.com', 'www.example.com'],
    ['EXAMPLE.com', 'example.com'],
    ['example.com.', 'example.com'],
    ['example.com', 'example.com.'],
    ['com', 'example.com'],
    ['example.com:8443', 'www.example.com', 8443],
    [' a.test,,b.test\tc.test\nd.test ', 'd.test'],
    ['a.test b.test', 'b.test'],
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['10.0.0.0/8', '10.255.1.2'],
    ['10.1.2.3/8', '10.255.1.2'],
    ['10.0.0.0/9', '10.127.0.1'],
    ['0.0.0.0/0', '192.0.2.1'],
    ['10.0.0.1/32', '10.0.0.1'],
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['[::1]:8080', '::1', 8080],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['fe80::/10', 'febf::1'],
    ['[2001:db8::/32]', '2001:db8:1::1'],
  ])('%j matches %s', (list, hostname, port = 80) => {
    expect(parseBypass(list)(hostname, port)).toBe(true);
  });

  it.each<[string, string, number?]>([
    ['', 'example.com'],
    [' , ', 'example.com'],
    ['.', 'example.com.'],
    ['example.com', 'notexample.com'],
    ['example.com', 'example.com.evil.test'],
    ['www.example.com', 'example.com'],
    ['exam*', 'example.com'],
    ['example.com:8443', 'example.com', 443],
    ['example.com:', 'example.com'],
    ['http://example.com', 'example.com'],
    ['127.0.0.1', '127.0.0.10'],
    ['0.0.1', '127.0.0.1'],
    ['1', '127.0.0.1'],
    ['127.0.0.1:81', '127.0.0.1', 80],
    ['10.0.0.0/8', '11.0.0.1'],
    ['10.0.0.0/9', '10.128.0.1'],
    ['10.0.0.0/33', '10.0.0.0'],
    ['10.0.0.0/', '10.0.0.1'],
    ['10.0.0.0/x', '10.0.0.0'],
    ['10.0.0.0/-1', '10.0.0.0'],
    ['10.0.0.0/8', '10.example.com'],
    ['::1', '::2'],
    ['[::1]:8080', '::1', 80],
    ['::/0', '127.0.0.1'],
    ['0.0.0.0/0', '::1'],
    ['fe80::/129', 'fe80::'],
  ])('%j does not match %s', (list, hostname, port = 80) => {
    expect(parseBypass(list)(hostname, port)).toBe(false);
  });
});

const withCredentials = (url: string) => url.replace('//', '//me:s3cret@');

describe.each(['http', 'https'])('through an %s:// proxy', (scheme) => {
  const start = async (options = {}) =>
    running(startProxy({ ...options, ...(scheme === 'https' ? { tls: await serverCertificate() } : {}) }));

  it('http is requested in absolute form, with the host of the URL and over one connection', async () => {
    const origin = await running(startOrigin());
    const proxy = await start();
    const { send } = await startClient({ proxies: through(proxy.url) });
    for (const path of ['/ok?a=b#c', '/bytes/5000', '/status/204']) {
      expect((await send(origin.url + path)).failed).toBeUndefined();
    }
    await send(`${origin.url}/echo`, { method: 'POST', body: 'x', headers: { host: 'mine.test' } });
    const authority = `${origin.host}:${origin.port}`;
    expect(proxy.log.map(({ method, path, headers }) => [method, path, headers.host])).toEqual([
      ['GET', `${origin.url}/ok?a=b`, authority],
      ['GET', `${origin.url}/bytes/5000`, authority],
      ['GET', `${origin.url}/status/204`, authority],
      ['POST', `${origin.url}/echo`, 'mine.test'],
    ]);
    expect([origin.requests, proxy.accepted.count]).toEqual([4, 1]);
  });

  it('the hosts of http share the connections to the proxy', async () => {
    const origin = await running(startOrigin());
    const proxy = await start({ route: origin });
    const { send } = await startClient({ proxies: through(proxy.url) });
    for (let host = 0; host < 20; host++) await send(`http://host-${host}.test/ok`);
    expect([origin.requests, proxy.accepted.count]).toEqual([20, 1]);
    expect(origin.log[7]?.headers.host).toBe('host-7.test');
  });

  it('https goes through a tunnel that is kept, and shows the proxy nothing', async () => {
    const origin = await running(startHttps());
    const proxy = await start();
    const { send } = await startClient({ proxies: through(proxy.url) });
    const url = `https://localhost:${origin.port}`;
    for (const path of ['/ok', '/gzip/50000', '/status/404']) {
      expect((await send(url + path, { headers: { authorization: 'x' } })).failed).toBeUndefined();
    }
    const authority = `localhost:${origin.port}`;
    expect(proxy.log).toEqual([
      { method: 'CONNECT', path: authority, headers: { host: authority, 'user-agent': 'test/1' } },
    ]);
    expect([origin.requests, origin.connections, proxy.accepted.count]).toEqual([3, 1, 1]);
  });

  it('only the proxy gets the credentials', async () => {
    const origins = [await running(startOrigin()), await running(startHttps())];
    const proxy = await start({ credentials: 'me:s3cret' });
    const { send } = await startClient({ proxies: through(withCredentials(proxy.url)) });
    for (const { url } of origins) expect((await send(`${url}/ok`)).response?.status).toBe(200);
    const sent = origins.flatMap(({ log }) => log.map(({ headers }) => headers));
    expect(sent).toHaveLength(2);
    expect(JSON.stringify(sent)).not.toMatch(/proxy-auth|Basic|s3cret/i);
  });

  it('the certificate of the host is verified in the tunnel', async () => {
    const origin = await running(startSelfSigned());
    const proxy = await start();
    const { send } = await startClient({ proxies: through(proxy.url) });
    const { failed } = await send(`${origin.url}/ok`);
    expect(failed).toMatchObject({
      failure: { kind: 'tls', message: expect.stringContaining(`(through the proxy ${proxy.authority})`) },
      isRetryable: false,
    });
    expect(origin.requests).toBe(0);
  });

  it.each(['http', 'https'])('407 for %s is final, and not a response of the host', async (of) => {
    const origin = await running(of === 'https' ? startHttps() : startOrigin());
    const proxy = await start({ credentials: 'me:s3cret' });
    const { send } = await startClient({ proxies: through(proxy.url.replace('//', '//me:wr0ng@')) });
    const { response, failed } = await send(`${origin.url}/ok`);
    const wish = of === 'https' ? 'tunnel' : 'request';
    expect(response).toBeUndefined();
    expect(failed).toEqual({
      failure: {
        kind: 'connect',
        code: 'ERR_PROXY_AUTHENTICATION',
        message: `the proxy ${proxy.authority} refused the ${wish}: 407 Proxy Authentication Required`,
      },
      isRetryable: false,
    });
    expect([origin.requests, proxy.log.length, proxy.accepted.count]).toEqual([0, 1, 1]);
  });

  it('an aborted attempt closes the tunnel', async () => {
    const origin = await running(startHttps());
    const proxy = await start();
    const { send, agent } = await startClient({ proxies: through(proxy.url) });
    const sent = send(`${origin.url}/hang`);
    await origin.waiting('hang');
    agent.abort(new Error('enough'));
    await sent;
    await origin.abandoned('hang');
    await proxy.ended.reached(1);
  });
});

test('a host of NO_PROXY is requested directly', async () => {
  const origins = [await running(startOrigin()), await running(startHttps())];
  const proxy = await running(startProxy());
  const { send } = await startClient({ proxies: through(proxy.url, '127.0.0.0/8') });
  for (const { url } of origins) expect((await send(`${url}/ok`)).response?.status).toBe(200);
  expect([proxy.accepted.count, origins.map(({ requests }) => requests)]).toEqual([0, [1, 1]]);
});

test('407 of an origin that is requested directly is its own status', async () => {
  const origin = await running(startOrigin());
  const { send } = await startClient({ proxies: through('127.0.0.1:1', '127.0.0.1') });
  expect((await send(`${origin.url}/status/407`)).response?.status).toBe(407);
});

test('a host behind the proxy is not looked up', async () => {
  const origin = await running(startHttps({}, { names: ['only-there.test'] }));
  const proxy = await running(startProxy({ route: origin }));
  const looked: string[] = [];
  const lookUp = async (hostname: string) => {
    looked.push(hostname);
    return ['127.0.0.1'];
  };
  const { send } = await startClient({ lookUp, proxies: through(`proxy.test:${proxy.port}`) });
  expect((await send('https://only-there.test/ok')).response?.status).toBe(200);
  expect([looked, proxy.log[0]?.path]).toEqual([['proxy.test'], 'only-there.test:443']);
});

test('the CONNECT request of an IPv6 host has brackets', async () => {
  const origin = await running(startHttps());
  const proxy = await running(startProxy({ route: origin }));
  const { send } = await startClient({ proxies: through(proxy.url) });
  expect((await send('https://[::1]:8443/ok')).response?.status).toBe(200);
  expect(proxy.log[0]).toMatchObject({ path: '[::1]:8443', headers: { host: '[::1]:8443' } });
});

test('a proxy with a bad certificate gets no request and no credentials, also with -k', async () => {
  const proxy = await running(startProxy({ tls: await selfSignedCertificate() }));
  const proxies = through(withCredentials(proxy.url));
  const { send } = await startClient({ proxies, tls: { insecure: true } });
  for (const url of ['http://a.test/', 'https://a.test/']) {
    const { failed } = await send(url);
    expect(failed?.failure.kind).toBe('tls');
    expect(failed?.failure.message).toMatch(`the proxy ${proxy.authority} cannot be reached: `);
  }
  expect(proxy.log).toEqual([]);
});
