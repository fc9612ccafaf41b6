import { describe, expect, it } from 'vitest';
import { listenAddress } from '../../../src/config/parse/addresses.ts';

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
    expect(() => listenAddress.parse(text)).toThrow(/^it must be a port, for this machine alone/);
  });

  it('refuses a port that there is none of', () => {
    expect(() => listenAddress.parse('127.0.0.1:65536')).toThrow('its port must be from 0 to 65535');
  });
});
