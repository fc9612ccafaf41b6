import { describe, expect, it } from 'vitest';
import { parseBypass } from '../../src/http/proxy.ts';

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
  ])('%j holds for %s', (list, hostname, port = 80) => {
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
  ])('%j does not hold for %s', (list, hostname, port = 80) => {
    expect(parseBypass(list)(hostname, port)).toBe(false);
  });
});
