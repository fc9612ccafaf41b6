import { describe, expect, it } from 'vitest';
import { boolean, orNone } from '../../../src/config/parse/numbers.ts';
import { fileName, method, oneOf, secretText, text } from '../../../src/config/parse/texts.ts';
import { duration, size } from '../../../src/config/parse/units.ts';
import { refused } from './refused.ts';

describe('boolean', () => {
  it('takes JSON booleans and the words for the environment, in any case', () => {
    expect([true, 'true', '1', 'yes', 'YES'].map((value) => boolean.parse(value))).toEqual(
      Array(5).fill(true),
    );
    expect([false, 'false', '0', 'no', 'No'].map((value) => boolean.parse(value))).toEqual(
      Array(5).fill(false),
    );
  });

  it.each(['', 'on', 'y', '2', 1, 0, null, [], {}])('refuses %j', (value) => {
    expect(refused(boolean, value)).toBe('it must be true or false');
  });
});

describe('oneOf()', () => {
  it.each(['csv ', 'CSV', '', 'toString', null, ['csv']])('refuses %j and names what it takes', (value) => {
    expect(oneOf(['text', 'csv']).parse('csv')).toBe('csv');
    expect(refused(oneOf(['text', 'csv']), value)).toBe('it must be one of text, csv');
  });
});

describe('orNone()', () => {
  it('takes the word none beside what the parser takes', () => {
    const limit = orNone(size, Number.POSITIVE_INFINITY);
    expect([limit.parse('none'), limit.parse(Infinity), limit.parse('1kb')]).toEqual([
      Infinity,
      Infinity,
      1024,
    ]);
    expect([limit.print(Infinity), limit.print(1024)]).toEqual(['none', '1kb']);
    expect(orNone(duration(), undefined).parse('none')).toBeUndefined();
  });

  it('refuses what the parser refuses', () => {
    expect(refused(orNone(size, Number.POSITIVE_INFINITY), 'nothing')).toMatch(/size/);
  });
});

describe('method', () => {
  it('puts standard methods in upper case and leaves others as they are', () => {
    expect([method.parse('get'), method.parse('Patch'), method.parse('purge')]).toEqual([
      'GET',
      'PATCH',
      'purge',
    ]);
  });

  it.each(['', 'GE T', 'GET\r\n', 'GET/', 1, null])('refuses %j', (value) => {
    expect(refused(method, value)).toBe('it must be a request method such as GET, HEAD or POST');
  });

  it('refuses CONNECT in any case', () => {
    expect(refused(method, 'connect')).toMatch(/^it must not be CONNECT/);
  });
});

describe('text, secretText and fileName', () => {
  it('take text, and a file name must have some', () => {
    expect([text.parse(''), secretText.parse(''), fileName.parse('a b')]).toEqual(['', '', 'a b']);
    expect(refused(fileName, '')).toBe('it must be the name of a file');
    expect(refused(fileName, 'a\0b')).toBe('it must be the name of a file');
  });

  it.each([1, null, true, ['a'], {}])('refuse %j', (value) => {
    expect(refused(text, value)).toBe('it must be text');
    expect(refused(fileName, value)).toBe('it must be the name of a file');
  });

  it('secretText shows nothing of a value', () => {
    expect(secretText.show?.({ a: 's3cret' })).toBe('the value');
  });
});
