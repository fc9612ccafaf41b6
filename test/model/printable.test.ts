import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { describeType, excerpt, maskSecrets, printable } from '../../src/model/printable.ts';

test('printable() leaves ordinary text of any language unchanged', () => {
  expect(printable('Not Found – 見つかりません 👩‍🚀')).toBe('Not Found – 見つかりません 👩‍🚀');
});

test.each([
  ['an escape sequence', '\x1b[31mred', '\\u{1b}[31mred'],
  ['a newline', 'a\r\nb', 'a\\u{d}\\u{a}b'],
  ['NUL and DEL', '\0\x7f', '\\u{0}\\u{7f}'],
  ['a one-character CSI', '\u009b2J', '\\u{9b}2J'],
  ['a line separator', 'a\u2028b', 'a\\u{2028}b'],
  ['marks that change the direction', 'a\u202eb\u2066c\u061cd', 'a\\u{202e}b\\u{2066}c\\u{61c}d'],
  ['a command of the runner of GitHub Actions', 'a###[error]b', 'a#\\u{23}#[error]b'],
  ['a byte-order mark', '\ufeffa', '\\u{feff}a'],
])('printable() escapes %s', (_name, text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('printable() leaves no control character of the whole plane', () => {
  const all = String.fromCharCode(...Array.from({ length: 0x3000 }, (_, code) => code));
  expect(printable(all, all.length)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
});

test('printable() cuts long text and shows that it did', () => {
  expect(printable('abcdef', 3)).toBe('abc…');
  expect(printable('abc', 3)).toBe('abc');
  expect(printable('x'.repeat(5000))).toHaveLength(2001);
});

// What a message may quote: a line or an argument that was meant to be something else, or was cut off anywhere.
test.each([
  ['http//me:SECRET@host/', 'http//***@host/'],
  ['me:SECRET@host/', '***@host/'],
  ['http:me:SECRET@host/', '***@host/'],
  ['http://me:SECRET', 'http://me:***'],
  ['out/http://me:SECRET@host/x', 'out/http://***@host/x'],
  ['a//b//me:SECRET@host', 'a//b//***@host'],
  ['key=http://me:SECRET@host', 'key=http://***@host'],
  ['{"url":"http://me:SECRET', '{"url":"http://***'],
  ['{"url":"http://me:a/SECRET', '{"url":"http://***'],
  ['{"url":"http://me:SECRET"', '{"url":"http://***'],
  ['[{"url":"http://host/","headers":{"x":"SECRET"}}]', '[{"url":"http://host/","…'],
  ['Authorization: Bearer SECRET', 'Authorization: ***'],
  ['x-api-key=SECRET', 'x-api-key=***'],
  ['-H "Cookie: a=SECRET"', '-H "Cookie: ***'],
  ['password: SECRET', 'password: ***'],
  ['http://me:SECRET＠host/', 'http://***＠host/'],
  ['http://me:SECRET%40host/', 'http://***%40host/'],
  ['http://SECRET﹫host/', 'http://***﹫host/'],
  ['{"url":"http://me:SECRET＠host/', '{"url":"http://***＠host/'],
  ['{"url":"http://host/","auth":"me:SECRET"', '{"url":"http://host/","auth":***'],
  ['{"url":"http://host/","user":"me:SECRET', '{"url":"http://host/","user":***'],
  ['{"url":"http://host/", "auth": {"user":"me","pass":"SECRET"', '{"url":"http://host/", "auth": ***'],
  ['{"user":"me","password":"SECRET","url":"http://host/"', '{"user":***'],
  ['{url:"http://host/",login:"SECRET"}', '{url:"http://host/",login:***'],
  ['proxy-auth=me:SECRET', 'proxy-auth=***'],
  ['curl -u me:SECRET http://host/', 'curl -u *** http://host/'],
  ['curl -ume:SECRET http://host/', 'curl -u*** http://host/'],
  ['curl -sSu me:SECRET http://host/', 'curl -sSu *** http://host/'],
  ['curl --user me:SECRET http://host/', 'curl --user *** http://host/'],
  ['curl --user=me:SECRET http://host/', 'curl --user=*** http://host/'],
  ['curl -U "me:a SECRET" -u \'me:SECRET\' http://host/', 'curl -U *** -u *** http://host/'],
  ['curl http://host/ --proxy-user me:a\\ SECRET', 'curl http://host/ --proxy-user ***'],
  ['curl http://host/ -u "me:cut SECRET', 'curl http://host/ -u ***'],
  ['--oauth2-bearer SECRET http://host/', '--oauth2-bearer *** http://host/'],
  ['-u=me:SECRET', '-u=***'],
  ['/no/me:SECRET@host', '/no/***@host'],
  ['/no/me@mail:SECRET/SECRET@host', '/no/***@host'],
  ['{http://me:SECRET@host}', '{http://***@host}'],
])('maskSecrets() and excerpt() hide the secret of %s', (text, shown) => {
  expect(maskSecrets(text)).toBe(shown);
  expect(excerpt(text)).toBe(shown);
});

test.each([
  '/home/me@host/urls.txt',
  'me@example.txt',
  'C:\\lists\\urls.txt',
  'http://host:99999/@user',
  'http://host:8080',
  'http://[::1]:80x',
  'mailto:someone@example.com',
  'tokens.txt',
  'results-2024-01-01T10:20:30.jsonl',
  'host:443:127.0.0.1',
  'http://host/user/auth?user=1',
  'https://host/a:b@c',
  'https://host/?mail=me%40host',
  '/srv/me%40host:80/urls.txt',
  'http://host/ -utf8.txt',
  'https://host/login: not found',
  'menu -u',
])('excerpt() shows %s as it is', (text) => {
  expect(excerpt(text)).toBe(text);
});

test('excerpt() hides a secret that is longer than what is shown, and escapes control characters', () => {
  expect(excerpt(`http://me:${'SECRET'.repeat(1000)}@host/`)).toBe('http://***@host/');
  expect(excerpt('a:\u001b[2J')).toBe('a:\\u{1b}[2J');
  expect(excerpt('x'.repeat(300))).toBe(`${'x'.repeat(200)}…`);
});

test.each([
  ['me:SECRET', 'me:***'],
  ['me:a/SECRET', 'me:***'],
  ['first.last:SECRET', 'first.last:***'],
])(
  'maskSecrets() hides the password of the line %s, and excerpt() shows it, as it may be a file',
  (text, shown) => {
    expect([maskSecrets(text), excerpt(text)]).toEqual([shown, text]);
  },
);

test.each([
  'host:8080',
  'host:8080/path',
  'C:/lists/urls.txt',
  'tel:me',
  '::1',
  '[::1]:80x',
  'ftp://host/a:b',
  'two words: here',
])('maskSecrets() shows the line %s as it is', (text) => {
  expect(maskSecrets(text)).toBe(text);
});

test.each([
  '//',
  'a:',
  ':@',
  '@',
  '//a:',
  'token',
  'token:',
  '{"url":"//',
  '\\/\\/a:b ',
  'x-',
  '/a:b',
  '＠',
  '%40',
  'a:b＠',
  '-u ',
  '-u"',
  ' -uuuuu',
  "-u 'a' ",
  '\\',
  ' user',
  'user:',
  'a-auth ',
])('maskSecrets() takes linear time for many %j', (piece) => {
  expect(maskSecrets(piece.repeat(200_000)).length).toBeGreaterThan(0);
});

test.each<[unknown, string]>([
  [undefined, 'undefined'],
  [null, 'null'],
  [1, 'a number'],
  [[], 'an array'],
  [{}, 'an object'],
  [Object.create(null), 'an object'],
  [runInNewContext('({})'), 'an object'],
  [
    new (class Settings {
      readonly a = 1;
    })(),
    'an object',
  ],
  [new Map([['a', 1]]), 'a Map'],
  [new Headers({ a: 'b' }), 'a Headers'],
  [new URLSearchParams('a=b'), 'a URLSearchParams'],
  [new Date(0), 'a Date'],
  [Object.create({ a: 1 }), 'an object without keys of its own'],
])('describeType() says of %o: %s', (value, type) => {
  expect(describeType(value)).toBe(type);
});
