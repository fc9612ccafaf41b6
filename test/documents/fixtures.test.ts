import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { formatOf, type Link } from '../../src/documents/document.ts';
import { extractLinks } from '../../src/documents/read-documents.ts';

const DOCUMENTS = fileURLToPath(new URL('../../fixtures/documents/', import.meta.url));

const format = ({ line, column, href, text }: Link) =>
  `${line}:${column} ${href}${text === undefined ? '' : ` | ${text}`}`;

async function extracted(name: string, change = (text: string) => text) {
  const text = change(readFileSync(DOCUMENTS + name, 'utf8'));
  return extractLinks(text, formatOf(name, text), name);
}

const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'README.md': [
    '3:11 https://front.example/home',
    '8:18 https://inline.example/a_(b)?c=1&d=2 | inline link',
    '8:86 guide/start.md#install | local one',
    '10:9 https://lines.example/x | two lines',
    '10:49 https://auto.example/',
    '10:89 https://bare.example/a_b_c',
    '12:13 https://badge.example/b.svg | A badge',
    '12:43 https://ci.example/ | A badge',
    '12:81 images/dot.svg | a picture',
    '14:48 https://escaped.example',
    '17:25 https://quote.example/ | a link',
    '18:33 guide/start.md | another',
    '20:33 https://list.example/ | a third',
    '23:27 https://html.example/',
    '24:34 guide/page.html | this page',
    '26:5 https://indented.example/',
    '35:13 images/dot.svg | Dot',
    '35:37 images/dot.svg',
    '35:56 https://srcset.example/2x.png',
    '41:9 https://cell.example/1 | one',
    '41:41 https://cell.example/2 | two',
    '41:68 https://cell.example/3',
    '45:8 https://ref.example/ | ref',
    '47:4 guide/start.md | collapsed',
    '48:13 https://shortcut.example/ | shortcut',
    '49:7 # | //',
    '50:7 https://note.example/',
  ],
  'guide/start.md': [
    '5:26 ../README.md | first page',
    '5:59 ../images | pictures',
    '5:88 missing.md | nowhere',
    '6:20 #start | the top',
    '6:33 mailto:team@example.com',
  ],
  'guide/page.html': [
    '4:50 start.md',
    '5:34 https://style.example/a.css',
    '7:18 https://script.example/a.js',
    '13:23 https://entity.example/?a=1&b=2 | A bold text',
    '16:25 https://unquoted.example/x | unquoted',
    '17:15 ../images/dot.svg | A dot',
    '17:54 ../images/dot.svg',
    '17:73 https://srcset.example/a,b.png',
    '18:30 https://srcset.example/c.webp',
    '19:7 https://srcset.example/d.webp',
    '20:18 https://frame.example/',
    '21:22 https://area.example/',
    '22:14 https://broken.example/      ?over=lines',
    '24:14 /absolute | https://text.example/ is no link in HTML',
  ],
  'feed.xml': [
    '5:11 https://feed.example/',
    '6:33 https://feed.example/feed.xml',
    '9:22 https://feed.example/1?a=1&b=2',
    '10:17 https://feed.example/1?a=1&c=3',
    '11:23 https://feed.example/1.mp3',
    '14:7 https://feed.example/2',
  ],
  'atom.xml': [
    '4:15 https://atom.example/',
    '6:33 https://atom.example/1?a=1&b=2',
    '7:18 https://atom.example/author',
  ],
  'sitemap.xml': ['4:10 https://map.example/?a=1&b=2', '5:53 https://map.example/de'],
  'guide.rst': [
    '4:10 https://inline.example/a | link',
    '5:8 https://lines.example/b | two lines',
    '5:48 https://bare.example/c',
    '8:11 https://target.example/d',
    '9:20 guide/start.md',
    '10:4 https://anonymous.example/e',
    '11:22 images/dot.svg',
    '12:13 images/dot.svg',
    '13:13 https://figure.example/f',
    '15:23 https://note.example/g',
    '17:15 guide/page.html | more',
    '32:10 https://end.example/h',
  ],
  'notes.txt': [
    '1:19 https://a.example/x',
    "1:41 https://b.example/y?q='z",
    '1:73 https://c.example/z_(1)',
    '2:2 https://d.example/',
    '2:23 https://e.example/it',
    '2:46 https://f.example/a',
    '2:67 HTTPS://G.example',
    '2:86 https://h.example/',
    '4:1 http://[::1]:8080/path',
    '4:24 https://日本語.example/パス',
  ],
  'data.json': [
    '2:13 https://a.example/x',
    '3:19 https://b.example/y',
    '3:49 https://c.example',
    '4:4 https://key.example/',
    '4:29 https://d.example/é',
  ],
  'data.yaml': [
    '1:3 https://comment.example/',
    '2:6 https://a.example/x',
    '3:10 https://b.example/y',
    '4:8 https://c.example/1',
    '4:30 https://c.example/2',
    '6:13 https://d.example/',
  ],
  'code.py': ['1:18 https://doc.example/a', '3:41 https://comment.example/b'],
};

describe.each(Object.entries(EXPECTED))('extractLinks() of fixtures/documents/%s', (name, expected) => {
  it('finds each link at its place', async () => {
    expect((await extracted(name)).links.map(format)).toEqual(expected);
  });

  it.each([
    ['CRLF', (text: string) => text.replaceAll('\n', '\r\n')],
    ['CR', (text: string) => text.replaceAll('\n', '\r')],
    ['a byte-order mark', (text: string) => `\ufeff${text}`],
  ])('finds the same with %s', async (_, change) => {
    expect((await extracted(name, change)).links.map(format)).toEqual(expected);
  });

  it('gives places at which the link begins', async () => {
    const { links } = await extracted(name);
    const lines = readFileSync(DOCUMENTS + name, 'utf8').split('\n');
    for (const { line, column, href } of links) {
      const written = lines[line - 1]?.slice(column - 1) ?? '';
      // The rest of the link may be written with entities or escapes.
      const decoded = written.replaceAll('\\/', '/').replace('\\u0068', 'h');
      expect(href.slice(0, 5)).toBe(decoded.slice(0, Math.min(5, href.length)));
    }
  });

  it.each([0.25, 0.5, 0.75])('reads the first %d of it', async (share) => {
    const { links } = await extracted(name, (text) => text.slice(0, Math.floor(text.length * share)));
    expect(links.length).toBeLessThanOrEqual(expected.length + 1);
  });
});
