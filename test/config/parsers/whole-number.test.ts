import { describe, expect, it } from 'vitest';
import { wholeNumber } from '../../../src/config/parse/numbers.ts';
import { refused } from './refused.ts';

describe('wholeNumber()', () => {
  it('takes digits and JSON numbers', () => {
    expect(wholeNumber({ min: 0 }).parse('007')).toBe(7);
    expect(wholeNumber({ min: 0 }).parse(0)).toBe(0);
    expect(wholeNumber({ min: 1, max: 5 }).parse('5')).toBe(5);
  });

  it.each([
    '',
    ' 1',
    '1.5',
    '-1',
    '+1',
    '1e3',
    '0x10',
    'NaN',
    '٣',
    1.5,
    -1,
    Number.NaN,
    Infinity,
    true,
    null,
    [1],
    {},
  ])('refuses %j', (value) => {
    expect(refused(wholeNumber({ min: 0 }), value)).toBe('it must be a whole number, 0 or more');
  });

  it('says above 0 when 1 is the least', () => {
    expect(refused(wholeNumber({ min: 1 }), '0')).toBe('it must be a whole number above 0');
  });

  it('names the most when it is exceeded', () => {
    expect(refused(wholeNumber({ min: 1, max: 5 }), '6')).toBe('it must be a whole number, 5 or less');
  });

  it('refuses a number that is too large to be exact', () => {
    expect(refused(wholeNumber({ min: 0 }), '9007199254740993')).toMatch(/or less$/);
    expect(refused(wholeNumber({ min: 0 }), '9'.repeat(400))).toMatch(/whole number/);
  });
});
