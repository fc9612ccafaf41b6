import { describe, expect, it } from 'vitest';
import { addressOverrides } from '../../../src/config/parse/addresses.ts';
import { refused } from './refused.ts';

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
  ])('refuses %j', (line) => {
    expect(refused(addressOverrides, line)).toMatch(/^it must look like HOST:PORT:ADDRESS/);
  });

  it.each([null, 1, {}, ['a:80:127.0.0.1', 1], [['a:80:127.0.0.1']]])(
    'refuses %j, which is no text',
    (value) => {
      expect(refused(addressOverrides, value)).toMatch(/^it must look like/);
    },
  );

  it.each(['a:0:::1', 'a:65536:::1', 'a:99999:::1'])('refuses the port in %s', (line) => {
    expect(refused(addressOverrides, line)).toBe('its port must be from 1 to 65535');
  });

  it.each(['a:80:b', 'a:80:127.1', 'a:80:[127.0.0.1]', 'a:80:127.0.0.1,', 'a:80:[::1', 'a:80:127.0.0.1:80'])(
    'refuses the addresses in %s',
    (line) => {
      expect(refused(addressOverrides, line)).toMatch(/^what stands behind its port/);
    },
  );

  it('prints lines that it reads back', () => {
    const lines = ['example.com:443:127.0.0.1,[::1]', '[::1]:80:[::2]', '*:80:127.0.0.1'];
    expect(addressOverrides.print(addressOverrides.parse(lines))).toEqual(lines);
  });

  it('shows what it refuses, line by line', () => {
    expect(addressOverrides.show?.(['a', '\u001b[31m', 1])).toBe(
      '"a", "\\u{1b}[31m", a value that is no text',
    );
    expect(addressOverrides.show?.('a')).toBe('"a"');
  });
});
