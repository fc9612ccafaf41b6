import { describe, expect, it } from 'vitest';
import { excerpt, shownUrl } from '../../src/input/parse-url.ts';

describe('shownUrl()', () => {
  it('is one word, whatever white space was in it', () => {
    expect(shownUrl(' no url\there\u00a0or there ')).toBe('no%20url%20here%20or%20there');
  });

  it('is a dash when nothing was read', () => {
    expect(shownUrl('')).toBe('-');
    expect(shownUrl('  ')).toBe('-');
  });

  it('escapes what could harm a terminal', () => {
    expect(shownUrl('a\u001b[2J\u0000\u202eb')).toBe('a\\u{1b}[2J\\u{0}\\u{202e}b');
  });

  it.each(['x'.repeat(2001), '\u0000'.repeat(1999), ' a'.repeat(1500), 'x'.repeat(1_000_000)])(
    'is cut to 2000 characters (case %#)',
    (text) => {
      expect(shownUrl(text).length).toBe(2000);
    },
  );

  it('shows 2000 characters whole', () => {
    expect(shownUrl('x'.repeat(2000))).toBe('x'.repeat(2000));
  });
});

describe('shownUrl() and excerpt()', () => {
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
    ['- http://user:secret@host/', '- http://***@host/'],
    ['see a/b, "http://user:secret@host/"', 'see a/b, "http://***@host/"'],
    ['{"url": "http://user:secret@host/"', '{"url": "http://***@host/"'],
    ['{"url": "http:\\/\\/user:secret@host\\/"', '{"url": "http:\\/\\/***@host\\/"'],
    ["{'url': 'http://user:secret@host/'}", "{'url': 'http://***@host/'}"],
    ['{"url": "http://host/", "headers": {"authorization": "secret"},}', '{"url": "http://host/", "…'],
    ['{"url": "http://host/", "body": "secret",}', '{"url": "http://host/", "…'],
    ['{"uri": "http://host/", "Cookie": "secret"}', '{"uri": "http://host/", "…'],
  ])('hide the secret of %s', (text, shown) => {
    expect(excerpt(text)).toBe(shown);
    expect(shownUrl(text)).toBe(shown.replaceAll(' ', '%20'));
  });

  it('hide a password whose end is far beyond what is shown', () => {
    const text = `http://user:${'secret'.repeat(1000)}@host:bad/`;
    expect(shownUrl(text)).toBe('http://***@host:bad/');
  });

  it.each(['example.com/@user', 'http://host:99999/@user', 'http://host/?mail=a@b', 'http://[::1/'])(
    'show %s as it is',
    (text) => {
      expect(excerpt(text)).toBe(text);
    },
  );

  it('take time in proportion to the length of a line made to slow them down', () => {
    for (const piece of ['/', 'a', ':', 'a:', '/a:', '@', '{//', '{"', '{ //']) {
      expect(shownUrl(piece.repeat(300_000)).length).toBeLessThanOrEqual(2000);
    }
  });
});

describe('excerpt()', () => {
  it('is cut to 100 characters', () => {
    expect(excerpt('x'.repeat(101))).toBe(`${'x'.repeat(99)}…`);
  });
});
