import { describe, expect, it } from 'vitest';
import { parseUrl } from '../../src/input/parse-url.ts';

describe('parseUrl()', () => {
  it.each([
    ['http://example.com', 'http://example.com/'],
    ['HTTPS://EXAMPLE.com:443/A?b#c', 'https://example.com/A?b#c'],
    ['http://127.0.0.1:80/', 'http://127.0.0.1/'],
    ['http://[::1]:8080/x', 'http://[::1]:8080/x'],
    ['http://[::0]/', 'http://[::]/'],
    ['https://ä.example/ü', 'https://xn--4ca.example/%C3%BC'],
    ['https://example.com/a b', 'https://example.com/a%20b'],
    ['https://example.com/@user?to=a@b', 'https://example.com/@user?to=a@b'],
    ['https://example.com/x:0/', 'https://example.com/x:0/'],
  ])('serialises %s', (text, url) => {
    expect(parseUrl(text)).toEqual({ url });
  });

  it.each([
    ['example.com/x', 'it must start with http:// or https://'],
    ['//example.com/x', 'it must start with http:// or https://'],
    ['mailto:x', 'it must start with http:// or https://'],
    ['ftp://example.com/', 'its scheme must be http or https'],
    ['file:///etc/passwd', 'its scheme must be http or https'],
    ['http://', 'its host must be a name or an address'],
    ['https:///', 'its host must be a name or an address'],
    ['http://exa mple.com/', 'its host must be a name or an address'],
    ['http://example.com:65536/', 'a number from 1 to 65535'],
    ['http://example.com:x/', 'a number from 1 to 65535'],
    ['http://256.256.256.256/', 'its host must be a name or an address'],
    ['http://example.com:0/', 'nothing listens on port 0'],
    ['http://example.com:0', 'nothing listens on port 0'],
    ['http://[::1]:0?x', 'nothing listens on port 0'],
    ['https://example.com/a\tb', 'no tab and no line break'],
    ['https://example.com/\rhttps://example.com/', 'no tab and no line break'],
    ['https://example.com/\n', 'no tab and no line break'],
  ])('refuses %j', (text, wish) => {
    expect(parseUrl(text)).toEqual({ invalid: expect.stringContaining(wish) });
  });

  it('names the value and the wish in its reason', () => {
    expect(parseUrl('ftp://example.com/x')).toEqual({
      invalid: 'Cannot use "ftp://example.com/x" as a URL: its scheme must be http or https',
    });
  });
});

describe('parseUrl() with user info', () => {
  const basic = (credentials: string): string => `Basic ${Buffer.from(credentials).toString('base64')}`;

  it.each([
    ['http://user:pass@example.com/x', 'user:pass'],
    ['http://user@example.com/x', 'user:'],
    ['http://:pass@example.com/x', ':pass'],
    ['http://us%40er:p%3Aa%2Fs@example.com/x', 'us@er:p:a/s'],
    ['http://ü:ß@example.com/x', 'ü:ß'],
    ['http://a%zz:100%@example.com/x', 'a%zz:100%'],
  ])('takes %s apart', (text, credentials) => {
    expect(parseUrl(text)).toEqual({ url: 'http://example.com/x', authorization: basic(credentials) });
  });

  it('sends the bytes of an escape that is no UTF-8', () => {
    const authorization = `Basic ${Buffer.from([0x61, 0x3a, 0xe4]).toString('base64')}`;
    expect(parseUrl('http://a:%E4@h/')).toEqual({ url: 'http://h/', authorization });
  });

  it('makes no header of empty user info', () => {
    expect(parseUrl('http://@example.com/')).toEqual({ url: 'http://example.com/' });
    expect(parseUrl('http://:@example.com/@')).toEqual({ url: 'http://example.com/@' });
  });
});

describe('parseUrl() with a default scheme', () => {
  it.each([
    ['example.com/x', 'https://example.com/x'],
    ['example.com', 'https://example.com/'],
    ['localhost:8080/x', 'https://localhost:8080/x'],
    ['localhost:8080', 'https://localhost:8080/'],
    ['localhost:8080?x', 'https://localhost:8080/?x'],
    ['127.0.0.1:80', 'https://127.0.0.1:80/'],
    ['[::1]:81/x', 'https://[::1]:81/x'],
    ['//example.com/x', 'https://example.com/x'],
    ['example.com/a:b', 'https://example.com/a:b'],
    ['example.com?u=http://x', 'https://example.com/?u=http://x'],
    ['http://example.com/', 'http://example.com/'],
    ['HTTP://example.com/', 'http://example.com/'],
  ])('completes %s', (text, url) => {
    expect(parseUrl(text, 'https')).toEqual({ url });
  });

  it('completes with http as well', () => {
    expect(parseUrl('example.com', 'http')).toEqual({ url: 'http://example.com/' });
  });

  it.each([
    'ftp://x',
    'mailto:x',
    'mailto:a@b.example',
    'javascript:alert(1)',
    '/path',
    '?q',
    '\\path',
    '//',
    'localhost:0',
    'localhost:99999',
  ])('still refuses %s', (text) => {
    expect(parseUrl(text, 'https')).toEqual({
      invalid: expect.stringMatching(/^Cannot use ".*" as a URL: /),
    });
  });
});
