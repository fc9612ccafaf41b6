import { describe, expect, it, test } from 'vitest';
import { AnchorReader, anchorFault, fragmentOf } from '../../src/bodies/html-page.ts';
import { htmlAnchors, type MarkdownFlavor, markdownAnchors } from '../../src/documents/file-anchors.ts';

test.each([
  ['http://a.test/', ''],
  ['http://a.test/#', ''],
  ['http://a.test/#a', 'a'],
  ['http://a.test/?q#a#b', 'a#b'],
  ['http://a.test/#:~:text=some', ''],
  ['http://a.test/#a:~:text=some,more', 'a'],
  ['#a', 'a'],
])('fragmentOf("%s") is "%s"', (url, fragment) => {
  expect(fragmentOf(url)).toBe(fragment);
});

const PAGE = `<!doctype html><base href="/elsewhere"><h1 id=here>x</h1><a name="named">y</a><input name=field>
  <h2 id="Über uns">z</h2><p id="a&amp;b"></p><p id="100%25"></p><i id="user-content-set-up"></i><b id="Case"></b>
  <svg><g id="drawn"/></svg><!-- <p id="commented"> --><script>'<p id="scripted">'</script><p id="same"><p id="same">`;

describe('anchorFault()', () => {
  it.each([
    'here',
    'named',
    '%C3%9Cber%20uns',
    'Über uns',
    'a&b',
    'a%26b',
    '100%25',
    'user-content-set-up',
    'set-up',
    'Set-Up',
    'drawn',
    'same',
    'top',
    'TOP',
    '',
    '/a/route',
    '!inbox',
    'L10',
    'L10-L20',
    'L10C4-L20C5',
  ])('finds #%s', (fragment) => {
    expect(anchorFault(fragment, htmlAnchors(PAGE))).toBeUndefined();
  });

  it.each([
    ['gone', 'no such anchor: "gone"'],
    ['heer', 'no such anchor: "heer" (did you mean "here"?)'],
    ['case', 'no such anchor: "case" (did you mean "Case"?)'],
    ['setup', 'no such anchor: "setup" (did you mean "set-up"?)'],
    ['field', 'no such anchor: "field"'],
    ['commented', 'no such anchor: "commented"'],
    ['scripted', 'no such anchor: "scripted"'],
    ['LA', 'no such anchor: "LA"'],
    ['%E4', 'no such anchor: "%E4"'],
    ['a%00%0Ab', /^no such anchor: "a\S*b"$/],
  ])('misses #%s: %s', (fragment, message) => {
    const fault = anchorFault(fragment, htmlAnchors(PAGE));
    expect(fault).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
  });

  it('says that a page has no anchors at all', () => {
    const message = 'no such anchor: "a", and no other in the page: a script may add them';
    expect(anchorFault('a', htmlAnchors('<div></div>'))).toBe(message);
  });

  it('suggests a long name, among very many', async () => {
    const names = new Set(
      Array.from({ length: 50_000 }, (_, at) => `the-section-with-the-number-${at}-of-all-sections`),
    );
    const message = anchorFault('the-section-with-the-nummber-77-of-all-sections', {
      names,
      isComplete: true,
    });
    expect(message).toMatch('(did you mean "the-section-with-the-number-77-of-all-sections"?)');
  });
});

describe('AnchorReader', () => {
  const read = (bytes: Buffer, length: number, type = 'text/html') => {
    const reader = new AnchorReader(type);
    for (let at = 0; at < bytes.length; at += length) reader.write(bytes.subarray(at, at + length));
    return reader.anchors;
  };

  it.each([1, 2, 3, 7, 10_000])('finds the same in pieces of %i bytes', async (length) => {
    const { names, isComplete } = read(Buffer.from(PAGE), length);
    expect([names, isComplete]).toEqual([htmlAnchors(PAGE).names, true]);
  });

  it.each([
    ['of its Content-Type', 'text/html; charset="ISO-8859-1"', Buffer.from('<p id="\xfcber">', 'latin1')],
    ['of its <meta>', 'text/html', Buffer.from('<meta charset=latin1><p id="\xfcber">', 'latin1')],
    ['that is unknown', 'text/html; charset=nonsense', Buffer.from('<p id="über">')],
    ['of its byte-order mark', 'text/html', Buffer.from('\ufeff<p id="über">', 'utf16le')],
    ['of the byte-order mark of UTF-8', 'text/html', Buffer.from('\ufeff<p id="über">')],
  ])('decodes a page by the charset %s', async (_, type, bytes) => {
    expect([...read(bytes, 1000, type).names]).toEqual(['über']);
  });

  it('keeps a limited number of names, and says so', async () => {
    const reader = new AnchorReader('text/html');
    const name = 'n'.repeat(65_536);
    for (let at = 0; at < 100; at += 1) reader.write(Buffer.from(`<p id="${at}${name}">`));
    expect([reader.anchors.isComplete, reader.anchors.names.size]).toEqual([false, 64]);
  });
});

describe('markdownAnchors()', () => {
  const names = async (text: string, flavor: MarkdownFlavor = 'github') => [
    ...(await markdownAnchors(text, flavor)).names,
  ];

  it.each([
    ['# Hello, World!', ['hello-world']],
    ['# A & B', ['a--b']],
    ['# A\n\n# A\n\n# A', ['a', 'a-1', 'a-2']],
    ['Title\n=====\n\nSub\n---', ['title', 'sub']],
    ['# `--flag <value>` of [a *link*](b.md)', ['--flag-value-of-a-link']],
    ['# Über 日本語 snake_case', ['über-日本語-snake_case']],
    ['# :rocket: Start', ['rocket-start']],
    ['# 🚀 Start', ['-start']],
    ['# ![logo](a.png) Name', ['name']],
    ['# a &amp; b \\* c', ['a--b--c']],
    ['# Given {#own-name}', ['own-name', 'given']],
    ['# Given {: #own .class }', ['own', 'given']],
    ['# Given {/* #own */}', ['own', 'given']],
    ['# Given <!-- #own -->', ['own', 'given']],
    ['text\n{: #paragraph }', ['paragraph']],
    ['<a name="old"></a> <span id="inline">x</span>', ['old', 'inline']],
    ['<div id="block">\n\n## In\n\n</div>', ['block', 'in']],
    ['<h2 align="center">Raw <b>HTML</b></h2>', ['raw-html']],
    ['```\n# not a heading\n```\n\n    # nor this', []],
    ['---\ntitle: no\n---\n# Yes', ['yes']],
    ['> # Quoted\n\n- # Listed', ['quoted', 'listed']],
  ])('of %j', async (text, expected) => {
    expect(await names(text)).toEqual(expected);
  });

  it.each<[MarkdownFlavor, string, string]>([
    ['mkdocs', '# A & B', 'a-b'],
    ['mkdocs', '# Über uns', 'uber-uns'],
    ['mkdocs', '# Über & Co', 'über-co'],
    ['mkdocs', '# A\n\n# A', 'a_1'],
    ['vitepress', '# A & B', 'a-b'],
    ['vitepress', '# `foo.bar()`', 'foo-bar'],
    ['vitepress', '# 2.0 Über', '_2-0-uber'],
  ])('of %s make %j "%s", besides the name of GitHub', async (flavor, text, name) => {
    expect(await names(text, flavor)).toContain(name);
    expect(await names(text, 'github')).not.toContain(name);
    expect(await names(text, flavor)).toEqual(expect.arrayContaining(await names(text)));
  });

  it('are found in any letter case', async () => {
    const anchors = await markdownAnchors('# Hello World', 'github');
    expect(anchorFault('Hello-World', anchors)).toBeUndefined();
    expect(anchorFault('Hello-Wrld', anchors)).toBe(
      'no such anchor: "Hello-Wrld" (did you mean "hello-world"?)',
    );
  });
});
