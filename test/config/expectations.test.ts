import { describe, expect, it } from 'vitest';
import { parseExpectation, rulesOf, toExpectation } from '../../src/config/expectations.ts';
import { type FanoutOptions, resolveRunOptions } from '../../src/config/library-options.ts';

describe('parseExpectation()', () => {
  it('reads every key, with one value or a list', () => {
    const parsed = parseExpectation({
      status: '301,4xx',
      contains: ['a', 'b'],
      notContains: 'c',
      matches: 'd+',
      header: 'Content-Type: text/html',
      time: '2s',
      sha256: 'AB'.repeat(32),
    });
    expect(parsed).toMatchObject({
      contains: ['a', 'b'],
      notContains: ['c'],
      matches: [/d+/],
      headers: [{ name: 'content-type', value: 'text/html' }],
      maxTimeMs: 2000,
      sha256: 'ab'.repeat(32),
    });
    const { status } = 'fault' in parsed ? {} : parsed;
    expect([301, 404, 200].map((code) => status?.has(code))).toEqual([true, true, false]);
  });

  it.each([
    ['http://a.test/x?q#f', 'http://a.test/x?q'],
    ['HTTPS://me:pw@A.test:443', 'https://a.test/'],
  ])('reads the final URL %s as it is sent', (finalUrl, sent) => {
    expect(parseExpectation({ finalUrl })).toMatchObject({ finalUrl: sent });
  });

  it('expects nothing if it is empty', () => {
    expect(parseExpectation({})).toEqual({ contains: [], notContains: [], matches: [], headers: [] });
  });

  it.each([
    ['text', 'invalid value for "expect": must be an object, not a string'],
    [null, 'invalid value for "expect": must be an object, not null'],
    [[], 'invalid value for "expect": must be an object, not an array'],
    [new Map([['status', 404]]), 'invalid value for "expect": must be an object, not a Map'],
    [{ statu: 1 }, 'unknown key "statu" in "expect": did you mean "status"?'],
    [{ 'size\u001b': 1 }, 'unknown key "size\\u{1b}" in "expect": use status, contains'],
    [{ status: '999999' }, 'invalid value for "status" in "expect": must be a list of status codes'],
    [{ matches: '(' }, 'invalid value for "matches" in "expect": must be a JavaScript regular expression'],
    [{ contains: '' }, 'invalid value for "contains" in "expect": must not be empty'],
    [{ matches: '(a+)+(?!b)' }, 'invalid value for "matches" in "expect": must have no look-around'],
    [{ matches: ['(a{30}){30}', '([ab]{30}){30}', 'c{999}', 'd{999}', 'e{999}'] }, 'must be simpler: it has'],
    [{ matches: Array(21).fill('a') }, 'must be a list of at most 20, not 21'],
    [{ notContains: Array(1001).fill('a') }, 'must be a list of at most 1000, not 1001'],
    [{ header: 'no colon' }, 'invalid value for "header" in "expect": must look like "Name: value"'],
    [{ finalUrl: '/x' }, 'invalid value for "finalUrl" in "expect": must be a URL that starts with http'],
    [{ finalUrl: ['http://a.test/'] }, 'must be a URL that starts with http'],
    [{ sha256: 'abc' }, 'invalid value for "sha256" in "expect": must be a SHA-256 of 64 hexadecimal digits'],
    [{ sha256: ['ab'.repeat(32)] }, 'must be a SHA-256'],
    [{ sha256: `x${'ab'.repeat(32)}` }, 'must be a SHA-256'],
    [{ sha256: `${'ab'.repeat(32)}\n` }, 'must be a SHA-256'],
    [{ sha256: 'g'.repeat(64) }, 'must be a SHA-256'],
    [{ finalUrl: 'xhttp://a.test/' }, 'must be a URL that starts with http'],
    [{ finalUrl: 'http://' }, 'must be a URL that starts with http'],
    [{ time: '0' }, 'invalid value for "time" in "expect": must be 1ms or more'],
    [{ time: '2' }, 'invalid value for "time" in "expect": must have a unit: "2s" for seconds'],
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

  it.each([{ contains: '' }, { matches: '(' }, { expectHeader: 'nothing' }, { expectTime: '0' }])(
    'relies on resolved options, which refuse %j',
    (options) => {
      expect(() => resolveRunOptions(options, '1')).toThrow(/invalid value .* for option/);
    },
  );
});

describe('rulesOf()', () => {
  const rules = (options: FanoutOptions) => rulesOf(resolveRunOptions(options, '1'));

  it.each<FanoutOptions>([
    { headerFor: 'a.test X-A: 1' },
    { accept: '200-299,304' },
    { contains: 'a' },
    { notContains: 'a' },
    { matches: 'a' },
    { expectHeader: 'x-a: 1' },
    { expectTime: '1s' },
    { redirects: 'warn' },
    { permanentRedirects: 'warn' },
    { blocked: 'ok' },
    { maxRedirects: 9 },
    { cookies: false },
    { maxSize: '1kb' },
    { decompress: false },
    { strict: true },
    { insecure: true },
    { denyPrivate: true },
    { saveDir: 'd', saveAs: '{hash}' },
    { inlineBody: true },
    { hosts: { 'a.test': { headers: { 'X-A': '1' } } } },
    { expectCertDays: 7 },
    { checkFragments: true },
    { record: 'headers' },
  ])('differs with %j, which decides what results say', (options) => {
    expect(rules(options)).not.toBe(rules({}));
    expect(rules(options)).toBe(rules(options));
  });

  it('does not depend on the order of the keys of --record', () => {
    expect(rules({ record: ['title', 'headers'] })).toBe(rules({ record: ['headers', 'title', 'headers'] }));
  });

  it.each<FanoutOptions>([
    { concurrency: 7 },
    { hosts: { 'a.test': { perHost: 1 } } },
    { timeout: '7s' },
    { retries: 7 },
    { unique: true },
    { journal: 'j' },
    { accept: ['2xx'] },
    { record: 'input' },
  ])('is the same with %j, which does not', (options) => {
    expect(rules(options)).toBe(rules({}));
  });
});
