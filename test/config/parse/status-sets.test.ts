import { describe, expect, it } from 'vitest';
import { retryOn, statusSet } from '../../../src/config/parse/status-sets.ts';
import { refused } from './refused.ts';

const REQUIREMENT = 'must be a list of status codes from 100 to 999, such as 200-299,304 or 2xx';

describe('statusSet', () => {
  it('has both ends of a range and nothing beside them', () => {
    const set = statusSet.parse('200-299,304');
    expect([199, 200, 299, 300, 303, 304, 305].map((status) => set.has(status))).toEqual([
      false,
      true,
      true,
      false,
      false,
      true,
      false,
    ]);
  });

  it('takes a class for its hundred codes', () => {
    const set = statusSet.parse('4xx');
    expect([399, 400, 499, 500].map((status) => set.has(status))).toEqual([false, true, true, false]);
    expect(statusSet.parse('4XX').toString()).toBe('400-499');
  });

  it.each([
    ['200-299,304,2xx', '200-299,304'],
    ['304 , 200', '200,304'],
    ['200,201,202', '200-202'],
    ['250-350,2xx', '200-350'],
    ['100-999,404', '100-999'],
    [404, '404'],
    [[404, '5xx'], '404,500-599'],
    [['200-299,403', '404'], '200-299,403-404'],
  ])('prints %j as %s, which it reads back', (value, text) => {
    const set = statusSet.parse(value);
    expect(statusSet.print(set)).toBe(text);
    expect(statusSet.parse(text).toString()).toBe(text);
  });

  it.each([
    '',
    ',',
    '200,',
    '99',
    '1000',
    '20',
    '2x',
    'xxx',
    '0xx',
    '200-',
    '-299',
    '200 - 299',
    '2xx-3xx',
    'ok',
    [],
    [null],
    ['200', null],
    {},
    null,
    true,
    20.5,
  ])('refuses %j', (value) => {
    expect(refused(statusSet, value)).toBe(REQUIREMENT);
  });

  it('refuses a range that goes downwards and gives it the right way round', () => {
    expect(refused(statusSet, '299-200')).toBe('range must be ascending: 200-299');
  });
});

describe('retryOn', () => {
  it('keeps statuses and the word network apart', () => {
    const both = retryOn.parse('429,5xx,network');
    expect([both.statuses.has(429), both.statuses.has(503), both.statuses.has(404), both.network]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect(retryOn.parse('503').network).toBe(false);
    expect(retryOn.parse('network').statuses.has(503)).toBe(false);
  });

  it.each([
    ['network', 'network'],
    ['503', '503'],
    ['network, 503,429', '429,503,network'],
    [[503, 'network'], '503,network'],
  ])('prints %j as %s, which it reads back', (value, text) => {
    expect(retryOn.print(retryOn.parse(value))).toBe(text);
    expect(retryOn.print(retryOn.parse(text))).toBe(text);
  });

  it.each(['', 'net', 'Network', '503,', [], null, true, {}])('refuses %j', (value) => {
    expect(refused(retryOn, value)).toMatch(/status codes from 100 to 999 and the word network/);
  });

  it('refuses ranges as a status set does', () => {
    expect(refused(retryOn, 'network,504-500')).toBe('range must be ascending: 500-504');
  });
});
