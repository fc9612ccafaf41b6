import { describe, expect, it } from 'vitest';
import { MAX_MATCH_LENGTH, TextMatcher, type TextRules } from '../../src/bodies/text-matcher.ts';

interface Search extends Partial<TextRules> {
  readonly contentType?: string;
  /** Bytes of each chunk; one chunk if unset. */
  readonly cut?: number;
}

/** The first rule that a body does not meet. */
function search(
  body: string | Uint8Array,
  { contentType, cut = Number.POSITIVE_INFINITY, ...rules }: Search,
) {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const matcher = new TextMatcher({ contains: [], notContains: [], matches: [], ...rules }, contentType);
  for (let at = 0; at < bytes.length; at += cut)
    matcher.write(bytes.subarray(at, Math.min(at + cut, bytes.length)));
  return matcher.end();
}

const LONG = 'x'.repeat(3 * MAX_MATCH_LENGTH);

describe('TextMatcher', () => {
  it.each([1, 2, 3, 5, 1000])('finds text across chunks of %i bytes', (cut) => {
    const rules = { contains: ['grüße 👋 welt'], matches: [/w.lt\b/], cut };
    expect(search('viele grüße 👋 welt!', rules)).toBeUndefined();
    expect(search('viele grüße, welt!', rules)).toBe('the body does not contain "grüße 👋 welt"');
    expect(search('ein wort', { notContains: ['ein w'], cut })).toBe('the body contains "ein w"');
    expect(search('ein wort', { matches: [/^wort/], cut })).toBe('the body does not match "^wort"');
  });

  it('returns the first of several rules that is not met', () => {
    const rules = { contains: ['a', 'b'], matches: [/c/, /d/], notContains: ['e', 'f'] };
    expect(search('abcd', rules)).toBeUndefined();
    expect(search('acd', rules)).toBe('the body does not contain "b"');
    expect(search('abc', rules)).toBe('the body does not match "d"');
    expect(search('abcdf', rules)).toBe('the body contains "f"');
  });

  it.each([
    ['iso-8859-1', Buffer.from('grüße', 'latin1')],
    ['UTF-16LE', Buffer.from('grüße', 'utf16le')],
    ['"utf-8"', Buffer.from('\ufeffgrüße')],
  ])('reads the charset %s', (charset, body) => {
    const contentType = `text/html; Charset=${charset}`;
    expect(search(body, { contains: ['grüße'], matches: [/^gr/], contentType, cut: 1 })).toBeUndefined();
  });

  it('reads a body with an unknown or no charset as UTF-8', () => {
    expect(
      search('grüße', { contains: ['grüße'], contentType: 'text/html; charset=klingon' }),
    ).toBeUndefined();
    expect(search('grüße', { contains: ['grüße'] })).toBeUndefined();
  });

  it('accepts bytes that are not text', () => {
    expect(search(Buffer.from([0xff, 0x00, 0x61, 0xe2, 0x82]), { contains: ['a'] })).toBeUndefined();
  });

  it.each([0, MAX_MATCH_LENGTH - 3, MAX_MATCH_LENGTH, 2 * MAX_MATCH_LENGTH - 3, LONG.length])(
    'finds a text that begins %i units into a long body',
    (at) => {
      const body = `${LONG.slice(0, at)}needle${LONG.slice(at)}`;
      for (const cut of [4093, 1 << 20]) {
        expect(search(body, { contains: ['needle'], matches: [/ne+dle/], cut })).toBeUndefined();
        expect(search(body, { notContains: ['needle'], cut })).toBe('the body contains "needle"');
      }
    },
  );

  it('finds the longest allowed text at any position', () => {
    const needle = `<${'n'.repeat(MAX_MATCH_LENGTH - 2)}>`;
    for (const at of [0, 1, 1000, MAX_MATCH_LENGTH, MAX_MATCH_LENGTH + 1]) {
      const body = `${LONG.slice(0, at)}${needle}${LONG}`;
      expect(search(body, { contains: [needle], cut: 5000 })).toBeUndefined();
    }
  });

  it('matches ^ and $ only at the start and end of the body, not of a window', () => {
    expect(search(`a${LONG}b`, { matches: [/^ax/, /xb$/], cut: 4096 })).toBeUndefined();
    expect(search(`a${LONG}b`, { matches: [/^x/], cut: 4096 })).toBe('the body does not match "^x"');
    expect(search(`a${LONG}b`, { matches: [/x$/], cut: 4096 })).toBe('the body does not match "x$"');
  });

  // V8 takes seconds for each of them, in a body of 'a'.
  it.each([
    ['a character between', `${'a'.repeat(16_000)}b${'a'.repeat(16_000)}`],
    ['a character at the start', `b${'a'.repeat(60_000)}`],
    ['a character at the end', `${'a'.repeat(60_000)}b`],
    ['a period', `${'ab'.repeat(30_000)}c`],
  ])('finds a long text with %s in linear time', (_, text) => {
    const body = 'a'.repeat(2 * MAX_MATCH_LENGTH);
    const contains = Array.from({ length: 20 }, (_, n) => text + n);
    expect(search(body, { contains })).toMatch(/^the body does not contain/);
    expect(search(body + text.slice(0, -1), { contains: [text] })).toMatch(/^the body does not contain/);
    expect(search(`${body}a${text}0`, { contains: [text] })).toBeUndefined();
  });

  it('accepts an empty body', () => {
    expect(search('', { contains: ['a'] })).toBe('the body does not contain "a"');
    expect(search('', { notContains: ['a'], matches: [/^$/] })).toBeUndefined();
  });

  it('searches several bodies with one regular expression at a time', () => {
    const matches = [/needle/g];
    const [first, second] = [0, 1].map(
      () => new TextMatcher({ contains: [], notContains: [], matches }, undefined),
    );
    first?.write(Buffer.from('xxxxneedle'));
    second?.write(Buffer.from('needle'));
    expect([first?.end(), second?.end()]).toEqual([undefined, undefined]);
  });
});
