import { describe, expect, it } from 'vitest';
import { MAX_MATCH_LENGTH, TextMatcher, type TextRules } from '../../src/bodies/text-matcher.ts';
import { countTurns } from './count-turns.ts';

interface Search extends Partial<TextRules> {
  readonly contentType?: string;
  /** Bytes of each chunk; one chunk if unset. */
  readonly cut?: number;
}

/** The first rule that a body does not meet. */
async function search(
  body: string | Uint8Array,
  { contentType, cut = Number.POSITIVE_INFINITY, ...rules }: Search,
) {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const matcher = new TextMatcher({ contains: [], notContains: [], matches: [], ...rules }, contentType);
  for (let at = 0; at < bytes.length; at += cut)
    await matcher.write(bytes.subarray(at, Math.min(at + cut, bytes.length)));
  await matcher.end();
  return matcher.fault;
}

const LONG = 'x'.repeat(3 * MAX_MATCH_LENGTH);

describe('TextMatcher', () => {
  it.each([1, 2, 3, 5, 1000])('finds text across chunks of %i bytes', async (cut) => {
    const rules = { contains: ['grüße 👋 welt'], matches: [/w.lt\b/], cut };
    expect(await search('viele grüße 👋 welt!', rules)).toBeUndefined();
    expect(await search('viele grüße, welt!', rules)).toBe('the body does not contain "grüße 👋 welt"');
    expect(await search('ein wort', { notContains: ['ein w'], cut })).toBe('the body contains "ein w"');
    expect(await search('ein wort', { matches: [/^wort/], cut })).toBe('the body does not match "^wort"');
  });

  it('returns the first of several rules that is not met', async () => {
    const rules = { contains: ['a', 'b'], matches: [/c/, /d/], notContains: ['e', 'f'] };
    expect(await search('abcd', rules)).toBeUndefined();
    expect(await search('acd', rules)).toBe('the body does not contain "b"');
    expect(await search('abc', rules)).toBe('the body does not match "d"');
    expect(await search('abcdf', rules)).toBe('the body contains "f"');
  });

  it.each([
    ['iso-8859-1', Buffer.from('grüße', 'latin1')],
    ['UTF-16LE', Buffer.from('grüße', 'utf16le')],
    ['"utf-8"', Buffer.from('\ufeffgrüße')],
  ])('reads the charset %s', async (charset, body) => {
    const contentType = `text/html; Charset=${charset}`;
    expect(
      await search(body, { contains: ['grüße'], matches: [/^gr/], contentType, cut: 1 }),
    ).toBeUndefined();
  });

  it('reads a body with an unknown or no charset as UTF-8', async () => {
    expect(
      await search('grüße', { contains: ['grüße'], contentType: 'text/html; charset=klingon' }),
    ).toBeUndefined();
    expect(await search('grüße', { contains: ['grüße'] })).toBeUndefined();
  });

  it('accepts bytes that are not text', async () => {
    expect(await search(Buffer.from([0xff, 0x00, 0x61, 0xe2, 0x82]), { contains: ['a'] })).toBeUndefined();
  });

  it.each([0, MAX_MATCH_LENGTH - 3, MAX_MATCH_LENGTH, 2 * MAX_MATCH_LENGTH - 3, LONG.length])(
    'finds a text that begins %i units into a long body',
    async (at) => {
      const body = `${LONG.slice(0, at)}needle${LONG.slice(at)}`;
      for (const cut of [4093, 1 << 20]) {
        expect(await search(body, { contains: ['needle'], matches: [/ne+dle/], cut })).toBeUndefined();
        expect(await search(body, { notContains: ['needle'], cut })).toBe('the body contains "needle"');
      }
    },
  );

  it('finds the longest allowed text at any position', async () => {
    const needle = `<${'n'.repeat(MAX_MATCH_LENGTH - 2)}>`;
    for (const at of [0, 1, 1000, MAX_MATCH_LENGTH, MAX_MATCH_LENGTH + 1]) {
      const body = `${LONG.slice(0, at)}${needle}${LONG}`;
      expect(await search(body, { contains: [needle], cut: 5000 })).toBeUndefined();
    }
  });

  it('matches ^ and $ only at the start and end of the body, not of a window', async () => {
    expect(await search(`a${LONG}b`, { matches: [/^ax/, /xb$/], cut: 4096 })).toBeUndefined();
    expect(await search(`a${LONG}b`, { matches: [/^x/], cut: 4096 })).toBe('the body does not match "^x"');
    expect(await search(`a${LONG}b`, { matches: [/x$/], cut: 4096 })).toBe('the body does not match "x$"');
  });

  // V8 takes seconds for each of them, in a body of 'a'.
  it.each([
    ['a character between', `${'a'.repeat(16_000)}b${'a'.repeat(16_000)}`],
    ['a character at the start', `b${'a'.repeat(60_000)}`],
    ['a character at the end', `${'a'.repeat(60_000)}b`],
    ['a period', `${'ab'.repeat(30_000)}c`],
  ])('finds a long text with %s in linear time', async (_, text) => {
    const body = 'a'.repeat(2 * MAX_MATCH_LENGTH);
    const contains = Array.from({ length: 20 }, (_, n) => text + n);
    expect(await search(body, { contains })).toMatch(/^the body does not contain/);
    expect(await search(body + text.slice(0, -1), { contains: [text] })).toMatch(
      /^the body does not contain/,
    );
    expect(await search(`${body}a${text}0`, { contains: [text] })).toBeUndefined();
  });

  /** Random letters, so that each character leads to another set of states: nothing is faster than trying each of them. */
  const letters = Buffer.alloc(40_000);
  for (let at = 0, seed = 1; at < letters.length; at += 1) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    letters[at] = (seed & 65_536) === 0 ? 0x61 : 0x62;
  }
  const RANDOM = `c${letters}`;
  const COSTLY = /a[ab]{500}c/;

  it('gives way to other work while it searches for an expression that takes long', async () => {
    const matcher = new TextMatcher({ contains: [], notContains: [], matches: [COSTLY] }, undefined);
    expect(matcher.write(Buffer.from(RANDOM))).toBeUndefined(); // not a whole window
    const ended = matcher.end();
    expect(ended).toBeInstanceOf(Promise);
    const endTurns = countTurns();
    await ended;
    const turns = endTurns();
    expect(turns).toBeGreaterThan(2);
    expect(matcher.fault).toBe('the body does not match "a[ab]{500}c"');
  });

  it('ends such a search when it is stopped', async () => {
    const matcher = new TextMatcher({ contains: [], notContains: [], matches: [COSTLY] }, undefined);
    matcher.write(Buffer.from(`${RANDOM}a${'b'.repeat(500)}c`));
    const ended = matcher.end();
    matcher.stop();
    await ended;
    expect(matcher.fault, 'the match was not reached').toBeDefined();
  });

  it('finds the longest match of such an expression anywhere', async () => {
    for (const at of [1, 15_999, 16_001, RANDOM.length]) {
      const body = `${RANDOM.slice(0, at)}a${'b'.repeat(500)}c${RANDOM.slice(at)}`;
      expect(await search(body, { matches: [COSTLY], cut: 50_000 }), `at ${at}`).toBeUndefined();
    }
  });

  it('accepts an empty body', async () => {
    expect(await search('', { contains: ['a'] })).toBe('the body does not contain "a"');
    expect(await search('', { notContains: ['a'], matches: [/^$/] })).toBeUndefined();
  });

  it('searches several bodies with one regular expression at a time', async () => {
    const matches = [/needle/g];
    const [first, second] = [0, 1].map(
      () => new TextMatcher({ contains: [], notContains: [], matches }, undefined),
    );
    first?.write(Buffer.from('xxxxneedle'));
    second?.write(Buffer.from('needle'));
    expect([first?.end(), second?.end()]).toEqual([undefined, undefined]);
    expect([first?.fault, second?.fault]).toEqual([undefined, undefined]);
  });
});
