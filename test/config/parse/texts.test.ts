import { describe, expect, it } from 'vitest';
import {
  boolean,
  maskRemaps,
  method,
  oneOf,
  regexps,
  remaps,
  reports,
  secretText,
  texts,
  urlPatterns,
} from '../../../src/config/parse/texts.ts';
import { refused } from './refused.ts';

describe('boolean', () => {
  it('takes JSON booleans and the words for the environment, in any case', () => {
    expect([true, 'true', '1', 'yes', 'YES'].map((value) => boolean.parse(value))).toEqual(
      Array(5).fill(true),
    );
    expect([false, 'false', '0', 'no', 'No'].map((value) => boolean.parse(value))).toEqual(
      Array(5).fill(false),
    );
  });

  it.each(['', 'on', 'y', '2', 1, 0, null, [], {}])('refuses %j', (value) => {
    expect(refused(boolean, value)).toBe('must be true or false');
  });
});

describe('oneOf()', () => {
  it.each(['csv ', 'CSV', '', 'toString', null, ['csv']])('refuses %j and names what it takes', (value) => {
    expect(oneOf(['text', 'csv']).parse('csv')).toBe('csv');
    expect(refused(oneOf(['text', 'csv']), value)).toBe('must be one of text, csv');
  });
});

describe('method', () => {
  it('puts standard methods in upper case and leaves others as they are', () => {
    expect([method.parse('get'), method.parse('Patch'), method.parse('purge')]).toEqual([
      'GET',
      'PATCH',
      'purge',
    ]);
  });

  it.each(['', 'GE T', 'GET\r\n', 'GET/', 1, null])('refuses %j', (value) => {
    expect(refused(method, value)).toBe('must be a request method such as GET, HEAD or POST');
  });

  it('refuses CONNECT in any case', () => {
    expect(refused(method, 'connect')).toMatch(/^must not be CONNECT/);
  });
});

describe('secretText', () => {
  it('takes any text, including an empty one', () => {
    expect(['', 'a b'].map((value) => secretText.parse(value))).toEqual(['', 'a b']);
  });

  it.each([1, null, true, ['a'], {}])('refuses %j', (value) => {
    expect(refused(secretText, value)).toBe('must be text');
  });

  it('shows nothing of a value', () => {
    expect(secretText.show?.({ a: 's3cret' })).toBe('');
  });
});

describe('texts', () => {
  it('takes one text or a list, each of up to 65536 characters', () => {
    const longest = 'x'.repeat(65_536);
    expect(texts.parse('a')).toEqual(['a']);
    expect(texts.parse(['a', longest])).toEqual(['a', longest]);
    expect(texts.parse(Array(1000).fill('a'))).toHaveLength(1000);
    expect(texts.print(texts.parse(['a', 'b']))).toEqual(['a', 'b']);
  });

  it.each([
    ['', 'must not be empty'],
    [['a', ''], 'must not be empty'],
    [1, 'must not be empty'],
    ['x'.repeat(65_537), 'must be 65536 characters or less'],
    [Array(1001).fill('a'), 'must be a list of at most 1000, not 1001'],
  ])('refuses %j', (value, requirement) => {
    expect(refused(texts, value)).toBe(requirement);
  });
});

describe('regexps', () => {
  it('takes one expression or a list of up to 20', () => {
    expect(regexps.parse('a: (b|c)+')).toEqual([/a: (b|c)+/]);
    expect(regexps.parse(Array(20).fill('a'))).toHaveLength(20);
    expect(regexps.print(regexps.parse(['a/b', 'c']))).toEqual(['a\\/b', 'c']);
  });

  it.each([
    ['', 'must be a regular expression that is not empty'],
    [1, 'must be a regular expression that is not empty'],
    [null, 'must be a regular expression that is not empty'],
    ['(', 'must be a JavaScript regular expression (Unterminated group)'],
    ['a: [', 'must be a JavaScript regular expression (Unterminated character class)'],
    [Array(21).fill('a'), 'must be a list of at most 20, not 21'],
  ])('refuses %j', (value, requirement) => {
    expect(refused(regexps, value)).toBe(requirement);
  });

  it('may be up to 1000 for URLs', () => {
    expect(urlPatterns.parse(Array(1000).fill('a'))).toHaveLength(1000);
    expect(refused(urlPatterns, Array(1001).fill('a'))).toBe('must be a list of at most 1000, not 1001');
  });
});

describe('reports', () => {
  it.each([
    ['junit=a.xml', [{ kind: 'junit', file: 'a.xml' }]],
    [
      ['html=a=b.html', 'json=c'],
      [
        { kind: 'html', file: 'a=b.html' },
        { kind: 'json', file: 'c' },
      ],
    ],
    [
      { markdown: 'a.md', json: 'b.json' },
      [
        { kind: 'markdown', file: 'a.md' },
        { kind: 'json', file: 'b.json' },
      ],
    ],
  ])('are read from %j', (value, list) => {
    expect(reports.parse(value)).toEqual(list);
    expect(reports.parse(reports.print(reports.parse(value)))).toEqual(list);
  });

  it.each([
    ['junit'],
    ['=a'],
    ['xslt=a'],
    ['JUnit=a'],
    [7],
    [['junit=a', 7]],
    [null],
    [{ xslt: 'a' }],
    ['r.xml.old'],
    ['r'],
  ])('are refused when they are no KIND=FILE: %j', (value) => {
    expect(refused(reports, value)).toBe(
      'must look like KIND=FILE, where KIND is one of junit, json, markdown, html',
    );
  });

  it.each([
    ['csv', 'for csv use --format csv -o FILE'],
    ['JSONL', 'for jsonl use --format jsonl -o FILE'],
    ['text', 'for text use --format text -o FILE'],
    ['xml', 'for XML use junit=FILE'],
    ['md', 'for Markdown use markdown=FILE'],
  ])('say what to use instead of %s', (kind, advice) => {
    expect(refused(reports, `${kind}=a`)).toMatch(new RegExp(`; ${advice}$`));
  });

  it.each([
    ['report.xml', 'junit=report.xml'],
    ['a/R.HTML', 'html=a/R.HTML'],
    ['r.md', 'markdown=r.md'],
    ['r.json.gz', 'json=r.json.gz'],
  ])('say how to write %s', (file, pair) => {
    expect(refused(reports, file)).toMatch(new RegExp(`: ${pair}$`));
  });

  it('need the name of a file', () => {
    expect(refused(reports, 'junit=')).toBe('must be the name of a file');
    expect(refused(reports, { junit: 7 })).toBe('must be the name of a file');
    expect(refused(reports, 'junit=-')).toMatch(/^must name a file \("fanout report"/);
  });
});

describe('remaps', () => {
  it('reads lines, a list of lines and an object, and prints lines', () => {
    const rules = remaps.parse(['https://a\\.test/(.*)  http://b.test/$1', ' x y ']);
    expect(rules.map(({ from, to }) => [from.source, to])).toEqual([
      ['https:\\/\\/a\\.test\\/(.*)', 'http://b.test/$1'],
      ['x', 'y'],
    ]);
    expect(remaps.parse(remaps.print(rules))).toEqual(rules);
    expect(remaps.parse({ x: 'y' })).toEqual(remaps.parse('x y'));
    expect(remaps.parse([])).toEqual([]);
  });

  it.each([
    ['a', 'must look like'],
    ['a b c', 'must look like'],
    ['', 'must look like'],
    [{ 'a b': 'c' }, 'must look like'],
    [{ a: '' }, 'must look like'],
    [{ a: 1 }, 'must look like'],
    [null, 'must look like'],
    [['a b', 1], 'must look like'],
    ['( b', 'must be a JavaScript regular expression'],
    ['(?=a) b', 'must have no look-around'],
    ['a $1', 'must have a group for $1 in FROM'],
    ['(?<n>a) $<m>', 'must have a group for $<m> in FROM'],
  ])('refuses %j', (value, message) => {
    expect(refused(remaps, value)).toContain(message);
  });

  it('shows no password', () => {
    const line = 'a http://me:s3cret@b.test/';
    expect(maskRemaps(remaps.parse(line))).toEqual(['a http://***@b.test/']);
    expect(remaps.show?.([line, 1])).toBe('"a http://***@b.test/"');
  });
});
