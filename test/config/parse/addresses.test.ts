import dns from 'node:dns';
import { describe, expect, it } from 'vitest';
import {
  addressOverrides,
  connectTo,
  listenAddress,
  nameServers,
  toHostname,
} from '../../../src/config/parse/addresses.ts';
import { refused } from './refused.ts';

describe('connectTo', () => {
  it.each([
    ['a.test:80:b.test:81', { host: 'a.test', port: 80, toHost: 'b.test', toPort: 81 }],
    ['::b.test:', { toHost: 'b.test' }],
    [':443::8443', { port: 443, toPort: 8443 }],
    ['a.test:::', { host: 'a.test' }],
    [':::', {}],
    ['[::1]:80:[2001:DB8::0]:81', { host: '::1', port: 80, toHost: '2001:db8::', toPort: 81 }],
    [' BÜCHER.test.:80:B.test.:81\r', { host: 'xn--bcher-kva.test', port: 80, toHost: 'b.test', toPort: 81 }],
    ['a_b.test:80:0x7f.1:81', { host: 'a_b.test', port: 80, toHost: '127.0.0.1', toPort: 81 }],
  ])('reads %j', (line, rule) => {
    expect(connectTo.parse(line)).toEqual([rule]);
    expect(connectTo.parse(connectTo.print([rule]))).toEqual([rule]);
  });

  it('takes a list of lines', () => {
    expect(connectTo.parse(['a:80:b:81', '::c:'])).toHaveLength(2);
    expect(connectTo.parse([])).toEqual([]);
  });

  it.each([
    '',
    'a',
    'a:80',
    'a:80:b',
    'a:80:b:81:',
    'a:x:b:81',
    'a:80:b:-1',
    '*:80:b:81',
    'a b:80:b:81',
    'http://a:80:b:81',
    '::1:80:b:81',
    'a:80:[x]:81',
    'a:80:1.2.3.256:81',
    'u@a:80:b:81',
    null,
    1,
    {},
    ['a:80:b:81', 1],
  ])('refuses %j', (line) => {
    expect(refused(connectTo, line)).toMatch(/^must look like HOST1:PORT1:HOST2:PORT2/);
  });

  it.each(['a:0:b:81', 'a:80:b:65536'])('refuses the port of %j', (line) => {
    expect(refused(connectTo, line)).toBe('port must be from 1 to 65535');
  });
});

describe('addressOverrides', () => {
  it.each([
    ['example.com:443:127.0.0.1', 'example.com', 443, ['127.0.0.1']],
    ['a:80:127.0.0.1,::1', 'a', 80, ['127.0.0.1', '::1']],
    ['a:80:[::1], 127.0.0.1', 'a', 80, ['::1', '127.0.0.1']],
    ['a:80:::1', 'a', 80, ['::1']],
    ['a:80:fe80::1%eth0', 'a', 80, ['fe80::1%eth0']],
    ['*:80:127.0.0.1', '*', 80, ['127.0.0.1']],
    [' a:80:127.0.0.1\r', 'a', 80, ['127.0.0.1']],
    ['192.0.2.1:80:127.0.0.1', '192.0.2.1', 80, ['127.0.0.1']],
    ['[2001:DB8::0]:80:127.0.0.1', '2001:db8::', 80, ['127.0.0.1']],
    ['under_score.test:80:127.0.0.1', 'under_score.test', 80, ['127.0.0.1']],
  ])('reads %s', (line, host, port, addresses) => {
    expect(addressOverrides.parse(line)).toEqual([{ host, port, addresses }]);
  });

  it.each([
    ['EXAMPLE.com.:80:127.0.0.1', 'example.com'],
    ['bücher.test:80:127.0.0.1', 'xn--bcher-kva.test'],
    ['0x7f.1:80:127.0.0.2', '127.0.0.1'],
  ])('gives the host of %s the form it has in a URL', (line, host) => {
    expect(addressOverrides.parse(line)).toMatchObject([{ host }]);
  });

  it('takes a list of lines', () => {
    expect(addressOverrides.parse(['a:80:127.0.0.1', 'b:81:::1'])).toHaveLength(2);
    expect(addressOverrides.parse([])).toEqual([]);
  });

  it.each([
    '',
    'a',
    'a:80',
    'a:80:',
    ':80:::1',
    'a:x:::1',
    'a b:80:::1',
    'a/b:80:::1',
    'u@a:80:::1',
    '[x]:80:::1',
    'a:80:::1\nb',
  ])('refuses %j', (line) => {
    expect(refused(addressOverrides, line)).toMatch(/^must look like HOST:PORT:ADDRESS/);
  });

  it.each([null, 1, {}, ['a:80:127.0.0.1', 1], [['a:80:127.0.0.1']]])(
    'refuses %j, which is not text',
    (value) => {
      expect(refused(addressOverrides, value)).toMatch(/^must look like/);
    },
  );

  it.each(['a:0:::1', 'a:65536:::1', 'a:99999:::1'])('refuses the port in %s', (line) => {
    expect(refused(addressOverrides, line)).toBe('port must be from 1 to 65535');
  });

  it.each([
    'a:80:b',
    'a:80:127.1',
    'a:80:x[::1]',
    'a:80:[127.0.0.1]',
    'a:80:127.0.0.1,',
    'a:80:[::1',
    'a:80:[::1]x',
    'a:80:127.0.0.1:80',
  ])('refuses the addresses in %s', (line) => {
    expect(refused(addressOverrides, line)).toMatch(/^must end in IPv4 or IPv6 addresses/);
  });

  it('prints lines that it reads back', () => {
    const lines = ['example.com:443:127.0.0.1,[::1]', '[::1]:80:[::2]', '*:80:127.0.0.1'];
    expect(addressOverrides.print(addressOverrides.parse(lines))).toEqual(lines);
  });

  it('shows what it refuses, line by line', () => {
    expect(addressOverrides.show?.(['a', '\u001b[31m', 1])).toBe(
      '"a", "\\u{1b}[31m", a value that is not text',
    );
    expect(addressOverrides.show?.('a')).toBe('"a"');
  });
});

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
    'x[::1]:53',
    'x:127.0.0.1',
    '[::1',
    '::1]:53',
    '[127.0.0.1]',
  ])('refuses %j, which is not an address', (text) => {
    expect(refused(nameServers, text)).toMatch(/^must be an IPv4 or IPv6 address/);
  });

  it.each(['fe80::1%eth0', '[fe80::1%eth0]:53', null, 53, [53], {}])('refuses %j', (value) => {
    expect(refused(nameServers, value)).toMatch(/^must be an IPv4 or IPv6 address/);
  });

  it.each(['127.0.0.1:0', '127.0.0.1:65536', '[::1]:0'])('refuses the port in %s', (text) => {
    expect(refused(nameServers, text)).toBe('port must be from 1 to 65535');
  });

  it('prints what it reads back', () => {
    const servers = ['127.0.0.1:5353', '[::1]', '[::1]:5353'];
    expect(nameServers.print(nameServers.parse(servers))).toEqual(servers);
  });

  it('shows what it refuses, line by line', () => {
    expect(nameServers.show?.(['a', '\u001b[31m', 1])).toBe('"a", "\\u{1b}[31m", a value that is not text');
    expect(nameServers.show?.('a')).toBe('"a"');
  });
});

describe('listenAddress', () => {
  it.each<[unknown, string, string]>([
    ['9464', '127.0.0.1', '127.0.0.1:9464'],
    [9464, '127.0.0.1', '127.0.0.1:9464'],
    [':9464', '127.0.0.1', '127.0.0.1:9464'],
    ['localhost:9464', '127.0.0.1', '127.0.0.1:9464'],
    ['0.0.0.0:80', '0.0.0.0', '0.0.0.0:80'],
    ['[::1]:0', '::1', '[::1]:0'],
    ['[fe80::1%eth0]:65535', 'fe80::1%eth0', '[fe80::1%eth0]:65535'],
  ])('reads %j', (text, host, printed) => {
    const address = listenAddress.parse(text);
    expect(address.host).toBe(host);
    expect(listenAddress.print(address)).toBe(printed);
    expect(listenAddress.parse(printed)).toEqual(address);
  });

  it.each([
    '',
    ':',
    '127.0.0.1',
    '127.0.0.1:',
    '::1:9464',
    '[]:1',
    '[127.0.0.1]:1',
    '127.1:1',
    'host.example:9464',
    'http://127.0.0.1:9464',
    ' 9464',
    '-1',
    1.5,
    null,
    true,
  ])('refuses %j', (text) => {
    expect(() => listenAddress.parse(text)).toThrow(/^must be a port \(this machine only\)/);
  });

  it('refuses a port above 65535', () => {
    expect(() => listenAddress.parse('127.0.0.1:65536')).toThrow('port must be from 0 to 65535');
  });
});

// The optimising compiler of V8 comes after some thousand calls; `URL.canParse` of Node 20 then reads other bytes.
const MANY = 20_000;

describe('toHostname()', () => {
  it.each([
    ['Example.COM', 'example.com'],
    ['bücher.de:8080', 'xn--bcher-kva.de'],
    ['[::0:1]', '[::1]'],
    ['127.1', '127.0.0.1'],
  ])('gives the host of %s as a URL has it', (authority, hostname) => {
    expect(toHostname(authority)).toBe(hostname);
  });

  it.each(['', 'a b', 'host:99999', '[::1', '1.2.3.4.5', 'ß\u009b'])('finds no host in %j', (authority) => {
    expect(toHostname(authority)).toBeUndefined();
  });

  it('gives the same for names outside of ASCII however often it is called', () => {
    const said = Array.from({ length: MANY }, () => [toHostname('bücher.de'), toHostname('ß\u009b')].join());
    expect([...new Set(said)]).toEqual(['xn--bcher-kva.de,']);
  });
});
