import { describe, expect, it } from 'vitest';
import { parseExpectation, toExpectation } from '../../src/config/expectations.ts';
import { resolveRunOptions } from '../../src/config/library-options.ts';

describe('parseExpectation()', () => {
  it('reads every key, with one value or a list', () => {
    const parsed = parseExpectation({
      status: '301,4xx',
      contains: ['a', 'b'],
      notContains: 'c',
      matches: 'd+',
      header: 'Content-Type: text/html',
      time: '2s',
    });
    expect(parsed).toMatchObject({
      contains: ['a', 'b'],
      notContains: ['c'],
      matches: [/d+/],
      headers: [{ name: 'content-type', value: 'text/html' }],
      maxTimeMs: 2000,
    });
    const { status } = 'fault' in parsed ? {} : parsed;
    expect([301, 404, 200].map((code) => status?.has(code))).toEqual([true, true, false]);
  });

  it('expects nothing if it is empty', () => {
    expect(parseExpectation({})).toEqual({ contains: [], notContains: [], matches: [], headers: [] });
  });

  it.each([
    ['text', 'Cannot use what it is for "expect": it must be an object'],
    [{ statu: 1 }, 'Cannot use the key "statu" in "expect": it has status, contains'],
    [{ status: '999999' }, 'Cannot use the "status" of "expect": it must be a list of status codes'],
    [{ matches: '(' }, 'Cannot use the "matches" of "expect": it must be a regular expression'],
    [{ contains: '' }, 'Cannot use the "contains" of "expect": it must be text that is not empty'],
    [{ header: 'no colon' }, 'Cannot use the "header" of "expect": it must look like "Name: value"'],
    [{ time: '2' }, 'Cannot use the "time" of "expect": it must be a duration with a unit'],
  ])('says what is wrong with %j', (value, fault) => {
    expect(parseExpectation(value)).toEqual({ fault: expect.stringContaining(fault) });
  });
});

describe('toExpectation()', () => {
  it('gives what the options require', () => {
    const options = resolveRunOptions(
      {
        contains: 'a',
        notContains: ['b'],
        matches: '^c$',
        expectHeader: 'X-Y:',
        expectTime: '3s',
      },
      '1',
    );
    expect(toExpectation(options)).toEqual({
      contains: ['a'],
      notContains: ['b'],
      matches: [/^c$/],
      headers: [{ name: 'x-y', value: '' }],
      maxTimeMs: 3000,
    });
  });

  it.each([{ contains: '' }, { matches: '(' }, { expectHeader: 'nothing' }, { expectTime: 0 }])(
    'relies on resolved options, which refuse %j',
    (options) => {
      expect(() => resolveRunOptions(options, '1')).toThrow(/Cannot use .* for option/);
    },
  );
});
