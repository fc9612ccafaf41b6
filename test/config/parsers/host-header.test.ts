import { describe, expect, it } from 'vitest';
import { hostHeaders } from '../../../src/config/parse/headers.ts';
import { refused } from './refused.ts';

function hostOf(host: string): string | undefined {
  return hostHeaders.parse(`${host} A: 1`)[0]?.host;
}

describe('hostHeaders', () => {
  it('reads a host, a name and a value', () => {
    expect(hostHeaders.parse('api.example.com X-Key: a b:c ')).toEqual([
      { host: 'api.example.com', name: 'x-key', value: 'a b:c' },
    ]);
    expect(hostHeaders.parse('  a.test \t A:')).toEqual([{ host: 'a.test', name: 'a', value: '' }]);
  });

  it.each([
    ['EXAMPLE.com', 'example.com'],
    ['example.com:8443', 'example.com:8443'],
    ['example.com:80', 'example.com:80'],
    ['example.com:0443', 'example.com:443'],
    ['bücher.test', 'xn--bcher-kva.test'],
    ['[::1]', '[::1]'],
    ['[0:0:0:0:0:0:0:1]:8080', '[::1]:8080'],
    ['127.1', '127.0.0.1'],
    ['localhost', 'localhost'],
    ['my_host', 'my_host'],
  ])('writes the host %s as URLs do: %s', (given, host) => {
    expect(hostOf(given)).toBe(host);
  });

  it('takes lists of lines, and objects of all that headers may be', () => {
    const expected = [
      { host: 'a.test', name: 'x', value: '1' },
      { host: 'b.test:81', name: 'y', value: '2' },
    ];
    expect(hostHeaders.parse(['a.test X: 1', 'b.test:81 Y: 2'])).toEqual(expected);
    expect(hostHeaders.parse({ 'a.test': { X: '1' }, 'b.test:81': ['Y: 2'] })).toEqual(expected);
    expect(hostHeaders.parse({ 'a.test': 'X: 1', 'b.test:81': 'Y: 2' })).toEqual(expected);
    expect(hostHeaders.parse([])).toEqual([]);
  });

  it.each(['', 'a.test', 'Authorization:s3cret', 1, null, [1], [['a.test', 'A: 1']]])(
    'refuses %j, which is no such line',
    (value) => {
      expect(refused(hostHeaders, value)).toBe('it must look like "HOST Name: value"');
    },
  );

  it.each([
    'https://a.test',
    'a.test/path',
    'me:pw@a.test',
    'me@a.test',
    '*.a.test',
    '*',
    '::1',
    '[::1',
    '[nonsense]',
    'a.test:',
    'a.test:0',
    'a.test:65536',
    'a.test:http',
    'a.test?x',
    'a%2etest',
    '1.2.3.4.5',
    'X-Key:',
  ])('refuses %s for a host', (host) => {
    expect(refused(hostHeaders, `${host} A: 1`)).toBe(
      'HOST must be a host such as example.com, [::1] or example.com:8443',
    );
    expect(refused(hostHeaders, { [host]: 'A: 1' })).toMatch(/^HOST must be/);
  });

  it('refuses what headers refuse', () => {
    expect(refused(hostHeaders, 'a.test no colon')).toBe('it must look like "Name: value"');
    expect(refused(hostHeaders, 'a.test A: x\u0000')).toMatch(/without control characters/);
    expect(refused(hostHeaders, 'a.test Connection: close')).toMatch(/must not be connection/);
    expect(refused(hostHeaders, { 'a.test': 1 })).toBe('it must look like "Name: value"');
  });

  it('prints lines that it reads back', () => {
    const lines = ['a.test a: 1', '[::1]:80 b: '];
    expect(hostHeaders.print(hostHeaders.parse(lines))).toEqual(lines);
  });

  it.each([
    ['a.test X-Key s3cret', '"a.test ***"'],
    ['a.test X-Key: s3cret\n', '"a.test ***"'],
    ['X-Key: s3cret', 'the value'],
    ['s3cret', 'the value'],
    ['s3cret \n', 'the value'],
    ['me:s3cret@a.test X: 1', 'the value'],
    [{ 'a.test': 's3cret' }, 'the value'],
    [['a.test s3cret', 'X-Key: s3:cret'], '"a.test ***", the value'],
  ])('shows no value of %j', (value, shown) => {
    expect(hostHeaders.show?.(value)).toBe(shown);
  });
});
