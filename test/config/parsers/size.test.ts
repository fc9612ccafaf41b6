import { describe, expect, it } from 'vitest';
import { size } from '../../../src/config/parse/units.ts';
import { refused } from './refused.ts';

describe('size', () => {
  it.each([
    ['64kb', 65_536],
    ['10mb', 10_485_760],
    ['1gb', 1_073_741_824],
    ['1.5KB', 1536],
    ['2k', 2048],
    ['3M', 3_145_728],
    ['100', 100],
    ['100b', 100],
    [4096, 4096],
  ])('reads %j as %d bytes', (value, bytes) => {
    expect(size.parse(value)).toBe(bytes);
  });

  it.each([
    '',
    'kb',
    '1 kb',
    '-1',
    '1tb',
    '1kbb',
    '1bk',
    '1,5kb',
    '0x10',
    'none',
    -1,
    Number.NaN,
    null,
    true,
    [1],
  ])('refuses %j', (value) => {
    expect(refused(size, value)).toBe('it must be a size in bytes, or one such as 64kb, 10mb or 1gb');
  });

  it('refuses nothing at all, and more than can be counted', () => {
    expect(refused(size, '0')).toBe('it must be 1b or more');
    expect(refused(size, '0.2b')).toBe('it must be 1b or more');
    expect(refused(size, '8388608gb')).toBe('it must be 8388607gb or less');
    expect(size.parse('8388607gb')).toBe(8_388_607 * 1024 ** 3);
  });

  it.each([
    [1, '1b'],
    [1000, '1000b'],
    [1536, '1536b'],
    [65_536, '64kb'],
    [10_485_760, '10mb'],
  ])('prints %d bytes as %s, which it reads back', (bytes, text) => {
    expect(size.print(bytes)).toBe(text);
    expect(size.parse(text)).toBe(bytes);
  });
});
