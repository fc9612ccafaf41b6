import dns from 'node:dns';
import { describe, expect, it } from 'vitest';
import { nameServers } from '../../../src/config/parse/addresses.ts';
import { refused } from './refused.ts';

describe('nameServers', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1:5353', '127.0.0.1:5353'],
    ['127.0.0.1:53', '127.0.0.1'],
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['[::1]:5353', '[::1]:5353'],
    [' 127.0.0.1 ', '127.0.0.1'],
    ['127.0.0.1:00080', '127.0.0.1:80'],
  ])('reads %s in a form that Node takes as %s', (text, server) => {
    const resolver = new dns.Resolver();
    resolver.setServers(nameServers.parse(text));
    expect(resolver.getServers()).toEqual([server]);
  });

  it.each([
    '',
    'dns.test',
    '127.1',
    '127.0.0.1:',
    '127.0.0.1:x',
    '127.0.0.1:5353:1',
    '[::1',
    '::1]:53',
    '[127.0.0.1]',
  ])('refuses %j, which is no address', (text) => {
    expect(refused(nameServers, text)).toMatch(/^it must be an IPv4 or IPv6 address/);
  });

  it.each(['fe80::1%eth0', '[fe80::1%eth0]:53', null, 53, [53], {}])('refuses %j', (value) => {
    expect(refused(nameServers, value)).toMatch(/^it must be an IPv4 or IPv6 address/);
  });

  it.each(['127.0.0.1:0', '127.0.0.1:65536', '[::1]:0'])('refuses the port in %s', (text) => {
    expect(refused(nameServers, text)).toBe('its port must be from 1 to 65535');
  });

  it('prints what it reads back', () => {
    const servers = ['127.0.0.1:5353', '[::1]', '[::1]:5353'];
    expect(nameServers.print(nameServers.parse(servers))).toEqual(servers);
  });

  it('shows what it refuses, line by line', () => {
    expect(nameServers.show?.(['a', '\u001b[31m', 1])).toBe('"a", "\\u{1b}[31m", a value that is no text');
    expect(nameServers.show?.('a')).toBe('"a"');
  });
});
