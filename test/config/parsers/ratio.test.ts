import { describe, expect, it } from 'vitest';
import { ratio } from '../../../src/config/parse/numbers.ts';
import { refused } from './refused.ts';

describe('ratio', () => {
  it.each([
    ['1', 1],
    ['2', 2],
    ['1.5', 1.5],
    ['12.25', 12.25],
    [10, 10],
    [1.1, 1.1],
  ])('reads %j', (given, value) => {
    expect(ratio.parse(given)).toBe(value);
    expect(ratio.parse(ratio.print(value))).toBe(value);
  });

  it.each([
    '0',
    '0.99',
    '-2',
    '',
    'x',
    'x2',
    '2x',
    '1.',
    '.5',
    '1e3',
    '٣',
    0.5,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    ['2'],
  ])('refuses %j', (value) => {
    expect(refused(ratio, value)).toBe('it must be a number, 1 or more, as in 2 or 1.5');
  });
});
