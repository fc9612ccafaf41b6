import { describe, expect, it } from 'vitest';
import { directoryName } from '../../../src/config/parse/names.ts';
import { inlineSize } from '../../../src/config/parse/units.ts';
import { refused } from './refused.ts';

describe('inlineSize', () => {
  it.each([
    [true, 65_536, '64kb'],
    ['true', 65_536, '64kb'],
    ['1mb', 1_048_576, '1mb'],
    [10, 10, '10b'],
    ['64mb', 67_108_864, '64mb'],
    [false, undefined, 'none'],
    ['false', undefined, 'none'],
    ['none', undefined, 'none'],
  ])('reads %j as %j', (value, bytes, text) => {
    expect(inlineSize.parse(value)).toBe(bytes);
    expect(inlineSize.print(inlineSize.parse(value))).toBe(text);
  });

  it.each([
    ['65mb', 'it must be 64mb or less'],
    ['0', 'it must be 1b or more'],
    ['urls.txt', 'it must be a size in bytes'],
  ])('refuses %j', (value, wish) => {
    expect(refused(inlineSize, value)).toContain(wish);
  });
});

describe('directoryName', () => {
  it('takes any name', () => {
    expect(directoryName.parse('../out dir')).toBe('../out dir');
  });

  it.each(['', 'a\0b', 7, true, null])('refuses %j', (value) => {
    expect(refused(directoryName, value)).toBe('it must be the name of a directory');
  });
});
