import { describe, expect, it } from 'vitest';
import { dnsError } from '../../src/http/network-errors.ts';
import { BROKEN_PROXIES, startProxy } from '../origin/proxy.ts';
import { scripted } from '../origin/script.ts';
import { running, startClient, through } from './client.ts';

const withCredentials = (url: string) => url.replace('//', '//me:s3cret@');

describe('a proxy that', () => {
  it.each(['http://a.test/', 'https://a.test/'])('refuses connections fails %s and is named', async (url) => {
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

  it.each(['http://a.test/', 'https://a.test/'])('has no address fails %s with kind connect', async (url) => {
    const lookUp = () => Promise.reject(dnsError('ENOTFOUND'));
    const { send } = await startClient({ lookUp, proxies: through('me:s3cret@proxy.test:1') });
    const { failed } = await send(url);
    expect(failed).toMatchObject({ failure: { kind: 'connect', code: 'ENOTFOUND' }, isRetryable: true });
    expect(failed?.failure.message).toMatch(
      /^the proxy proxy\.test:1 cannot be reached: no such name \(ENOTFOUND\)/,
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
    ['answers garbage', 'ERR_PROXY_RESPONSE', 'responded to CONNECT with something that is not HTTP'],
    [
      'answers a status line that is none',
      'ERR_PROXY_RESPONSE',
      'responded to CONNECT with something that is not HTTP',
    ],
    ['never ends its head', 'ERR_PROXY_RESPONSE', 'responded to CONNECT with headers over 16 KiB'],
    ['drops', 'ERR_PROXY_RESPONSE', 'closed the connection without a response to CONNECT'],
    ['resets', 'ERR_PROXY_RESPONSE', 'closed the connection without a response to CONNECT'],
    [
      'drops in the middle of its head',
      'ERR_PROXY_RESPONSE',
      'closed the connection without a response to CONNECT',
    ],
    ['sends a body with its 200', 'ERR_PROXY_RESPONSE', 'sent data before the tunnel was used'],
  ])('%s fails after one connection', async (name, code, message) => {
    const proxy = await running(BROKEN_PROXIES[name]());
    const { send } = await startClient({ proxies: through(withCredentials(proxy.url)) });
    expect((await send('https://a.test/')).failed).toEqual({
      failure: { kind: 'connect', code, message: `the proxy ${proxy.host}:${proxy.port} ${message}` },
      isRetryable: true,
    });
    await proxy.ended.reached(1);
    expect([proxy.accepted.count, proxy.requests.count]).toEqual([1, 1]);
  });

  it('drops after 200 fails the handshake', async () => {
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

  it.each(['stalls', 'drips its head'] as const)(
    '%s fails at the connect timeout, and is closed',
    async (name) => {
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
    },
  );

  it('never starts TLS fails at the connect timeout, and is named', async () => {
    const proxy = await running(BROKEN_PROXIES.stalls());
    const { send } = await startClient({
      connectTimeoutMs: 300,
      proxies: through(`https://${proxy.host}:${proxy.port}`),
    });
    expect((await send('http://a.test/')).failed?.failure.message).toBe(
      `no connection to the proxy ${proxy.host}:${proxy.port} within 300ms`,
    );
  });

  it('is waited for in a tunnel is closed when the run ends', async () => {
    const proxy = await running(BROKEN_PROXIES.stalls());
    const { agent, send } = await startClient({ proxies: through(proxy.url) });
    const sent = send('https://a.test/');
    await proxy.requests.reached(1);
    agent.abort(new Error('enough'));
    expect((await sent).failed).toBeDefined();
    await proxy.ended.reached(1);
  });

  it.each([
    ['one interim response', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['several at once', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\n'],
  ])('sends %s before the final one is understood', async (_, before) => {
    const proxy = await running(scripted(`${before}HTTP/1.1 403 No\r\n\r\n`, 'keep')());
    const { send } = await startClient({ proxies: through(proxy.url) });
    expect((await send('https://a.test/')).failed?.failure.message).toMatch(/refused the tunnel: 403 No$/);
  });

  it.each([
    ['101', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 'refused the tunnel: 101 Switching Protocols'],
    ['too many', 'HTTP/1.1 100 C\r\n\r\n'.repeat(40), 'refused the tunnel: 100 C'],
  ])('sends %s interim responses fails', async (_, head, message) => {
    const proxy = await running(scripted(head, 'keep')());
    const { send } = await startClient({ proxies: through(proxy.url) });
    expect((await send('https://a.test/')).failed?.failure.message).toContain(message);
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

  it('stalls an http request is named in the timeout', async () => {
    const proxy = await running(BROKEN_PROXIES.stalls());
    const { send } = await startClient({ proxies: through(proxy.url) });
    const { failed } = await send('http://a.test/', {}, { timeoutMs: 300 });
    expect(failed?.failure).toMatchObject({
      kind: 'timeout',
      message: `no complete response within 300ms (through the proxy ${proxy.host}:${proxy.port})`,
    });
  });

  it('ends the lines of its response with LF only is understood', async () => {
    const proxy = await running(scripted('HTTP/1.1 403 No\nVia: x\n\n', 'keep')());
    const { send } = await startClient({ proxies: through(proxy.url) });
    expect((await send('https://a.test/')).failed?.failure.message).toMatch(/refused the tunnel: 403 No$/);
  });
});
