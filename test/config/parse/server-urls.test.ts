import { describe, expect, it } from 'vitest';
import type { Parser } from '../../../src/config/option.ts';
import { brokerUrl, maskBroker, maskProxy, proxy, webUrl } from '../../../src/config/parse/server-urls.ts';
import { refused } from './refused.ts';

describe('webUrl', () => {
  it.each([
    ['http://a.test/x/?q#f', 'http://a.test/x/?q'],
    [' HTTPS://A.test ', 'https://a.test/'],
  ])('reads %j', (text, url) => {
    expect(webUrl.parse(text)).toBe(url);
    expect(webUrl.parse(webUrl.print(url))).toBe(url);
  });

  it.each([
    '',
    'a.test',
    '/x',
    'ftp://a.test/',
    'xhttp://a.test/',
    'httpx://a.test/',
    'http://me@a.test/',
    'http://:s3cret@a.test/',
    1,
    null,
  ])('refuses %j', (value) => {
    expect(refused(webUrl, value)).toBe(
      'must start with http:// or https://, and have no user name or password',
    );
  });

  it('shows nothing of a refused value', () => {
    expect(webUrl.show?.('http://me:s3cret@a.test/')).toBe('');
  });
});

describe('proxy', () => {
  it.each([
    ['http://127.0.0.1:3128', { isSecure: false, hostname: '127.0.0.1', port: 3128 }],
    ['proxy.test:3128', { isSecure: false, hostname: 'proxy.test', port: 3128 }],
    [' HTTPS://Proxy.Test/ ', { isSecure: true, hostname: 'proxy.test', port: 443 }],
    ['proxy.test', { isSecure: false, hostname: 'proxy.test', port: 1080 }],
    ['http://proxy.test:80/', { isSecure: false, hostname: 'proxy.test', port: 80 }],
    ['https://proxy.test:443', { isSecure: true, hostname: 'proxy.test', port: 443 }],
    ['http://proxy.test:', { isSecure: false, hostname: 'proxy.test', port: 1080 }],
    ['[::1]', { isSecure: false, hostname: '::1', port: 1080 }],
    ['https://[0:0::1]:99', { isSecure: true, hostname: '::1', port: 99 }],
    ['0x7f.1:1', { isSecure: false, hostname: '127.0.0.1', port: 1 }],
    ['münchen.test:65535', { isSecure: false, hostname: 'xn--mnchen-3ya.test', port: 65_535 }],
  ])('reads %j', (text, server) => {
    expect(proxy.parse(text)).toEqual(server);
  });

  it.each([
    ['me:s3cret@p:1', 'me', 's3cret'],
    ['http://me@p:1', 'me', ''],
    ['http://:s3cret@p:1', '', 's3cret'],
    ['http://m%40e:s%3A3%25:c@p:1', 'm@e', 's:3%:c'],
    ['http://me:a#b/c?d@e@p:1', 'me', 'a#b/c?d@e'],
  ])('takes the credentials of %j', (text, user, password) => {
    expect(proxy.parse(text)).toMatchObject({ hostname: 'p', port: 1, credentials: { user, password } });
  });

  it('takes no text for no proxy at all', () => {
    expect([proxy.parse(''), proxy.print(null), maskProxy(null)]).toEqual([null, '', '']);
  });

  it.each([
    'http://p:1',
    'https://[::1]:443',
    'http://m%40e:%25%3A%23@p:80',
    'http://me:@p:80',
    'socks5h://me:%25@p:1',
    'socks4://me:@p:2',
  ])('prints %j as it reads it', (text) => {
    expect(proxy.print(proxy.parse(text))).toBe(text);
  });

  it('masks credentials, and what is masked can be read again', () => {
    const masked = maskProxy(proxy.parse('me:s3cret@[::1]:3128'));
    expect(masked).toBe('http://***@[::1]:3128');
    expect(maskProxy(proxy.parse(masked))).toBe(masked);
    expect(maskProxy(proxy.parse('p:1'))).toBe('http://p:1');
    expect(maskProxy(proxy.parse('socks4a://me@p'))).toBe('socks4a://***@p:1080');
  });

  it.each([
    ' ',
    'http://',
    'http:///',
    'ftp://p:1',
    'http//p',
    'http://me:s3cret',
    'http://p:1/path',
    'http://p:1?q',
    'http://p:1#f',
    'http://p:80\\',
    'http://p q:1',
    'shttp://p:1',
    'xsocks://p:1',
    'httpx://p:1',
    'http://p:3\n1',
    'http://[::1',
    'http://[1.2.3.4]:1',
    'http://1.2.3.256:1',
    'http://a:b:1',
    'http://@',
    'http://p:123456',
    3128,
    null,
    ['http://p:1'],
  ])('refuses %j', (value) => {
    expect(refused(proxy, value)).toBe(
      'must look like http://[user:password@]host[:port], or start with https://, socks5:// or socks5h://',
    );
  });

  it.each(['p:0', 'p:65536'])('refuses the port of %j', (text) => {
    expect(refused(proxy, text)).toBe('port must be from 1 to 65535');
  });

  it.each([
    ['socks5://p', 5, false],
    ['SOCKS5h://p:1080', 5, true],
    ['socks4://p', 4, false],
    ['socks4a://p/', 4, true],
    ['socks://p', 4, false],
  ])('reads %j as SOCKS %d, whose proxy resolves names: %s', (text, version, resolvesNames) => {
    const server = proxy.parse(text);
    expect(server).toEqual({
      socks: { version, resolvesNames },
      isSecure: false,
      hostname: 'p',
      port: 1080,
    });
    expect(proxy.parse(proxy.print(server))).toEqual(server);
  });

  it.each([
    ['socks6://p', 'must look like http://[user:password@]host[:port], or'],
    ['constructor://p', 'must look like http://[user:password@]host[:port], or'],
    [`socks5://me:${'x'.repeat(256)}@p`, 'must have a user name and a password of at most 255 bytes'],
    [`socks5h://${'%C3%A4'.repeat(128)}@p`, 'must have a user name and a password of at most 255 bytes'],
    ['socks4://me:s3cret@p', 'must have no password, since SOCKS 4 has only a user name'],
    ['socks4a://m%00e@p', 'must have no password, since SOCKS 4 has only a user name'],
  ])('refuses %j', (text, message) => {
    expect(refused(proxy, text)).toContain(message);
  });

  it.each(['http://me:100%@p:1', 'http://%E9:x@p:1'])('refuses the credentials of %j', (text) => {
    expect(refused(proxy, text)).toBe('write a % in the user name or password as %25');
  });

  it('shows nothing of a refused value', () => {
    expect(proxy.show?.('ftp://me:s3cret@p')).toBe('');
  });
});

describe('brokerUrl', () => {
  it.each([
    ['nats://a', { servers: ['a:4222'], isSecure: false }],
    [' TLS://A.test:99/ ', { servers: ['a.test:99'], isSecure: true }],
    ['nats://a,b:1,[::1]:2', { servers: ['a:4222', 'b:1', '[::1]:2'], isSecure: false }],
    ['nats://me:s3%3Acret:@a', { servers: ['a:4222'], isSecure: false, user: 'me', password: 's3:cret:' }],
    ['nats://me:@a', { servers: ['a:4222'], isSecure: false, user: 'me', password: '' }],
    ['nats://t%40ken@a', { servers: ['a:4222'], isSecure: false, token: 't@ken' }],
  ])('reads %j', (text, url) => {
    expect(brokerUrl.parse(text)).toEqual(url);
    expect(brokerUrl.parse(brokerUrl.print(brokerUrl.parse(text)))).toEqual(url);
  });

  it('masks credentials', () => {
    expect(maskBroker(brokerUrl.parse('tls://me:s3cret@a'))).toBe('tls://***@a:4222');
    expect(maskBroker(brokerUrl.parse('nats://s3cret@a'))).toBe('nats://***@a:4222');
    expect(maskBroker(brokerUrl.parse('nats://a'))).toBe('nats://a:4222');
  });

  it.each([
    '',
    'a',
    'http://a',
    'nats://',
    'nats://a b',
    'nats://a,',
    'nats://a/path',
    'nats://a:99999',
    1,
    null,
  ])('refuses %j', (value) => {
    expect(refused(brokerUrl, value)).toMatch(/^must look like nats:/);
  });

  it('refuses credentials that are not percent-encoded, and shows nothing of them', () => {
    expect(refused(brokerUrl, 'nats://me:100%@a')).toMatch(/^write a % in the user name or password as %25/);
    expect(brokerUrl.show?.('nats://me:s3cret')).toBe('');
  });
});

it.each([
  [proxy, 'http://me:\ud800@host:1'],
  [brokerUrl, 'nats://me:\ud800@host'],
])('half a character in credentials is printed as U+FFFD', (parser, text) => {
  const print = (value: unknown) => (parser as Parser<unknown>).print(value); // either of the two
  expect(print(parser.parse(text))).toContain('me:%EF%BF%BD@');
});
