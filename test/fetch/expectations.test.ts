import { describe, expect, it } from 'vitest';
import { checkExpectation } from '../../src/fetch/response-validator.ts';
import type { Expectation } from '../../src/model/expectation.ts';

const NOTHING: Expectation = { contains: [], notContains: [], matches: [], headers: [] };
const ANSWER = { headers: {}, url: 'http://a.test/', durationMs: 10, textFault: undefined };

function header(name: string, value: string): Expectation {
  return { ...NOTHING, headers: [{ name, value }] };
}

describe('checkExpectation()', () => {
  it('is nothing when nothing is expected', () => {
    expect(checkExpectation(NOTHING, ANSWER)).toBeUndefined();
  });

  it.each([
    ['text/html', 'text/html'],
    ['text/html', 'Text/HTML; charset=utf-8'],
    ['text/html; charset=utf-8', 'text/html; charset=UTF-8'],
    ['', 'anything'],
    ['', ''],
    ['b', ['a', 'b']],
  ])('takes "%s" for met by %j', (wanted, given) => {
    expect(checkExpectation(header('x', wanted), { ...ANSWER, headers: { x: given } })).toBeUndefined();
  });

  it.each([
    ['text/html', 'text/plain', 'the header x is "text/plain", not "text/html"'],
    ['text/html; charset=a', 'text/html', 'the header x is "text/html", not "text/html; charset=a"'],
    ['c', ['a', 'b'], 'the header x is "a, b", not "c"'],
    ['', undefined, 'the response has no header x'],
    ['a', 'b\u001b[31m', 'the header x is "b\\u{1b}[31m", not "a"'],
  ])('says how "%s" is not met by %j', (wanted, given, fault) => {
    expect(checkExpectation(header('x', wanted), { ...ANSWER, headers: { x: given } })).toBe(fault);
  });

  it('takes an attempt for slow when it took longer than allowed', () => {
    expect(checkExpectation({ ...NOTHING, maxTimeMs: 10 }, ANSWER)).toBeUndefined();
    expect(checkExpectation({ ...NOTHING, maxTimeMs: 9 }, ANSWER)).toBe('it took 10ms, more than 9ms');
  });

  it.each([
    ['http://a.test/', 'http://a.test/', undefined],
    ['http://a.test/', 'http://a.test/#part', undefined],
    ['http://a.test/x?y=1', 'http://a.test/', 'it leads to http://a.test/, not to http://a.test/x?y=1'],
  ])('compares the URL %s with that of the response, %s', (finalUrl, url, fault) => {
    expect(checkExpectation({ ...NOTHING, finalUrl }, { ...ANSWER, url })).toBe(fault);
  });

  it('hands on what is wrong with the body', () => {
    expect(checkExpectation(NOTHING, { ...ANSWER, textFault: 'no' })).toBe('no');
  });
});
