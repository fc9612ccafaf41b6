import { describe, expect, it } from 'vitest';
import {
  duration,
  failureLimit,
  inlineSize,
  orNone,
  rate,
  ratio,
  resultAges,
  size,
  verbosity,
  wholeNumber,
} from '../../../src/config/parse/numbers.ts';
import { refused } from './refused.ts';

describe('wholeNumber()', () => {
  it('takes digits and JSON numbers', () => {
    expect(wholeNumber({ min: 0 }).parse('007')).toBe(7);
    expect(wholeNumber({ min: 0 }).parse(0)).toBe(0);
    expect(wholeNumber({ min: 1, max: 5 }).parse('5')).toBe(5);
    expect(wholeNumber({ min: 1, max: 5 }).print(5)).toBe(5);
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
    expect(refused(wholeNumber({ min: 0 }), value)).toBe('must be an integer, 0 or more');
  });

  it('says above 0 when 1 is the least', () => {
    expect(refused(wholeNumber({ min: 1 }), '0')).toBe('must be a positive integer');
  });

  it('names the most when it is exceeded', () => {
    expect(refused(wholeNumber({ min: 1, max: 5 }), '6')).toBe('must be an integer, 5 or less');
  });

  it('refuses a number that is too large to be exact', () => {
    expect(refused(wholeNumber({ min: 0 }), '9007199254740993')).toMatch(/or less$/);
    expect(refused(wholeNumber({ min: 0 }), '9'.repeat(400))).toMatch(/integer/);
  });
});

describe('failureLimit', () => {
  it.each([
    [true, 1],
    ['true', 1],
    [false, undefined],
    ['false', undefined],
    ['3', 3],
    [3, 3],
  ])('reads %j as %j', (value, limit) => {
    expect(failureLimit.parse(value)).toBe(limit);
    expect(failureLimit.print(limit)).toBe(limit);
  });

  it.each([0, '0', '', 'yes', null])('refuses %j', (value) => {
    expect(refused(failureLimit, value)).toBe('must be a positive integer');
  });
});

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
    expect(refused(ratio, value)).toBe('must be a number, 1 or more, as in 2 or 1.5');
  });
});

describe('rate', () => {
  it.each([
    ['10', '10/s', 10 / 1000],
    ['10/s', '10/s', 10 / 1000],
    ['30/m', '30/m', 30 / 60_000],
    ['0.25/h', '0.25/h', 0.25 / 3_600_000],
    [20, '20/s', 20 / 1000],
  ])('reads %j as %s', (value, text, perMs) => {
    expect(rate.parse(value)).toEqual({ text, perMs });
    expect(rate.print(rate.parse(value))).toBe(text);
  });

  it.each(['', '0', '0/s', '-1', '10/d', '10/', '/s', '10 /s', '1e3', null, true, -1, Number.NaN, {}])(
    'refuses %j',
    (value) => {
      expect(refused(rate, value)).toContain(
        'must be a positive number of requests per second, minute or hour',
      );
    },
  );
});

const DURATION_REQUIREMENT = 'must be a duration with a unit: 500ms, 10s, 2m or 1h';

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
    ['0.6ms', 1],
    [0, 0],
  ])('reads %j as %d ms', (value, ms) => {
    expect(duration().parse(value)).toBe(ms);
  });

  it.each(['30', '5000', '0.25', 30, 5000, 0.5])(
    'refuses %j, which has no unit, and says what to write',
    (value) => {
      expect(refused(duration(), value)).toBe(`must have a unit: "${value}s" for seconds, or "${value}ms"`);
    },
  );

  it.each([
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
    '1e3',
    '+5',
    ' 5',
    '5\n',
    '0x',
    '9'.repeat(16),
    'none',
    -1,
    Number.NaN,
    null,
    true,
    ['1s'],
  ])('refuses %j', (value) => {
    expect(refused(duration(), value)).toBe(DURATION_REQUIREMENT);
  });

  it('refuses what is longer than a timer can wait', () => {
    expect(refused(duration(), '597h')).toBe('must be 596h or less');
    expect(refused(duration(), Infinity)).toMatch(/^must/);
    expect(refused(duration(), '2147483648ms')).toBe('must be 596h or less');
    expect(duration().parse('2147483647ms')).toBe(2_147_483_647);
  });

  it('refuses what is shorter than the least, also after rounding', () => {
    expect(refused(duration({ minMs: 1 }), '0')).toBe('must be 1ms or more');
    expect(refused(duration({ minMs: 1 }), '0.1ms')).toBe('must be 1ms or more');
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

describe('size', () => {
  it.each([
    ['64kb', 65_536],
    ['10mb', 10_485_760],
    ['1gb', 1_073_741_824],
    ['1.25KB', 1280],
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
    expect(refused(size, value)).toBe('must be a size such as 64kb, 10mb or 1gb, or a number of bytes');
  });

  it('reads 0, and refuses more than can be counted', () => {
    expect(size.parse('0')).toBe(0);
    expect(refused(size, '8388608gb')).toBe('must be 8388607gb or less');
    expect(size.parse('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
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
    ['65mb', 'must be 64mb or less'],
    ['0', 'must be 1b or more'],
    ['urls.txt', 'must be a size such as 64kb; an input goes before the flag'],
    ['http://a/', 'must be a size such as 64kb; an input goes before the flag'],
    ['1x', 'must be a size such as'],
  ])('refuses %j', (value, requirement) => {
    expect(refused(inlineSize, value)).toContain(requirement);
  });
});

describe('verbosity', () => {
  it.each([
    [true, 1],
    [[true], 1],
    [[true, true], 2],
    [[true, true, true], 2],
    ['0', 0],
    [['2'], 2],
    [1, 1],
  ])('of %j is %i', (value, level) => {
    expect(verbosity.parse(value)).toBe(level);
  });

  it.each([3, '-1', '01', 'yes', false, ['1', '1'], [true, '1'], null, {}])('refuses %j', (value) => {
    expect(refused(verbosity, value)).toBe('must be 0, 1 or 2');
  });
});

describe('resultAges', () => {
  const HOUR = 3_600_000;

  it.each([
    ['12h', { ok: 12 * HOUR, failed: undefined }, '12h'],
    ['7d', { ok: 168 * HOUR, failed: undefined }, '7d'],
    ['0', { ok: 0, failed: undefined }, '0ms'],
    ['ok=90m,fail=0', { ok: 1.5 * HOUR, failed: 0 }, 'ok=90m,fail=0ms'],
    ['fail=1h , ok=1.5d', { ok: 36 * HOUR, failed: HOUR }, 'ok=36h,fail=1h'],
    ['fail=1h', { ok: undefined, failed: HOUR }, 'fail=1h'],
    ['ok=400d', { ok: 9600 * HOUR, failed: undefined }, '400d'],
  ])('takes %s, and prints it so that it is read back', (text, ages, printed) => {
    expect(resultAges.parse(text)).toEqual(ages);
    expect(resultAges.print(ages)).toBe(printed);
    expect(resultAges.parse(printed)).toEqual(ages);
  });

  it.each([
    '',
    '7',
    '0x',
    '-1d',
    '1w',
    'xok=1h',
    'ok=',
    'ok',
    'ok=1h,ok=2h',
    'bad=1h',
    'ok=1h,',
    '1h,2h',
    7,
    true,
    null,
  ])('refuses %j', (value) => {
    expect(refused(resultAges, value)).toBe(
      'must be an age such as 12h or 7d, or one for each class: ok=7d,fail=1h',
    );
  });
});
