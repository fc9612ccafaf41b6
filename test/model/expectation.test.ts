import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expressionFault, hasMatch } from '../../src/model/expectation.ts';
import { runs } from '../arbitrary/runs.ts';

const WHOLE = { isStart: true, isEnd: true };

/** Expressions that JavaScript and RE2 write in different ways, or read in different ways. */
const EXPRESSIONS = [
  ...['a.b', 'a\\sb', 'a\\Sb', '[\\s]b', '[\\S]b', '[^\\s]b', '[^\\S]b', '[\\s\\S]b', '[^]b', '[]b'],
  ...['[[]b', '[a[]b', '[a[^]b', '[\\]]b', '[\\b]b', '\\bb', '\\Bb', '\\u0061b', '\\cIb', '[\\cI]b'],
  ...['\\/b', '\\-b', '\\_b', '\\ b', '\\eb', '\\Qb', '\\Eb', '\\Ab', '\\zb', '\\ab', '\\kb', '\\vb', '\\0b'],
  ...[
    'x{,5}b',
    'x{2,}b',
    '{b',
    '}b',
    ']b',
    'a{b',
    '(?<n>a)b',
    '[\\w-.]b',
    '[+--]b',
    '\\xb',
    '\\x41b',
    '\\ub',
  ],
  ...['$', '^', '^$', 'a$', '\\$b', '[$]b', 'a*?b', '(?:)', '[^a]b', '[\\d-z]b', '[[:alpha:]]b', '[a&&b]b'],
];

const TEXTS = [
  ...['ab', 'a b', 'a\nb', 'a\rb', 'a\u2028b', 'a\u00a0b', 'a\u3000b', '\tb', '\bb', '[b', ']b', '^b', '-b'],
  ...['xxb', '{b', '}b', 'a{b', 'b', '', 'c', 'a', '$b', '\\b', '.b', '+b', ',b', '/b', '_b', '\vb', '\0b'],
  ...[
    'Ab',
    'ub',
    'xb',
    'eb',
    'Qb',
    'Eb',
    'zb',
    'kb',
    ':]b',
    '[:alpha:]]b',
    '&b',
    '\ufeffb',
    'éb',
    '8b',
    'aab',
  ],
];

describe('hasMatch()', () => {
  test.each(EXPRESSIONS)('reads %j as JavaScript does', (source) => {
    const expression = new RegExp(source);
    expect(expressionFault([expression])).toBeUndefined();
    const found = (matches: (text: string) => boolean) => TEXTS.filter(matches);
    expect(found((text) => hasMatch(expression, text, WHOLE))).toEqual(
      found((text) => expression.test(text)),
    );
  });

  test.each([/A.B/i, /^b$/m, /a.b/s, /^B$/im])('keeps the flags of %s', (expression) => {
    // To RE2, only a line feed ends a line.
    const texts = TEXTS.filter((text) => !expression.multiline || !/[\r\u2028]/.test(text));
    expect(texts.filter((text) => hasMatch(expression, text, WHOLE))).toEqual(
      texts.filter((text) => expression.test(text)),
    );
  });

  test('finds what JavaScript finds, for any expression of these parts', () => {
    const part = fc.constantFrom(
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '\\s',
      '\\b',
      '^',
      '$',
      '|',
      'a*',
      'b+?',
      '(?:ab)?',
      'a{2,3}',
    );
    const text = fc.array(fc.constantFrom('a', 'b', ' ', '\n')).map((units) => units.join(''));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1 }), text, (parts, body) => {
        const expression = new RegExp(parts.join(''));
        expect(hasMatch(expression, body, WHOLE)).toBe(expression.test(body));
      }),
      runs(1000),
    );
  });

  test.each([
    ['^', 'ab', { isStart: false, isEnd: true }, false],
    ['^a', 'aab', { isStart: false, isEnd: true }, false],
    ['\\Ba', 'aab', { isStart: false, isEnd: true }, true],
    ['a', 'ab', { isStart: false, isEnd: true }, false],
    ['b$', 'ab', { isStart: true, isEnd: false }, false],
    ['b$', 'ab', { isStart: true, isEnd: true }, true],
    ['a\\b', 'aa', { isStart: true, isEnd: false }, false],
    ['b', 'abc', { isStart: false, isEnd: false }, true],
  ])(
    'needs a character beside a match at an end of a part: %s in %s with %j is %s',
    (source, text, ends, found) => {
      expect(hasMatch(new RegExp(source), text, ends)).toBe(found);
    },
  );

  test.each([
    '(a+)+$',
    '^(?:a{1,20})+$',
    '(?:a|aa)+$',
    '(?:a?){200}a{200}$',
    'a{1,900}b$',
    '(x+x+)+y$',
    '^(?:.*a)*$',
  ])('takes linear time for %s', (source) => {
    expect(expressionFault([new RegExp(source)])).toBeUndefined();
    expect(hasMatch(new RegExp(source), `${'a'.repeat(200_000)}!`, WHOLE)).toBe(false);
  });
});

describe('expressionFault()', () => {
  test.each(['(?=a)', '(?!a)', '(?<=a)', '(?<!a)', '(a)\\1', '(?<n>a)\\k<n>', 'a{1001}', '(?:a{100}){100}'])(
    'refuses %s',
    (source) => {
      expect(expressionFault([new RegExp(source)])).toContain('must have no look-around');
    },
  );

  test('refuses expressions that are too large together', () => {
    const large = /[ab]{900}/;
    expect(expressionFault(Array(2).fill(large))).toBeUndefined();
    expect(expressionFault(Array(5).fill(large))).toMatch(/^must be simpler: it has \d+ steps/);
  });
});
