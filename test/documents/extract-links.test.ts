import { readdirSync, readFileSync } from 'node:fs';
import { marked } from 'marked';
import { describe, expect, it } from 'vitest';
import { type DocumentFormat, formatOf, formatOfType, isProse } from '../../src/documents/document.ts';
import { extractLinks } from '../../src/documents/read-documents.ts';

async function hrefs(text: string, format: DocumentFormat, name = 'a'): Promise<readonly string[]> {
  return (await extractLinks(text, format, name)).links.map(({ href }) => href);
}

describe('extractLinks() of Markdown', () => {
  it.each([
    ['nested brackets', '[a [b] c](x.md)', ['x.md']],
    ['a URL with balanced parentheses', '[a](https://x.example/a_(b)_(c))', ['https://x.example/a_(b)_(c)']],
    ['a URL in angle brackets', '[a](<a b.md> "t")', ['a b.md']],
    ['an empty URL', '[a]()', []],
    ['escapes', String.raw`[a](a\)b.md) \[b](c.md) \![d](e.md)`, ['a)b.md', 'e.md']],
    ['entities', '[a](https://x.example/?a=1&amp;b=2)', ['https://x.example/?a=1&b=2']],
    ['an image in a link', '[![a](i.png)](x.md)', ['i.png', 'x.md']],
    ['links in the text of an image', '![a [b](no.md)](i.png)', ['i.png']],
    ['a link over lines', '[a\nb](\n x.md\n "t")', ['x.md']],
    ['a code span over lines', '`[a](no.md)\n[b](no.md)` [c](x.md)', ['x.md']],
    ['a code span in a link', '[`a`](x.md)', ['x.md']],
    ['a code span that is not closed', '` [a](x.md)', ['x.md']],
    ['fenced code', '~~~\n[a](no.md)\n~~~\n[b](x.md)', ['x.md']],
    ['fenced code in a list', '- ```\n  [a](no.md)\n  ```\n  [b](x.md)', ['x.md']],
    ['fenced code that is not closed', '```\n[a](no.md)', []],
    ['indented code', 'a\n\n    [a](no.md)\n', []],
    ['a definition that nothing refers to', '[a]: x.md', ['x.md']],
    ['a definition in a quote', '> [a]: <x.md> "t"', ['x.md']],
    ['references, which are no links of their own', '[a][b] [b] ![b][]\n\n[b]: x.md', ['x.md']],
    ['a footnote', 'a[^1]\n\n[^1]: Word', []],
    [
      'the links of a footnote',
      'a[^1]\n\n[^1]: [b](x.md)\n[^c]: https://x.example',
      ['x.md', 'https://x.example'],
    ],
    [
      'whole URLs of components',
      '<Card\n title="https"\n href="https://x.example"\n/> <A to="no">',
      ['https://x.example'],
    ],
    ['HTML comments', 'a <!-- [a](no.md) <a href="no"> --> b\n\n<!--\n[c](no.md)\n-->', []],
    ['HTML in a heading', '# <a href="x.html">a</a> [b](y.md)', ['x.html', 'y.md']],
    [
      'the text of an <a>',
      '<a href="x">https://no.example</a> https://yes.example',
      ['x', 'https://yes.example'],
    ],
    ['autolinks', '<https://x.example/a> <a@b.example>', ['https://x.example/a', 'mailto:a@b.example']],
    [
      'a bare URL at the end of a sentence',
      'See https://x.example/a. And https://y.example/b_c_d!',
      ['https://x.example/a', 'https://y.example/b_c_d'],
    ],
    [
      'a bare URL with emphasis',
      '**https://x.example/** _https://y.example/_',
      ['https://x.example/', 'https://y.example/'],
    ],
    ['front matter', '---\nurl: https://x.example\n---\n[a](b.md)', ['https://x.example', 'b.md']],
    ['a rule and a heading, which are no front matter', 'a\n\n---\n[b](c.md)\n---', ['c.md']],
    ['a script', '<script>\nlet a = "[b](no.md)";\n</script>\n\n[c](x.md)', ['x.md']],
    ['deep nesting', `${'> '.repeat(50)}[a](x.md)`, ['x.md']],
    ['an endless bracket', `${'['.repeat(5000)}a](x.md)`, ['x.md']],
    [
      'other schemes',
      '[a](mailto:a@b.example) [b](javascript:alert) ![c](data:image/png;base64,AA)',
      ['mailto:a@b.example', 'javascript:alert', 'data:image/png;base64,AA'],
    ],
    ['an empty text', '', []],
  ])('reads %s', async (_, text, expected) => {
    expect(await hrefs(text, 'markdown')).toEqual(expected);
  });

  it.each([
    ['a quote', '> a\n> [b](x.md)', [[2, 7]]],
    ['a lazy quote', '> a\n[b](x.md)', [[2, 5]]],
    [
      'a list',
      '- a\n\n  - b [c](x.md)\n    [d](y.md)',
      [
        [3, 11],
        [4, 9],
      ],
    ],
    ['a tab', '\t- [a](x.md)', []],
    ['a list with a tab', '-\t[a](x.md)', [[1, 7]]],
    [
      'one cell like another',
      '| a | b |\n|--|--|\n| [x](x.md) | [x](x.md) |',
      [
        [3, 7],
        [3, 19],
      ],
    ],
    [
      'a cell without bars around it',
      'a | b\n--|--\n[x](x.md) | [y](y.md)',
      [
        [3, 5],
        [3, 17],
      ],
    ],
    ['astral characters', '😀 [a](x.md)', [[1, 8]]],
    ['HTML in a quote', '> <div>\n> <a href="x">a</a>\n> </div>', [[2, 12]]],
    [
      'a heading that is underlined',
      '[a](x.md)\n[b](y.md)\n====',
      [
        [1, 5],
        [2, 5],
      ],
    ],
  ])('knows the place of a link in %s', async (_, text, expected) => {
    const { links } = await extractLinks(text, 'markdown', 'a.md');
    expect(links.map(({ line, column }) => [line, column])).toEqual(expected);
  });
});

describe('extractLinks() of HTML', () => {
  it.each([
    ['upper case and no quotes', '<A HREF=x.html>', ['x.html']],
    ['an attribute that is given twice', '<a href=x href=no>', ['x']],
    ['white space in a URL', '<a href=" \n x\ny ">', ['xy']],
    ['an `href` that is no attribute', '<a title="href=no">href="no"</a>', []],
    ['a tag that is not closed', '<a href="x"><a href="no', ['x']],
    ['text, which has no links', '<p>https://no.example</p>', []],
    [
      'scripts, styles and comments',
      '<script>"<a href=no>"</script><style><a href=no></style><!--<a href=no>-->',
      [],
    ],
    ['a textarea and a title', '<title><a href=no></title><textarea><a href=no></textarea>', []],
    ['srcset', '<img srcset=" a.png 1x,b.png 2x , c,d.png 3x">', ['a.png', 'b.png', 'c,d.png']],
    ['srcset without descriptors', '<img srcset="a.png, b.png">', ['a.png', 'b.png']],
    [
      'srcset with a data URL',
      '<img srcset="data:image/png;base64,AA== 1x, b.png 2x">',
      ['data:image/png;base64,AA==', 'b.png'],
    ],
    ['an empty srcset', '<img srcset="">', []],
    ['refresh', '<meta http-equiv=REFRESH content="0;URL=x"><meta http-equiv=refresh content="5">', ['x']],
    ['other metadata', '<meta name=refresh content="0;url=no">', []],
    [
      'media',
      '<video src=v poster=p><source src=s><track src=t></video><audio src=a>',
      ['v', 'p', 's', 't', 'a'],
    ],
    ['frames and objects', '<iframe src=i></iframe><embed src=e><object data=o></object>', ['i', 'e', 'o']],
    ['links', '<link rel=icon href=i><link rel="dns-prefetch" href=//no><link href=l>', ['i', 'l']],
  ])('reads %s', async (_, text, expected) => {
    expect(await hrefs(text, 'html')).toEqual(expected);
  });

  it('takes the first <base>', async () => {
    expect((await extractLinks('<base target=a><base href=/x/><base href=/y/>', 'html', 'a')).base).toBe(
      '/x/',
    );
  });
});

describe('extractLinks() of plain text', () => {
  it.each([
    ['(https://x.example/a)', ['https://x.example/a']],
    ['(see https://x.example/a_(b))', ['https://x.example/a_(b)']],
    ['https://x.example/a,https://y.example/b', ['https://x.example/a,https://y.example/b']],
    ['"https://x.example/a".', ['https://x.example/a']],
    ["'https://x.example/a', 'b'", ['https://x.example/a']],
    ['https://x.example/?a=[1]&b={}', []],
    ['https://x.example/?a=[1,2]', ['https://x.example/?a=[1,2]']],
    ['<https://x.example/a>', ['https://x.example/a']],
    ['https://x.example/a…', ['https://x.example/a']],
    ['https://x.example/%E4%BD%A0', ['https://x.example/%E4%BD%A0']],
    ['https://x.example/a%20b%d8', ['https://x.example/a%20b%d8']],
    ['https://*.example.com/', []],
    ['https://', []],
    ['http://localhost:8080', ['http://localhost:8080']],
    ['ahttp://x.example', []],
    ['git+https://x.example/a.git', ['https://x.example/a.git']],
    ['https://x.example/\\n', ['https://x.example/']],
    ['| https://x.example/a | b |', ['https://x.example/a']],
    ['https://x.example/a。', ['https://x.example/a']],
    ['“https://x.example/a”', ['https://x.example/a']],
  ])('finds in %j: %j', async (text, expected) => {
    expect(await hrefs(text, 'text')).toEqual(expected);
  });
});

describe('extractLinks() of source code', () => {
  it.each([
    ['a.js', "const a = 'http://no.example//x'; // https://x.example/a", ['https://x.example/a']],
    [
      'a.go',
      '/* https://x.example/a\n   https://y.example/b */ s := `// http://no.example`',
      ['https://x.example/a', 'https://y.example/b'],
    ],
    ['a.sh', 'curl "http://no.example/#a" # https://x.example/a', ['https://x.example/a']],
    ['a.py', "'''https://x.example/a''' + 'http://no.example'", ['https://x.example/a']],
    ['a.sql', "select 'http://no.example' -- https://x.example/a", ['https://x.example/a']],
    ['a.rs', "fn a<'a>(b: &'a str) {} // https://x.example/a", ['https://x.example/a']],
    ['a.css', '/* https://x.example/a */ a { b: url(http://no.example) }', ['https://x.example/a']],
  ])('finds the URLs in the comments of %s', async (name, text, expected) => {
    expect(await hrefs(text, formatOf(name, text), name)).toEqual(expected);
  });
});

describe('extractLinks() of data', () => {
  it.each([
    ['{"a": "https:\\/\\/x.example\\/a\\n"}', ['https://x.example/a']],
    [
      '{"a": "\\u0068ttps://x.example"}\n{"b": "https://y.example"}',
      ['https://x.example', 'https://y.example'],
    ],
    ['{"a": "https://x.example', []],
    ['// https://no.example\n["https://x.example"]', ['https://x.example']],
  ])('finds the URLs in the strings of the JSON %j', async (text, expected) => {
    expect(await hrefs(text, 'json')).toEqual(expected);
  });

  it.each([
    [
      '<feed><link href="https://x.example/?a=1&amp;b=2"/><id>https://no.example</id></feed>',
      ['https://x.example/?a=1&b=2'],
    ],
    [
      '<rss><item><link>\nhttps://x.example</link><title>https://no.example</title></item></rss>',
      ['https://x.example'],
    ],
    ['<a:urlset><a:url><a:loc>https://x.example</a:loc></a:url>', ['https://x.example']],
    ['<svg><a xlink:href="x.html"/></svg>', ['x.html']],
    ['<rss><link>https://x.example', []],
  ])('finds the links of the XML %j', async (text, expected) => {
    const links = await hrefs(text, 'xml');
    expect(links.slice(0, expected.length)).toEqual(expected);
    expect(links.every((href) => !href.includes('no.example'))).toBe(true);
  });
});

describe('formatOf()', () => {
  it.each<[string, string, DocumentFormat]>([
    ['a.MD', '<html>', 'markdown'],
    ['a.html.gz', '', 'html'],
    ['a.rst', '', 'rst'],
    ['a.yml', '', 'text'],
    ['a.tsx', '', 'source'],
    ['-', '\n<!DOCTYPE html>', 'html'],
    ['-', '<?xml version="1.0"?>', 'xml'],
    ['-', '{"a": 1}', 'json'],
    ['-', '[a](b.md)', 'markdown'],
    ['README', '# Title', 'markdown'],
    ['-', '[not] json', 'text'],
    ['-', 'https://x.example', 'text'],
    ['a.unknown', '', 'text'],
  ])('of %s with %j is %s', (name, text, expected) => {
    expect(formatOf(name, text)).toBe(expected);
  });
});

describe('formatOfType()', () => {
  it.each([
    ['text/html; charset=utf-8', 'html'],
    ['application/xhtml+xml', 'html'],
    ['application/rss+xml', 'xml'],
    ['application/ld+json', 'json'],
    ['text/markdown', 'markdown'],
    ['text/plain', undefined],
    [undefined, undefined],
  ])('of %s is %s', (type, expected) => {
    expect(formatOfType(type)).toBe(expected);
  });
});

describe('isProse()', () => {
  it.each([
    ['a.md', true],
    ['a.HTML', true],
    ['a.rst', true],
    ['a.txt', true],
    ['a.log', false],
    ['a.json', false],
    ['a.js', false],
    ['README', false],
  ])('of %s is %s', (path, expected) => {
    expect(isProse(path)).toBe(expected);
  });
});

describe('the links that marked finds in the pages of this project', () => {
  const root = new URL('../../', import.meta.url);
  const names = [
    'README.md',
    'CHANGELOG.md',
    ...readdirSync(new URL('docs', root)).map((name) => `docs/${name}`),
  ];

  it.each(names.filter((name) => name.endsWith('.md')))('are found in %s', async (name) => {
    const text = readFileSync(new URL(name, root), 'utf8');
    const found = new Set(await hrefs(text, 'markdown'));
    const wanted: string[] = [];
    marked.walkTokens(marked.lexer(text), (token) => {
      if (token.type === 'link' || token.type === 'image') wanted.push(String(token.href));
    });
    expect(wanted.filter((href) => !found.has(href) && !href.startsWith('mailto:'))).toEqual([]);
  });
});
