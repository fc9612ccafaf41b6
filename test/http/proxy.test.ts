import { describe, expect, it, test } from 'vitest';
import { dnsError } from '../../src/http/network-errors.ts';
import { selfSignedCertificate, serverCertificate } from '../origin/certificates.ts';
import { startOrigin } from '../origin/origin.ts';
import { BROKEN_PROXIES, startProxy } from '../origin/proxy.ts';
import { scripted } from '../origin/script.ts';
import { startHttps, startSelfSigned } from '../origin/tls.ts';
import { running, startClient } from './client.ts';
import { through } from './through.ts';

const withCredentials = (url: string) => url.replace('//', '//me:s3cret@');

describe.each(['http', 'https'])('through an %s:// proxy', (scheme) => {
  const start = async (options = {}) =>
    running(startProxy({ ...options, ...(scheme === 'https' ? { tls: await serverCertificate() } : {}) }));

  it('http is asked for in absolute form, with the host of the URL and over one connection', async () => {
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

  it('the credentials are for the proxy alone', async () => {
    const origins = [await running(startOrigin()), await running(startHttps())];
    const proxy = await start({ credentials: 'me:s3cret' });
    const { send } = await startClient({ proxies: through(withCredentials(proxy.url)) });
    for (const { url } of origins) expect((await send(`${url}/ok`)).response?.status).toBe(200);
    const sent = origins.flatMap(({ log }) => log.map(({ headers }) => headers));
    expect(sent).toHaveLength(2);
    expect(JSON.stringify(sent)).not.toMatch(/proxy-auth|Basic|s3cret/i);
  });

  it('a certificate of the host is checked in the tunnel', async () => {
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

  it.each(['http', 'https'])('407 for %s is final, and no answer of the host', async (of) => {
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

  it('an attempt that is over ends the tunnel, too', async () => {
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

test('a host of NO_PROXY is asked directly', async () => {
  const origins = [await running(startOrigin()), await running(startHttps())];
  const proxy = await running(startProxy());
  const { send } = await startClient({ proxies: through(proxy.url, '127.0.0.0/8') });
  for (const { url } of origins) expect((await send(`${url}/ok`)).response?.status).toBe(200);
  expect([proxy.accepted.count, origins.map(({ requests }) => requests)]).toEqual([0, [1, 1]]);
});

test('407 of an origin that is asked directly is its own status', async () => {
  const origin = await running(startOrigin());
  const { send } = await startClient({ proxies: through('127.0.0.1:1', '127.0.0.1') });
  expect((await send(`${origin.url}/status/407`)).response?.status).toBe(407);
});

test('a host behind the proxy need have no address here', async () => {
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

test('an IPv6 host is asked for in brackets', async () => {
  const origin = await running(startHttps());
  const proxy = await running(startProxy({ route: origin }));
  const { send } = await startClient({ proxies: through(proxy.url) });
  expect((await send('https://[::1]:8443/ok')).response?.status).toBe(200);
  expect(proxy.log[0]).toMatchObject({ path: '[::1]:8443', headers: { host: '[::1]:8443' } });
});

test('a proxy with a bad certificate gets no request and no credentials, also where -k lets hosts have one', async () => {
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

describe('a proxy that', () => {
  it.each(['http://a.test/', 'https://a.test/'])('is not there fails %s and is named', async (url) => {
    const gone = await startProxy();
    await gone.close();
    const { send } = await startClient({ proxies: through(withCredentials(gone.url)) });
    expect((await send(url)).failed).toEqual({
      failure: {
        kind: 'connect',
        code: 'ECONNREFUSED',
        message: `the proxy ${gone.authority} cannot be reached: connect ECONNREFUSED ${gone.authority}`,
      },
      isRetryable: true,
    });
  });

  it.each(['http://a.test/', 'https://a.test/'])('has no address fails %s to connect', async (url) => {
    const lookUp = () => Promise.reject(dnsError('proxy.test', 'ENOTFOUND'));
    const { send } = await startClient({ lookUp, proxies: through('me:s3cret@proxy.test:1') });
    const { failed } = await send(url);
    expect(failed).toMatchObject({ failure: { kind: 'connect', code: 'ENOTFOUND' }, isRetryable: true });
    expect(failed?.failure.message).toMatch(
      /^the proxy proxy\.test:1 cannot be reached: ENOTFOUND proxy\.test/,
    );
  });

  it.each<[keyof typeof BROKEN_PROXIES, string, string]>([
    ['answers 403', 'ERR_PROXY_REFUSED', 'refused the tunnel: 403 Forbidden'],
    ['answers 502', 'ERR_PROXY_REFUSED', 'refused the tunnel: 502 Bad Gateway'],
    ['answers 503 without a reason', 'ERR_PROXY_REFUSED', 'refused the tunnel: 503'],
    [
      'answers with a reason that moves the cursor',
      'ERR_PROXY_REFUSED',
      'refused the tunnel: 418 \\u{1b}[2J',
    ],
    ['answers garbage', 'ERR_PROXY_ANSWER', 'answered CONNECT with something that is not HTTP'],
    [
      'answers a status line that is none',
      'ERR_PROXY_ANSWER',
      'answered CONNECT with something that is not HTTP',
    ],
    ['never ends its head', 'ERR_PROXY_ANSWER', 'answered CONNECT with headers over 16 KiB'],
    ['drops', 'ERR_PROXY_ANSWER', 'closed the connection without an answer to CONNECT'],
    ['resets', 'ERR_PROXY_ANSWER', 'closed the connection without an answer to CONNECT'],
    [
      'drops in the middle of its head',
      'ERR_PROXY_ANSWER',
      'closed the connection without an answer to CONNECT',
    ],
    ['sends a body with its 200', 'ERR_PROXY_ANSWER', 'sent data before the tunnel was used'],
  ])('%s is one failure, after one connection', async (name, code, message) => {
    const proxy = await running(BROKEN_PROXIES[name]());
    const { send } = await startClient({ proxies: through(withCredentials(proxy.url)) });
    expect((await send('https://a.test/')).failed).toEqual({
      failure: { kind: 'connect', code, message: `the proxy ${proxy.host}:${proxy.port} ${message}` },
      isRetryable: true,
    });
    await proxy.ended.reached(1);
    expect([proxy.accepted.count, proxy.requests.count]).toEqual([1, 1]);
  });

  it('drops after 200 is a failed handshake', async () => {
    const proxy = await running(BROKEN_PROXIES['drops after 200']());
    const { send } = await startClient({ proxies: through(proxy.url) });
    expect((await send('https://a.test/')).failed).toEqual({
      failure: {
        kind: 'tls',
        code: 'ECONNRESET',
        message: `the server ended the connection during the TLS handshake (through the proxy ${proxy.host}:${proxy.port})`,
      },
      isRetryable: true,
    });
    expect(proxy.accepted.count).toBe(1);
  });

  it.each(['stalls', 'drips its head'] as const)('%s is given up in time, and let go', async (name) => {
    const proxy = await running(BROKEN_PROXIES[name]());
    const { send } = await startClient({ connectTimeoutMs: 300, proxies: through(proxy.url) });
    expect((await send('https://a.test/')).failed).toEqual({
      failure: {
        kind: 'timeout',
        code: 'ERR_CONNECT_TIMEOUT',
        message: `no connection to a.test through the proxy ${proxy.host}:${proxy.port} within 300ms`,
      },
      isRetryable: true,
    });
    await proxy.ended.reached(1);
    expect(proxy.accepted.count).toBe(1);
  });

  it('never starts TLS is given up in time, and named', async () => {
    const proxy = await running(BROKEN_PROXIES.stalls());
    const { send } = await startClient({
      connectTimeoutMs: 300,
      proxies: through(`https://${proxy.host}:${proxy.port}`),
    });
    expect((await send('http://a.test/')).failed?.failure.message).toBe(
      `no connection to the proxy ${proxy.host}:${proxy.port} within 300ms`,
    );
  });

  it('is waited for in a tunnel is let go when the run ends', async () => {
    const proxy = await running(BROKEN_PROXIES.stalls());
    const { agent, send } = await startClient({ proxies: through(proxy.url) });
    const sent = send('https://a.test/');
    await proxy.requests.reached(1);
    agent.abort(new Error('enough'));
    expect((await sent).failed).toBeDefined();
    await proxy.ended.reached(1);
  });

  it('drops an http request is named', async () => {
    const proxy = await running(BROKEN_PROXIES.drops());
    const { send } = await startClient({ proxies: through(proxy.url) });
    const { failed } = await send('http://a.test/');
    expect(failed).toMatchObject({ failure: { kind: 'reset' }, isRetryable: true });
    expect(failed?.failure.message).toMatch(`(through the proxy ${proxy.host}:${proxy.port})`);
    expect(proxy.accepted.count).toBe(1);
  });

  it('stalls an http request is named when the time is up', async () => {
    const proxy = await running(BROKEN_PROXIES.stalls());
    const { send } = await startClient({ proxies: through(proxy.url) });
    const { failed } = await send('http://a.test/', {}, { timeoutMs: 300 });
    expect(failed?.failure).toMatchObject({
      kind: 'timeout',
      message: `no complete answer within 300ms (through the proxy ${proxy.host}:${proxy.port})`,
    });
  });

  it('ends the lines of its answer with LF alone is understood', async () => {
    const proxy = await running(scripted('HTTP/1.1 403 No\nVia: x\n\n', 'keep')());
    const { send } = await startClient({ proxies: through(proxy.url) });
    expect((await send('https://a.test/')).failed?.failure.message).toMatch(/refused the tunnel: 403 No$/);
  });
});
