import { describe, expect, it } from 'vitest';
import { duration } from '../../../src/config/parse/units.ts';
import { refused } from './refused.ts';

const UNIT = 'it must be a duration with a unit: 500ms, 10s, 2m or 1h';

describe('duration()', () => {
  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['1.5s', 1500],
    ['10S', 10_000],
    ['0', 0],
    ['0ms', 0],
    [250, 250],
    [0.6, 1],
  ])('reads %j as %d ms', (value, ms) => {
    expect(duration().parse(value)).toBe(ms);
  });

  it.each([
    '30',
    '',
    's',
    '10 s',
    '-1s',
    '1d',
    '10sec',
    '1.s',
    '.5s',
    '1m30s',
    '1e3s',
    'none',
    -1,
    Number.NaN,
    null,
    true,
    ['1s'],
  ])('refuses %j', (value) => {
    expect(refused(duration(), value)).toBe(UNIT);
  });

  it('refuses what is longer than a timer can wait', () => {
    expect(refused(duration(), '597h')).toBe('it must be 596h or less');
    expect(refused(duration(), Infinity)).toBe('it must be 596h or less');
    expect(duration().parse('596h')).toBe(596 * 3_600_000);
  });

  it('refuses what is shorter than the least, also after rounding', () => {
    expect(refused(duration({ minMs: 1 }), '0')).toBe('it must be 1ms or more');
    expect(refused(duration({ minMs: 1 }), '0.1ms')).toBe('it must be 1ms or more');
  });

  it.each([
    [0, '0ms'],
    [1500, '1500ms'],
    [30_000, '30s'],
    [90_000, '90s'],
    [60_000, '1m'],
    [7_200_000, '2h'],
  ])('prints %d ms as %s, which it reads back', (ms, text) => {
    expect(duration().print(ms)).toBe(text);
    expect(duration().parse(text)).toBe(ms);
  });
});
