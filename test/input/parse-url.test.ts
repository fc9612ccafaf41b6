import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { parseUrl, redactedExcerpt, redactedUrl } from '../../src/input/parse-url.ts';
import { runs } from '../arbitrary/runs.ts';

describe('parseUrl()', () => {
  it.each([
    ['http://example.com', 'http://example.com/'],
    ['HTTPS://EXAMPLE.com:443/A?b#c', 'https://example.com/A?b#c'],
    ['http://127.0.0.1:80/', 'http://127.0.0.1/'],
    ['http://[::1]:8080/x', 'http://[::1]:8080/x'],
    ['http://[::0]/', 'http://[::]/'],
    ['https://ä.example/ü', 'https://xn--4ca.example/%C3%BC'],
    ['https://example.com/a b', 'https://example.com/a%20b'],
    ['https://a.test/http://b.test/', 'https://a.test/http://b.test/'],
    ['https://a.test/?q=see http', 'https://a.test/?q=see%20http'],
    ['https://example.com/@user?to=a@b', 'https://example.com/@user?to=a@b'],
    ['https://example.com/x:0/', 'https://example.com/x:0/'],
  ])('serializes %s', (text, url) => {
    expect(parseUrl(text)).toEqual({ url });
  });

  it.each([
    ['example.com/x', 'must start with http:// or https:// (or use --default-scheme)'],
    ['localhost:80', 'must start with http:// or https:// (or use --default-scheme)'],
    ['readme', 'must start with http:// or https://'],
    ['//example.com/x', 'must start with http:// or https://'],
    ['mailto:x', 'must start with http:// or https://'],
    ['ftp://example.com/', 'the scheme must be http or https'],
    ['file:///etc/passwd', 'the scheme must be http or https'],
    ['http://', 'the host must be a name or an address'],
    ['https:///', 'the host must be a name or an address'],
    ['http://exa mple.com/', 'the host must be a name or an address'],
    ['http://example.com:65536/', 'the port a number from 1 to 65535'],
    ['http://example.com:x/', 'the port a number from 1 to 65535'],
    ['http://256.256.256.256/', 'the host must be a name or an address'],
    ['http://example.com:0/', 'the port must be a number from 1 to 65535'],
    ['http://example.com:0', 'the port must be a number from 1 to 65535'],
    ['http://[::1]:0?x', 'the port must be a number from 1 to 65535'],
    ['https://example.com/a\tb', 'must not contain a tab (--column reads a column of a table)'],
    ['http://a.test/1 http://a.test/2', 'must be one URL: write each on a line of its own'],
    ['http://a.test/1, HTTPS://a.test/2', 'must be one URL'],
    ['http://a.test/1 <https://a.test/2>', 'must be one URL'],
    ['https://example.com/\rhttps://example.com/', 'must not contain a line break'],
    ['https://example.com/\n', 'must not contain a line break'],
    ['https://example.com/\0https://example.com/', 'must not contain NUL (--null reads'],
    ['https://example.com/\u001b[2J', 'must not contain control characters'],
    ['https://example.com/\ud800', 'must be valid Unicode'],
    ['https://example.com/?\ude00\ud83d#', 'must be valid Unicode'],
    ['https://u:\udc00@example.com/', 'must be valid Unicode'],
  ])('refuses %j', (text, requirement) => {
    expect(parseUrl(text)).toEqual({ invalid: expect.stringContaining(requirement) });
  });

  it('names the value and the requirement in its reason', () => {
    expect(parseUrl('ftp://example.com/x')).toEqual({
      invalid: 'invalid URL "ftp://example.com/x": the scheme must be http or https',
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
  ])('makes an authorization header of %s', (text, credentials) => {
    expect(parseUrl(text)).toEqual({ url: 'http://example.com/x', authorization: basic(credentials) });
  });

  it('sends the bytes of an escape that is not UTF-8', () => {
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
      invalid: expect.stringMatching(/^invalid URL ".*": /),
    });
  });
});

describe('redactedUrl()', () => {
  it('is one word, with any white space escaped', () => {
    expect(redactedUrl(' no url\u00a0here\u3000 ')).toBe('no%20url%C2%A0here');
  });

  it('does not escape a tab or a line break as a URL does, which would be another URL', () => {
    expect(redactedUrl('http://a/b\tc\nd')).toBe('http://a/b\\u{9}c\\u{a}d');
  });

  it('is a dash for empty text', () => {
    expect(redactedUrl('')).toBe('-');
    expect(redactedUrl('  ')).toBe('-');
  });

  it('escapes characters that control a terminal', () => {
    expect(redactedUrl('a\u001b[2J\u0000\u202eb')).toBe('a\\u{1b}[2J\\u{0}\\u{202e}b');
  });

  it.each(['x'.repeat(2001), '\u0000'.repeat(1999), ' a'.repeat(1500), 'x'.repeat(1_000_000)])(
    'is cut to 2000 characters (case %#)',
    (text) => {
      expect(redactedUrl(text).length).toBe(2000);
    },
  );

  it('does not cut 2000 characters', () => {
    expect(redactedUrl('x'.repeat(2000))).toBe('x'.repeat(2000));
  });
});

describe('redactedUrl() and redactedExcerpt()', () => {
  it.each([
    ['http://user:secret@host:bad/', 'http://***@host:bad/'],
    ['http://secret@host:bad/', 'http://***@host:bad/'],
    ['ftp://user:secret@host/', 'ftp://***@host/'],
    ['http://user:sec/ret#@?secret@host/', 'http://***@host/'],
    ['http:\\\\user:secret@host:bad/', 'http:\\\\***@host:bad/'],
    ['http:user:secret@host:bad', '***@host:bad'],
    ['user:secret@host/x', '***@host/x'],
    ['//user:secret@host/x', '//***@host/x'],
    ['ht tp://user:secret@host/', 'ht tp://***@host/'],
    ['http:/user:secret@host:bad', 'http:/***@host:bad'],
    ['https::secret://@host/', '***@host/'],
    ['https::secret:///more@host/', '***@host/'],
    ['- http://user:secret@host/', '- http://***@host/'],
    ['see a/b, "http://user:secret@host/"', 'see a/b, "http://***@host/"'],
    ['{"url": "http://user:secret@host/"', '{"url": "http://***@host/"'],
    ['{"url": "http:\\/\\/user:secret@host\\/"', '{"url": "http:\\/\\/***@host\\/"'],
    ["{'url': 'http://user:secret@host/'}", "{'url': 'http://***@host/'}"],
    ['{"url": "http://host/", "headers": {"authorization": "secret"},}', '{"url": "http://host/", "…'],
    ['{"url": "http://host/", "body": "secret",}', '{"url": "http://host/", "…'],
    ['{"uri": "http://host/", "Cookie": "secret"}', '{"uri": "http://host/", "…'],
    ['{"url":"http://user:secret', '{"url":"http://***'],
    ['{"url":"http:\\/\\/user:secret', '{"url":"http:\\/\\/***'],
    ['{"url":"http://secret', '{"url":"http://***'],
    ['{"url":"http://user:sec\\"ret@host/x"', '{"url":"http://***@host/x"'],
    ['{"url":"user:secret@host', '{"url":"***@host'],
  ])('hide the secret of %s', (text, shown) => {
    expect(redactedExcerpt(text)).toBe(shown);
    expect(redactedUrl(text)).toBe(shown.replaceAll(' ', '%20'));
  });

  it('hide a password that ends far beyond the limit', () => {
    const text = `http://user:${'secret'.repeat(1000)}@host:bad/`;
    expect(redactedUrl(text)).toBe('http://***@host:bad/');
  });

  it.each([
    'mailto:someone@example.com',
    'sip:someone@example.com',
    'example.com/@user',
    'http://host:99999/@user',
    'http://host/?mail=a@b',
    'http://[::1/',
  ])('show %s as it is', (text) => {
    expect(redactedExcerpt(text)).toBe(text);
  });

  it('take linear time for a hostile line', () => {
    for (const piece of ['/', 'a', ':', 'a:', '/a:', '@', '{//', '{"', '{ //']) {
      expect(redactedUrl(piece.repeat(300_000)).length).toBeLessThanOrEqual(2000);
    }
  });
});

describe('redactedExcerpt()', () => {
  it('is cut to 100 characters', () => {
    expect(redactedExcerpt('x'.repeat(101))).toBe(`${'x'.repeat(99)}…`);
  });
});

test('a URL is what the URL parser makes of it, though most do not pass through it', () => {
  const label = fc.oneof(
    fc.constantFrom(
      'a',
      'example',
      'xn--4ca',
      'xn--',
      '0x7f',
      '09',
      '1',
      '127',
      '256',
      'a-b',
      'a--b',
      '-a',
      'a-',
      'a_b',
      'A',
      '',
      '%41',
      '\u00ad',
    ),
    fc.string({ unit: fc.constantFrom(...'abz019-._'), maxLength: 6 }),
  );
  const host = fc.oneof(
    fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
    fc.ipV4(),
    fc.ipV4Extended(),
  );
  const port = fc.oneof(
    fc.constantFrom(
      '',
      ':',
      ':80',
      ':443',
      ':0',
      ':08',
      ':800',
      ':4430',
      ':64999',
      ':65000',
      ':65535',
      ':65536',
      ':99999',
    ),
    fc.nat(70_000).map((number) => `:${number}`),
  );
  const piece = fc.constantFrom(
    '/',
    '.',
    '..',
    '%2e',
    '%2E',
    '%',
    '%41',
    'a',
    'Z',
    '~',
    '!',
    '$',
    '&',
    "'",
    '(',
    ')',
    '*',
    '+',
    ',',
    ';',
    '=',
    ':',
    '@',
    '_',
    '-',
    '"',
    '<',
    '>',
    '`',
    '{',
    '}',
    '|',
    '^',
    '[',
    ']',
    '\\',
    '?',
    '#',
    'ü',
  );
  const rest = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  let same = 0;
  fc.assert(
    fc.property(
      fc.constantFrom('http', 'https'),
      host,
      port,
      fc.constantFrom('', '/', '/'),
      rest,
      (scheme, name, at, slash, end) => {
        const text = `${scheme}://${name}${at}${slash}${end}`;
        const parsed = parseUrl(text);
        if ('invalid' in parsed || 'authorization' in parsed) return;
        const expected = new URL(text);
        expected.username = '';
        expected.password = '';
        expect(parsed.url).toBe(expected.href);
        if (parsed.url === text) same += 1;
      },
    ),
    runs(5_000),
  );
  expect(same).toBeGreaterThan(500);
});
