import { expect, test } from 'vitest';
import { printable } from '../../src/model/printable.ts';

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
