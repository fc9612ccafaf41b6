import { describe, expect, it } from 'vitest';
import { credentials, expectedHeaders, headers, hostHeaders } from '../../../src/config/parse/headers.ts';
import { refused } from './refused.ts';

describe('headers', () => {
  it('puts names in lower case and drops white space around values', () => {
    expect(headers.parse('X-Foo: \t a b \t ')).toEqual([{ name: 'x-foo', value: 'a b' }]);
    expect(headers.parse('x:y:z')).toEqual([{ name: 'x', value: 'y:z' }]);
  });

  it('sends a header without a value as an empty one', () => {
    expect(headers.parse('X-Foo:')).toEqual([{ name: 'x-foo', value: '' }]);
  });

  it('takes lists of lines and objects, and keeps repeated names', () => {
    expect(headers.parse(['A: 1', 'a: 2'])).toEqual([
      { name: 'a', value: '1' },
      { name: 'a', value: '2' },
    ]);
    expect(headers.parse({ A: '1', B: '' })).toEqual([
      { name: 'a', value: '1' },
      { name: 'b', value: '' },
    ]);
    expect(headers.parse([])).toEqual([]);
  });

  it('takes Latin-1 and tabs in values', () => {
    expect(headers.parse('A: caf\u00e9\tb')).toEqual([{ name: 'a', value: 'caf\u00e9\tb' }]);
  });

  it.each(['', 'X-Foo', 1, null, true, [1], ['X'], [['a', 'b']]])(
    'refuses %j, which is not a header line',
    (value) => {
      expect(refused(headers, value)).toBe('must look like "Name: value"');
    },
  );

  it('refuses an object whose entries are not its keys', () => {
    const requirement = 'must be an object, a line or a list, not a';
    expect(refused(headers, new Headers({ a: 'b' }))).toBe(`${requirement} Headers`);
    expect(refused(hostHeaders, new Map([['a.test', { a: 'b' }]]))).toBe(`${requirement} Map`);
    expect(refused(hostHeaders, { 'a.test': new Headers({ a: 'b' }) })).toBe(`${requirement} Headers`);
  });

  it.each([': v', ' A: v', 'A : v', 'A B: v', 'é: v', 'A\n: v', ':authority: v'])(
    'refuses the name in %j',
    (line) => {
      expect(refused(headers, line)).toMatch(/^header name must/);
    },
  );

  it.each(['a\r\nb', 'a\nb', 'a\0b', 'a\u007f', '\u001b[31m'])('refuses control characters: %j', (value) => {
    expect(refused(headers, { a: value })).toBe('header value must not contain control characters');
  });

  it('refuses what is not Latin-1, or no text', () => {
    expect(refused(headers, 'A: €')).toMatch(/Latin-1/);
    expect(refused(headers, { a: 1 })).toBe('header value must be text');
  });

  it.each(['Transfer-Encoding', 'Connection', 'keep-alive', 'UPGRADE', 'Expect', 'Content-Length'])(
    'refuses %s, which belongs to the connection or the body',
    (name) => {
      expect(refused(headers, `${name}: 1`)).toBe(
        `must not be ${name.toLowerCase()}, which fanout sets itself`,
      );
    },
  );

  it.each(['Host:', 'Host: a b', 'Host: a/b', 'Host: u:pw@a.test', 'Host: a.test:x'])(
    'refuses %j',
    (line) => {
      expect(refused(headers, line)).toMatch(/^host must be a host/);
    },
  );

  it('prints lines that it reads back', () => {
    const lines = ['a: 1', 'a: 2', 'b: '];
    expect(headers.print(headers.parse(lines))).toEqual(lines);
    expect(headers.parse(headers.print(headers.parse(lines)))).toEqual(headers.parse(lines));
  });

  it.each([
    ['Authorization: Bearer s3cret\n', '"Authorization: ***"'],
    ['Authorization Bearer s3cret', '"Authorization ***"'],
    ['s3cret', ''],
    ['s3cret \n', ''],
    [{ a: 's3cret\n' }, ''],
    [['Good: s3cret', 's3cret', 'Cookie s3cret'], '"Good: ***", "Cookie ***"'],
    [`s3cret${'x'.repeat(64)}: a`, ''],
    ['\u001b[31m: s3cret', '"\\u{1b}[31m: ***"'],
  ])('shows no value of %j', (value, shown) => {
    expect(headers.show?.(value)).toBe(shown);
  });
});

function hostOf(host: string): string | undefined {
  return hostHeaders.parse(`${host} A: 1`)[0]?.host;
}

describe('headers that a request has once', () => {
  const TWICE = [
    'Host',
    'Content-Type',
    'Authorization',
    'User-Agent',
    'Referer',
    'Range',
    'If-Modified-Since',
  ];

  it.each(TWICE)('are refused twice: %s', (name) => {
    const message = `must have ${name.toLowerCase()} only once`;
    const lines = [`${name}: a`, `${name.toUpperCase()}: b`];
    expect(refused(headers, lines)).toBe(message);
    expect(() => headers.parse({ [name]: 'a', [name.toUpperCase()]: 'a' })).toThrow(message);
    expect(() => hostHeaders.parse(lines.map((line) => `a.test ${line}`))).toThrow(`${message} for a.test`);
    expect(() => hostHeaders.parse({ 'a.test': lines })).toThrow(message);
  });

  it('may be given to several hosts', () => {
    expect(hostHeaders.parse(['a.test Host: a', 'b.test Host: b', 'a.test:81 Host: c'])).toHaveLength(3);
  });

  it.each(['Accept', 'Cookie', 'X-Tag', 'Cache-Control', 'Via'])('are not lists such as %s', (name) => {
    expect(headers.parse([`${name}: a`, `${name}: b`])).toHaveLength(2);
  });
});

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
    ['example.com:65535', 'example.com:65535'],
    ['example.com:0443', 'example.com:443'],
    ['bücher.test', 'xn--bcher-kva.test'],
    ['[::1]', '[::1]'],
    ['[0:0:0:0:0:0:0:1]:8080', '[::1]:8080'],
    ['127.1', '127.0.0.1'],
    ['localhost', 'localhost'],
    ['my_host', 'my_host'],
    ['*.EXAMPLE.com', '*.example.com'],
    ['*.3com.example', '*.3com.example'],
    ['*.host1', '*.host1'],
    ['*.example.com:81', '*.example.com:81'],
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
    'refuses %j, which is not such a line',
    (value) => {
      expect(refused(hostHeaders, value)).toBe('must look like "HOST Name: value"');
    },
  );

  it.each([
    'https://a.test',
    'a.test/path',
    'me:pw@a.test',
    'me@a.test',
    '*',
    '*.127.0.0.1',
    '*.[::1]',
    'a.*.test',
    '**.a.test',
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
      'HOST must be a host such as example.com, *.example.com, [::1] or example.com:8443',
    );
    expect(refused(hostHeaders, { [host]: 'A: 1' })).toMatch(/^HOST must be/);
  });

  it('refuses what headers refuse', () => {
    expect(refused(hostHeaders, 'a.test no colon')).toBe('must look like "Name: value"');
    expect(refused(hostHeaders, 'a.test A: x\u0000')).toMatch(/not contain control characters/);
    expect(refused(hostHeaders, 'a.test Connection: close')).toMatch(/must not be connection/);
    expect(refused(hostHeaders, { 'a.test': 1 })).toBe('must look like "Name: value"');
  });

  it('prints lines that it reads back', () => {
    const lines = ['a.test a: 1', '[::1]:80 b: '];
    expect(hostHeaders.print(hostHeaders.parse(lines))).toEqual(lines);
  });

  it.each([
    ['a.test X-Key s3cret', '"a.test ***"'],
    ['a.test X-Key: s3cret\n', '"a.test ***"'],
    ['X-Key: s3cret', ''],
    ['s3cret', ''],
    ['s3cret \n', ''],
    ['me:s3cret@a.test X: 1', ''],
    [{ 'a.test': 's3cret' }, ''],
    [['a.test  s3cret', 'X-Key: s3:cret', '[::1] X: 1'], '"a.test ***", "[::1] ***"'],
  ])('shows no value of %j', (value, shown) => {
    expect(hostHeaders.show?.(value)).toBe(shown);
  });
});

describe('expectedHeaders', () => {
  it.each([
    ['Content-Type: text/html', 'content-type', 'text/html'],
    [' X-Y :\tv ', 'x-y', 'v'],
    ['X-Y:', 'x-y', ''],
    ['X-Y: a: b', 'x-y', 'a: b'],
  ])('reads %j', (line, name, value) => {
    expect(expectedHeaders.parse(line)).toEqual([{ name, value }]);
    expect(expectedHeaders.parse(expectedHeaders.print(expectedHeaders.parse(line)))).toEqual([
      { name, value },
    ]);
  });

  it('takes a list', () => {
    expect(expectedHeaders.parse(['a: 1', 'b:'])).toHaveLength(2);
  });

  it.each(['', ':', ': v', 'a b: v', 'a', 1, null, [1], { a: '1' }])('refuses %j', (value) => {
    expect(refused(expectedHeaders, value)).toBe('must look like "Name: value", or "Name:" for any value');
  });
});

describe('credentials', () => {
  it.each(['me:pw', 'me:', ':pw', ':', 'me:p:w:', 'mé:pässwörd€', ' me : pw '])(
    'takes %j as it is',
    (text) => {
      expect(credentials.parse(text)).toBe(text);
      expect(credentials.print(credentials.parse(text))).toBe(text);
    },
  );

  it.each(['me', '', 1, null, { me: 'pw' }])('refuses %j, which has no password', (value) => {
    expect(refused(credentials, value)).toBe('must look like NAME:PASSWORD (NAME: for an empty password)');
  });

  it.each(['me:pw\n', 'me:p\u0000w', 'm\te:pw', 'me:\u007f'])(
    'refuses the control character in %j',
    (value) => {
      expect(refused(credentials, value)).toBe('must not contain control characters');
    },
  );

  it('shows nothing of a value', () => {
    expect(credentials.show?.('s3cret')).toBe('');
  });
});
