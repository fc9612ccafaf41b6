import { expect, test } from 'vitest';
import { excerpt, maskSecrets, printable } from '../../src/model/printable.ts';

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
])('excerpt() shows %s as it is', (text) => {
  expect(excerpt(text)).toBe(text);
});

test('excerpt() hides a secret that is longer than what is shown, and escapes control characters', () => {
  expect(excerpt(`http://me:${'SECRET'.repeat(1000)}@host/`)).toBe('http://***@host/');
  expect(excerpt('a:\u001b[2J')).toBe('a:\\u{1b}[2J');
  expect(excerpt('x'.repeat(300))).toBe(`${'x'.repeat(200)}…`);
});

test('maskSecrets() takes linear time', () => {
  for (const piece of ['//', 'a:', ':@', '@', '//a:', 'token', 'token:', '{"url":"//', '\\/\\/a:b ', 'x-'])
    expect(maskSecrets(piece.repeat(200_000)).length).toBeGreaterThan(0);
});
