import { describe, expect, it } from 'vitest';
import { retryOn } from '../../../src/config/parse/status-sets.ts';
import { refused } from './refused.ts';

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
    expect(refused(retryOn, 'network,504-500')).toBe('the range must go upwards: 500-504');
  });
});
