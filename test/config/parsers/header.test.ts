import { describe, expect, it } from 'vitest';
import { headers } from '../../../src/config/parse/headers.ts';
import { refused } from './refused.ts';

describe('headers', () => {
  it('puts names in lower case and drops white space around values', () => {
    expect(headers.parse('X-Foo: \t a b ')).toEqual([{ name: 'x-foo', value: 'a b' }]);
    expect(headers.parse('x:y:z')).toEqual([{ name: 'x', value: 'y:z' }]);
  });

  it('sends a header without a value as an empty one', () => {
    expect(headers.parse('X-Foo:')).toEqual([{ name: 'x-foo', value: '' }]);
  });

  it('takes lists of lines and objects, and keeps repeated names', () => {
    expect(headers.parse(['A: 1', 'a: 2'])).toEqual([
      { name: 'a', value: '1' },
      { name: 'a', value: '2' },
    ]);
    expect(headers.parse({ A: '1', B: '' })).toEqual([
      { name: 'a', value: '1' },
      { name: 'b', value: '' },
    ]);
    expect(headers.parse([])).toEqual([]);
  });

  it('takes Latin-1 and tabs in values', () => {
    expect(headers.parse('A: caf\u00e9\tb')).toEqual([{ name: 'a', value: 'caf\u00e9\tb' }]);
  });

  it.each(['', 'X-Foo', 1, null, true, [1], ['X'], [['a', 'b']]])(
    'refuses %j, which is no header line',
    (value) => {
      expect(refused(headers, value)).toBe('it must look like "Name: value"');
    },
  );

  it.each([': v', ' A: v', 'A : v', 'A B: v', 'é: v', 'A\n: v', ':authority: v'])(
    'refuses the name in %j',
    (line) => {
      expect(refused(headers, line)).toMatch(/^the name of a header/);
    },
  );

  it.each(['a\r\nb', 'a\nb', 'a\0b', 'a\u007f', '\u001b[31m'])('refuses control characters: %j', (value) => {
    expect(refused(headers, { a: value })).toBe('the value of a header must be without control characters');
  });

  it('refuses what is not Latin-1, or no text', () => {
    expect(refused(headers, 'A: €')).toMatch(/Latin-1/);
    expect(refused(headers, { a: 1 })).toBe('the value of a header must be text');
  });

  it.each(['Transfer-Encoding', 'Connection', 'keep-alive', 'UPGRADE', 'Expect', 'Content-Length'])(
    'refuses %s, which belongs to the connection or the body',
    (name) => {
      expect(refused(headers, `${name}: 1`)).toBe(
        `it must not be ${name.toLowerCase()}, which is set for each connection and body`,
      );
    },
  );

  it('prints lines that it reads back', () => {
    const lines = ['a: 1', 'a: 2', 'b: '];
    expect(headers.print(headers.parse(lines))).toEqual(lines);
    expect(headers.parse(headers.print(headers.parse(lines)))).toEqual(headers.parse(lines));
  });

  it.each([
    ['Authorization: Bearer s3cret\n', '"Authorization: ***"'],
    ['Authorization Bearer s3cret', '"Authorization ***"'],
    ['s3cret', 'the value'],
    ['s3cret \n', 'the value'],
    [{ a: 's3cret\n' }, 'the value'],
    [['Good: s3cret', 'Cookie s3cret'], '"Good: ***", "Cookie ***"'],
    ['\u001b[31m: s3cret', '"\\u{1b}[31m: ***"'],
  ])('shows no value of %j', (value, shown) => {
    expect(headers.show?.(value)).toBe(shown);
  });
});
