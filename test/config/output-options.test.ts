import { describe, expect, it } from 'vitest';
import { outputOptions } from '../../src/config/output-options.ts';
import { refused } from './parse/refused.ts';

describe('--column', () => {
  const { parser } = outputOptions.column;

  it.each([
    ['url', 'url'],
    [' Landing page ', 'Landing page'],
    ['2nd', '2nd'],
    ['n2', 'n2'],
    ['1.5', '1.5'],
    ['+a', '+a'],
    ['1', 1],
    [' 12 ', 12],
    ['+3', 3],
    [7, 7],
  ])('reads %j as %j', (value, column) => {
    expect(parser.parse(value)).toBe(column);
    expect(parser.parse(parser.print(column))).toBe(column);
  });

  it.each(['', ' ', '0', '-1', '+', '9007199254740993', 0, -1, 1.5, Number.NaN, null, true, ['url'], [1]])(
    'refuses %j',
    (value) => {
      expect(refused(parser, value)).toBe('must be the name of a column, or its number from 1');
    },
  );
});
