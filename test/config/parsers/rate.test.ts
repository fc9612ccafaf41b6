import { describe, expect, it } from 'vitest';
import { rate } from '../../../src/config/parse/numbers.ts';
import { refused } from './refused.ts';

describe('rate', () => {
  it.each([
    ['10', '10/s', 10 / 1000],
    ['10/s', '10/s', 10 / 1000],
    ['30/m', '30/m', 30 / 60_000],
    ['0.5/h', '0.5/h', 0.5 / 3_600_000],
    [20, '20/s', 20 / 1000],
  ])('reads %j as %s', (value, text, perMs) => {
    expect(rate.parse(value)).toEqual({ text, perMs });
    expect(rate.print(rate.parse(value))).toBe(text);
  });

  it.each(['', '0', '0/s', '-1', '10/d', '10/', '/s', '10 /s', '1e3', null, true, -1, Number.NaN, {}])(
    'refuses %j',
    (value) => {
      expect(refused(rate, value)).toContain(
        'it must be a number above 0 of requests a second, minute or hour',
      );
    },
  );
});
