import { describe, expect, it, onTestFinished } from 'vitest';
import { dnsError } from '../../src/http/network-errors.ts';
import { denyPrivate } from '../../src/http/ssrf-guard.ts';
import { startOrigin } from '../origin/origin.ts';
import { BROKEN_SOCKS, type SocksOptions, startSocks } from '../origin/socks.ts';
import { startHttps } from '../origin/tls.ts';
import { type ClientOptions, running, startClient, through } from './client.ts';

const LOGIN = 'me:s3cr%65t@';

async function aClient(scheme: string, options: SocksOptions = {}, login = '', more: ClientOptions = {}) {
  const socks = await running(startSocks(options));
  const client = await startClient({
    lookUp: async () => ['127.0.0.1'],
    ...more,
    proxies: through(`${scheme}://${login}${socks.authority}`),
  });
  return { ...client, socks };
}

describe('a SOCKS proxy', () => {
  it.each([
    ['socks5', '5 ipv4 127.0.0.1'],
    ['socks5h', '5 name one.test'],
    ['socks4', '4 ipv4 127.0.0.1'],
    ['socks4a', '4 name one.test'],
    ['socks', '4 ipv4 127.0.0.1'],
    ['SOCKS5H', '5 name one.test'],
  ])('of %s:// is asked for %s, for http and https', async (scheme, asked) => {
    const [plain, secure] = [await running(startOrigin()), await running(startHttps())];
    const { send, socks } = await aClient(scheme, { route: plain });
    const other = await aClient(scheme, { route: secure });
    const outcome = await send('http://one.test:81/ok');
    expect([outcome.failed, outcome.response?.status]).toEqual([undefined, 200]);
    const overTls = await other.send('https://localhost/ok');
    expect([overTls.failed, overTls.response?.status]).toEqual([undefined, 200]);
    expect([socks.log, other.socks.log]).toEqual([
      [`${asked}:81`],
      [`${asked.replace('one.test', 'localhost')}:443`],
    ]);
  });

  it('carries many requests on one connection, and is given addresses as they are', async () => {
    const origin = await running(startOrigin());
    for (const [host, asked] of [
      ['127.0.0.9', 'ipv4 127.0.0.9'],
      ['[2001:db8::1:2]', 'ipv6 [2001:db8::1:2]'],
      ['[::ffff:127.0.0.1]', 'ipv6 [::ffff:7f00:1]'],
    ]) {
      const { send, socks } = await aClient('socks5h', { route: origin });
      for (let count = 0; count < 3; count += 1)
        expect((await send(`http://${host}:8080/ok`)).response?.status).toBe(200);
      expect(socks.log).toEqual([`5 ${asked}:8080`]);
    }
  });

  it.each([1, 3, 4])('may name its own address in the form of type %d', async (boundType) => {
    const origin = await running(startOrigin());
    const { send } = await aClient('socks5h', { route: origin, boundType });
    expect((await send('http://one.test/ok')).response?.status).toBe(200);
  });

  it('gets the user name and the password that it requires, percent-decoded', async () => {
    const origin = await running(startOrigin());
    const five = await aClient('socks5h', { route: origin, credentials: 'me:s3cret' }, LOGIN);
    expect((await five.send('http://one.test/ok')).response?.status).toBe(200);
    const open = await aClient('socks5h', { route: origin }, LOGIN);
    expect((await open.send('http://one.test/ok')).response?.status).toBe(200);
    const four = await aClient('socks4', { route: origin }, 'me@');
    expect((await four.send('http://one.test/ok')).response?.status).toBe(200);
    expect(four.socks.log).toEqual(['me 4 ipv4 127.0.0.1:80']);
  });

  it.each([
    ['', 'wants a user name and a password'],
    ['me:wr0ng@', 'refused the user name or the password'],
    ['me@', 'refused the user name or the password'],
  ])('that refuses the login %j fails the URL for good', async (login, message) => {
    const { send, socks } = await aClient('socks5h', { credentials: 'me:s3cret' }, login);
    expect((await send('https://one.test/')).failed).toEqual({
      failure: {
        kind: 'connect',
        code: 'ERR_PROXY_AUTHENTICATION',
        message: `the proxy ${socks.authority} ${message}`,
      },
      isRetryable: false,
    });
  });

  it.each([
    ['socks5h', 1, 'ERR_PROXY_TARGET', 'one.test', 'general failure'],
    ['socks5h', 2, 'ERR_PROXY_REFUSED', 'one.test', 'not allowed by its rules'],
    ['socks5h', 4, 'ERR_PROXY_TARGET', 'one.test', 'host unreachable'],
    ['socks5h', 5, 'ERR_PROXY_TARGET', 'one.test', 'connection refused'],
    ['socks5h', 77, 'ERR_PROXY_TARGET', 'one.test', 'status 77'],
    ['socks5', 3, 'ERR_PROXY_TARGET', '127.0.0.1', 'network unreachable'],
    ['socks4', 91, 'ERR_PROXY_TARGET', '127.0.0.1', 'rejected or failed'],
    ['socks4a', 92, 'ERR_PROXY_TARGET', 'one.test', 'it cannot reach identd on this machine'],
  ])('of %s:// that responds with %d fails the URL', async (scheme, status, code, host, reason) => {
    const { send, socks } = await aClient(scheme, { statusFor: () => status });
    expect((await send('http://one.test:81/')).failed).toEqual({
      failure: {
        kind: 'connect',
        code,
        message: `the proxy ${socks.authority} could not connect to ${host}:81: ${reason}`,
      },
      isRetryable: true,
    });
  });

  it('is given one address of a name after the other', async () => {
    const origin = await running(startOrigin());
    const lookUp = async () => ['127.0.0.2', '::2', '127.0.0.1'];
    const statusFor = (host: string) => (host === '127.0.0.1' ? undefined : 4);
    const five = await aClient('socks5', { route: origin, statusFor }, '', { lookUp });
    expect((await five.send('http://one.test:1/ok')).response?.status).toBe(200);
    expect(five.socks.log).toEqual(['5 ipv4 127.0.0.2:1', '5 ipv6 [::2]:1', '5 ipv4 127.0.0.1:1']);
    // SOCKS 4 is not asked for an address that it cannot express.
    const four = await aClient('socks4', { route: origin, statusFor: (host) => statusFor(host) && 91 }, '', {
      lookUp,
    });
    expect((await four.send('http://one.test:1/ok')).response?.status).toBe(200);
    expect(four.socks.log).toEqual(['4 ipv4 127.0.0.2:1', '4 ipv4 127.0.0.1:1']);
  });

  it('is asked for nothing if a name has no address, or only those that are denied', async () => {
    const none = await aClient('socks5', {}, '', { lookUp: () => Promise.reject(dnsError('ENOTFOUND')) });
    expect((await none.send('http://one.test/')).failed?.failure).toEqual({
      kind: 'dns',
      code: 'ENOTFOUND',
      message: 'no such name (ENOTFOUND)',
    });
    const denied = await aClient('socks5', {}, '', { addressPolicy: denyPrivate });
    const { failed } = await denied.send('https://one.test/');
    expect(failed?.failure).toMatchObject({
      kind: 'denied',
      message: expect.stringMatching(/^127\.0\.0\.1 is a loop/),
    });
    const sameAsProxy = await denied.send(`http://${denied.socks.host}/`);
    expect(sameAsProxy.failed?.failure).toMatchObject({ kind: 'denied' });
    expect([none.socks.accepted.count, denied.socks.accepted.count]).toEqual([0, 0]);
  });

  it('is checked by the certificate of the URL, and named if the handshake fails', async () => {
    const secure = await running(startHttps());
    const { send, socks } = await aClient('socks5h', { route: secure });
    const { failed } = await send('https://wrong.example/');
    expect(failed?.failure).toMatchObject({
      kind: 'tls',
      message: expect.stringContaining(`(through the proxy ${socks.authority})`),
    });
  });
});

describe('a SOCKS proxy that', () => {
  it('is not there fails http and https, and is named', async () => {
    const gone = await startSocks();
    await gone.close();
    const { send } = await startClient({ proxies: through(`socks5h://${LOGIN}${gone.authority}`) });
    for (const url of ['http://one.test/', 'https://one.test/']) {
      expect((await send(url)).failed?.failure).toEqual({
        kind: 'connect',
        code: 'ECONNREFUSED',
        message: `the proxy ${gone.authority} cannot be reached: connect ECONNREFUSED ${gone.authority}`,
      });
    }
  });

  it.each<[keyof typeof BROKEN_SOCKS, string, string]>([
    ['speaks HTTP', 'ERR_PROXY_RESPONSE', 'responded with something that is not SOCKS 5'],
    ['speaks HTTP after its greeting', 'ERR_PROXY_RESPONSE', 'responded with something that is not SOCKS 5'],
    ['closes at once', 'ERR_PROXY_RESPONSE', 'closed the connection during the SOCKS handshake'],
    ['closes after its greeting', 'ERR_PROXY_RESPONSE', 'closed the connection during the SOCKS handshake'],
    [
      'closes in the middle of its response',
      'ERR_PROXY_RESPONSE',
      'closed the connection during the SOCKS handshake',
    ],
    ['resets', 'ERR_PROXY_RESPONSE', 'closed the connection during the SOCKS handshake'],
    [
      'gives an address of an unknown type',
      'ERR_PROXY_RESPONSE',
      'responded with something that is not SOCKS 5',
    ],
    ['sends more than its response', 'ERR_PROXY_RESPONSE', 'sent data before the tunnel was used'],
    ['selects a method that was not offered', 'ERR_PROXY_AUTHENTICATION', 'wants a user name and a password'],
  ])('%s fails after one connection', async (name, code, message) => {
    for (const url of ['http://one.test/', 'https://one.test/']) {
      const proxy = await running(BROKEN_SOCKS[name]());
      const { send } = await startClient({ proxies: through(`socks5h://${proxy.host}:${proxy.port}`) });
      expect((await send(url)).failed?.failure).toEqual({
        kind: 'connect',
        code,
        message: `the proxy ${proxy.host}:${proxy.port} ${message}`,
      });
      await proxy.ended.reached(1);
      expect(proxy.accepted.count).toBe(1);
    }
  });

  it.each(['never responds', 'stops after its greeting'] as const)(
    '%s takes the time for connecting, and no longer; its connection is closed',
    async (name) => {
      const proxy = await running(BROKEN_SOCKS[name]());
      const proxies = through(`socks5h://${proxy.host}:${proxy.port}`);
      const { send } = await startClient({ proxies, connectTimeoutMs: 100 });
      expect((await send('http://one.test/')).failed?.failure).toEqual({
        kind: 'timeout',
        code: 'ERR_CONNECT_TIMEOUT',
        message: `no connection to one.test through the proxy ${proxy.host}:${proxy.port} within 100ms`,
      });
      await proxy.ended.reached(1);
    },
  );

  it('is silent lets the attempt be aborted during its handshake', async () => {
    const proxy = await running(BROKEN_SOCKS['never responds']());
    const { agent, send } = await startClient({ proxies: through(`socks5h://${proxy.host}:${proxy.port}`) });
    const outcome = send('http://one.test/');
    await proxy.accepted.reached(1);
    agent.destroy(new Error('enough'));
    onTestFinished(() => proxy.close());
    expect((await outcome).failed?.failure.message).toContain('enough');
    await proxy.ended.reached(1);
  });
});
