import { describe, expect, it } from 'vitest';
import {
  hostSetting,
  hostSettingOf,
  hostTable,
  maskHostTable,
  printDecisive,
} from '../../src/config/host-settings.ts';
import { refused } from './parse/refused.ts';
import { refusal, resolve } from './resolve-given.ts';

const ALL = {
  headers: ['x-key: a', 'accept: text/html'],
  perHost: 2,
  hostRate: '5/s',
  timeout: '1m',
  accept: '200-299,999',
  insecure: true,
  user: 'me:s3cret',
};

describe('hostTable', () => {
  it('reads every setting, and prints it as it reads it', () => {
    const table = hostTable.parse({ '*.Example.com': ALL, '[::1]:8443': { timeout: '2s' } });
    expect([...table.keys()]).toEqual(['*.example.com', '[::1]:8443']);
    expect(table.get('*.example.com')).toMatchObject({ perHost: 2, timeout: 60_000, insecure: true });
    expect(hostTable.print(table)).toEqual({ '*.example.com': ALL, '[::1]:8443': { timeout: '2s' } });
    expect(hostTable.print(hostTable.parse(hostTable.print(table)))).toEqual(hostTable.print(table));
  });

  it('takes headers in each form', () => {
    for (const headers of [{ 'X-Key': 'a' }, ['X-Key: a'], 'X-Key: a']) {
      expect(hostTable.parse({ a: { headers } }).get('a')?.headers).toEqual([{ name: 'x-key', value: 'a' }]);
    }
    expect(hostTable.parse({ a: {}, b: { user: undefined } }).size).toBe(2);
  });

  it.each<[unknown, string]>([
    ['a', 'must be an object of hosts, such as {"*.example.com": {"perHost": 2}}, not a string'],
    [[], 'must be an object of hosts, such as {"*.example.com": {"perHost": 2}}, not an array'],
    [null, 'must be an object of hosts, such as {"*.example.com": {"perHost": 2}}, not null'],
    [new Map(), 'must be an object of hosts, such as {"*.example.com": {"perHost": 2}}, not a Map'],
    [{ a: 2 }, 'must have an object for "a", such as {"perHost": 2}, not a number'],
    [{ a: new Map([['perHost', 2]]) }, 'must have an object for "a", such as {"perHost": 2}, not a Map'],
    [
      { a: { headers: new Headers({ b: 'c' }) } },
      '"headers" of "a" must be an object, a line or a list, not a Headers',
    ],
    [{ '*': {} }, 'must have keys that are hosts, such as example.com, *.example.com or [::1]:8443, not "*"'],
    [{ 'https://a/': {} }, '[::1]:8443, not "https://a/"'],
    [{ '*.127.0.0.1': {} }, '[::1]:8443, not "*.127.0.0.1"'],
    [{ 'a:0': {} }, '[::1]:8443, not "a:0"'],
    [{ 'A.test': {}, 'a.test': {} }, 'must have a.test only once'],
    [{ a: { perhost: 2 } }, 'unknown key "perhost" of "a"; did you mean "perHost"?'],
    [{ a: { rate: '1/s' } }, 'unknown key "rate" of "a"; did you mean "hostRate"?'],
    [
      { a: { zzzzzz: 1 } },
      'unknown key "zzzzzz" of "a"; use headers, perHost, hostRate, timeout, accept, insecure, user',
    ],
    [{ a: { constructor: 1 } }, 'unknown key "constructor" of "a"'],
    [{ a: { perHost: 0 } }, '"perHost" of "a" must be a positive integer'],
    [{ a: { hostRate: 'x' } }, '"hostRate" of "a" must be a positive number of requests'],
    [{ a: { timeout: 5 } }, '"timeout" of "a" must have a unit'],
    [{ a: { accept: 'ok' } }, '"accept" of "a" must be a list of status codes'],
    [{ a: { insecure: 'maybe' } }, '"insecure" of "a" must be true or false'],
    [{ a: { user: 's3cret' } }, '"user" of "a" must look like NAME:PASSWORD'],
    [{ a: { headers: 's3cret' } }, '"headers" of "a" must look like "Name: value"'],
    [{ a: { headers: { Host: 'a', host: 'b' } } }, '"headers" of "a" must have host only once'],
  ])('refuses %j', (value, message) => {
    expect(refused(hostTable, value)).toContain(message);
    expect(refused(hostTable, value)).not.toContain('s3cret');
    expect(hostTable.show?.(value)).toBe('');
  });

  it('masks every value that may be a secret', () => {
    expect(maskHostTable(hostTable.parse({ a: ALL }))).toEqual({
      a: { ...ALL, headers: ['x-key: ***', 'accept: ***'], user: '***:***' },
    });
  });

  it('tells what decides results from what may change between two runs', () => {
    const { headers, accept, insecure, user } = ALL;
    const table = hostTable.parse({ a: ALL, b: { perHost: 1, timeout: '1s' } });
    expect(printDecisive(table)).toEqual({ a: { headers, accept, insecure, user } });
  });
});

describe('hostSetting()', () => {
  const table = hostTable.parse({
    '*.test': { perHost: 1, timeout: '1s', user: 'wide:1' },
    '*.a.test': { perHost: 2, timeout: '2s' },
    'x.a.test': { perHost: 3 },
    'x.a.test:8443': { perHost: 4 },
    'y.test:80': { perHost: 5 },
    'y.test': { perHost: 6 },
  });

  it.each([
    ['http://test/', undefined, undefined],
    ['http://b.test/', 1, 1000],
    ['http://a.test/', 1, 1000],
    ['https://z.y.a.test/', 2, 2000],
    ['https://x.a.test/', 3, 2000],
    ['https://x.a.test:8443/', 4, 2000],
    ['http://y.test/', 5, 1000],
    ['https://y.test/', 6, 1000],
    ['http://xa.test.other/', undefined, undefined],
  ])('of %s are those of the most specific entries: %s and %s', (url, perHost, timeout) => {
    expect([hostSetting(table, url, 'perHost'), hostSetting(table, url, 'timeout')]).toEqual([
      perHost,
      timeout,
    ]);
  });

  it('of a host without a port are those for either default port', () => {
    expect(hostSettingOf(table, 'y.test', 'perHost')).toBe(5);
    expect(hostSettingOf(table, 'y.test:8080', 'perHost')).toBe(6);
    expect(hostSettingOf(hostTable.parse({}), 'y.test', 'perHost')).toBeUndefined();
  });
});

describe('hosts', () => {
  it('are given in a file, with variables of the environment, and are not a flag or a variable', () => {
    const file = { hosts: { 'a.test': { user: 'me:$TOKEN', headers: { 'X-Key': '$$1' } } } };
    const { hosts } = resolve({ file, environment: { TOKEN: 's3cret' } });
    expect(hosts.get('a.test')).toEqual({
      user: 'me:s3cret',
      headers: [{ name: 'x-key', value: '$1' }],
    });
    expect(refusal({ file })).toBe(
      'invalid value for "hosts" in fanout.config.json: needs the environment variable that is named after its $, which is not set (write $$ for a $)',
    );
    expect(refusal({ environment: { FANOUT_HOSTS: '{}' } })).toBe(
      'cannot use the environment variable FANOUT_HOSTS: "hosts" is a key of the configuration file only',
    );
    expect(refusal({ file: { hosts: { a: { perhost: 1 } } } })).toBe(
      'invalid value for "hosts" in fanout.config.json: unknown key "perhost" of "a"; did you mean "perHost"?',
    );
    expect(refusal({ file: { host: {} } })).toContain('did you mean "hosts"?');
  });
});
