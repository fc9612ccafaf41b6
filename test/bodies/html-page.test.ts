import { expect, test } from 'vitest';
import { isHtml, TitleFinder } from '../../src/bodies/html-page.ts';

function titleOf(body: string | Buffer, contentType = 'text/html', size = 7): string | undefined {
  const finder = new TitleFinder(contentType);
  const bytes = Buffer.from(body);
  for (let at = 0; at < bytes.length; at += size) finder.write(bytes.subarray(at, at + size));
  return finder.title;
}

const latin1 = (text: string) => Buffer.from(text, 'latin1');

test.each<[body: string | Buffer, contentType: string, title: string | undefined]>([
  ['<title>One</title><title>Two</title>', 'text/html', 'One'],
  [
    '<TITLE lang=de>\n  Gr\u00fc\u00dfe  \t aus\r\nK\u00f6ln </TITLE>',
    'text/html; charset=utf-8',
    'Gr\u00fc\u00dfe aus K\u00f6ln',
  ],
  [
    '<title>a &amp; b &lt;c&gt; &#x41;&nbsp;&eacute; &bogus;</title>',
    'text/html',
    'a & b <c> A \u00e9 &bogus;',
  ],
  [latin1('<title>K\u00f6ln</title>'), 'text/html; charset=ISO-8859-1', 'K\u00f6ln'],
  [latin1('<meta charset=windows-1252><title>K\u00f6ln \x80</title>'), 'text/html', 'K\u00f6ln \u20ac'],
  [
    Buffer.concat([
      latin1('<meta http-equiv="Content-Type" content="text/html; charset=shift_jis"><title>'),
      Buffer.from([0x93, 0xfa, 0x96, 0x7b]),
      latin1('</title>'),
    ]),
    'text/html',
    '\u65e5\u672c',
  ],
  [latin1('<meta charset=latin1><title>K\u00f6ln</title>'), 'text/html; charset=utf-8', 'K\ufffdln'],
  [Buffer.from('\ufeff<title>K\u00f6ln</title>', 'utf16le'), 'text/html', 'K\u00f6ln'],
  ['\ufeff<meta charset=latin1><title>K\u00f6ln</title>', 'text/html; charset=latin1', 'K\u00f6ln'],
  ['<meta charset=utf-16><title>K\u00f6ln</title>', 'text/html', 'K\u00f6ln'],
  ['<meta charset=nonsense><title>K\u00f6ln</title>', 'text/html; charset=none', 'K\u00f6ln'],
  ['<!-- <title>no</title> --><script>"<title>no</title>"</script><title>yes</title>', 'text/html', 'yes'],
  ['<svg><title>icon</title></svg><title>page</title>', 'text/html', 'page'],
  ['<title>&#27;[31mred&#7;</title>', 'text/html', '\\u{1b}[31mred\\u{7}'],
  ['<title>never closed', 'text/html', 'never closed'],
  ['<title> \n </title>', 'text/html', undefined],
  ['<p>none', 'text/html', undefined],
  ['', 'text/html', undefined],
  [`<style>${' '.repeat(70_000)}</style><title>late</title>`, 'text/html', undefined],
  [`<style>${' '.repeat(60_000)}</style><title>in time</title>`, 'text/html', 'in time'],
])('the title of %j as %s', (body, contentType, title) => {
  for (const size of [1, 7, 100_000]) expect(titleOf(body, contentType, size)).toBe(title);
});

test('a long title is cut', () => {
  const title = titleOf(`<title>${'x'.repeat(5_000)}</title>`) ?? '';
  expect([title.length <= 301, title.startsWith('xxx')]).toEqual([true, true]);
});

test.each([
  ['text/html', true],
  ['Text/HTML; charset=x', true],
  ['application/xhtml+xml', true],
  ['text/htmlx', false],
  ['text/plain', false],
  ['', false],
])('isHtml(%j) is %s', (type, expected) => {
  expect(isHtml(type)).toBe(expected);
});
