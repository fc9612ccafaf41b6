import { describe, expect, it } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import {
  createRemap,
  createUrlFilter,
  EXCLUDED_CODE,
  hasOtherRedirects,
  missingGroup,
  UrlFilter,
} from '../../src/model/url-filter.ts';

const filterOf = (include: readonly RegExp[], exclude: readonly RegExp[]) =>
  new UrlFilter({ include, exclude });

describe('UrlFilter', () => {
  it.each<[readonly RegExp[], readonly RegExp[], string, boolean]>([
    [[], [], 'http://a/', true],
    [[/^http:\/\/a\//], [], 'http://a/x', true],
    [[/^http:\/\/a\//], [], 'http://b/x', false],
    [[/a/, /b\//], [], 'http://b/', true],
    [[], [/linkedin/], 'https://www.linkedin.com/in/x', false],
    [[], [/linkedin/], 'https://example.com/', true],
    [[], [/x$/, /#frag$/], 'https://example.com/#frag', false],
    [[/a/], [/a/], 'http://a/', false],
    [[], [/^https:/i], 'http://a/?https:', true],
    [[], [/\bgone\b/], 'http://a/gone-by', false],
  ])('with include %j and exclude %j: %s is wanted: %j', (include, exclude, url, isWanted) => {
    expect(filterOf(include, exclude).isWanted(url)).toBe(isWanted);
  });

  it('takes linear time for an expression that backtracks, and a URL of a megabyte', () => {
    const filter = filterOf([], [/(a+)+$/, /(a|a)*b/]);
    expect(filter.isWanted(`http://h/${'a'.repeat(1_000_000)}!`)).toBe(false);
    expect(filter.excludes(`http://h/${'a'.repeat(30_000)}!`)).toBe(false);
  });

  it('is not made for no expressions', () => {
    expect(createUrlFilter({ include: [], exclude: [] })).toBeUndefined();
    expect(createUrlFilter({ include: [], exclude: [/a/] })?.excludes('a')).toBe(true);
  });
});

describe('hasOtherRedirects()', () => {
  const result = (over: object): Result =>
    ({ ok: true, url: 'http://a/', redirects: [], ...over }) as unknown as Result; // only these keys are read
  const redirects = [
    { status: 301, url: 'http://a/' },
    { status: 302, url: 'http://b/' },
  ];

  it.each<[string, object, readonly RegExp[], boolean]>([
    ['no redirect', {}, [/a/], false],
    ['redirects to other URLs', { redirects, finalUrl: 'http://c/' }, [/x/, /\/a\//], false],
    ['a redirect to an excluded URL', { redirects, finalUrl: 'http://c/' }, [/\/b\//], true],
    ['a final URL that is excluded', { redirects, finalUrl: 'http://c/' }, [/\/c\//], true],
    [
      'a redirect that was not followed',
      { warning: { kind: 'redirect', code: EXCLUDED_CODE, message: '' } },
      [],
      true,
    ],
  ])('of %s', (_, over, exclude, isOther) => {
    expect(hasOtherRedirects(result(over), createUrlFilter({ include: [], exclude }))).toBe(isOther);
  });
});

describe('createRemap()', () => {
  it.each<[string, string, string, string | undefined]>([
    ['https://a\\.test', 'http://b.test:81', 'https://a.test/x?y#z', 'http://b.test:81/x?y#z'],
    ['^https://([^/]+)/(.*)$', 'http://$1.b.test/$2', 'https://a.test/x', 'http://a.test.b.test/x'],
    ['//(?<name>\\w+)', '//$<name>s', 'https://a.test/', 'https://as.test/'],
    ['//(?<name>\\w+)', '//\x24{name}1', 'https://a.test/', 'https://a1.test/'],
    ['(a)', '\x24{1}1', 'https://a.test/', 'https://a1.test/'],
    ['a', '[$&$$1]', 'b/a/a', 'b/[a$1]/[a$1]'],
    ['(x)?a', '<$1>', 'b/a', 'b/<>'],
    ['a', 'b', 'https://c.test/', undefined],
    ['b*', '-', 'abba', '-a--a-'],
    ['a', '', 'aba', 'b'],
  ])('with %j and %j makes of %j %j', (from, to, url, expected) => {
    const remap = createRemap([{ from: new RegExp(from), to }]);
    expect(remap?.(url)).toBe(expected);
  });

  it('lets the first rule that matches decide', () => {
    const remap = createRemap([
      { from: /\/a\//, to: '/b/' },
      { from: /\/b\//, to: '/c/' },
    ]);
    expect([remap?.('h/a/'), remap?.('h/b/'), remap?.('h/d/')]).toEqual(['h/b/', 'h/c/', undefined]);
    expect(createRemap([])).toBeUndefined();
  });

  it('searches the first 64 KiB of a URL, and keeps the rest', () => {
    const long = `a${'x'.repeat(70_000)}a`;
    expect(createRemap([{ from: /a/, to: 'b' }])?.(long)).toBe(`b${long.slice(1)}`);
  });
});

describe('missingGroup()', () => {
  it.each([
    ['(a)(?<n>b)', '$1$2$<n>\x24{n}\x24{2}$&$$3$x', undefined],
    ['(a)', 'x$2', '$2'],
    ['a', '\x24{1}', '\x24{1}'],
    ['a', '$<n>', '$<n>'],
    ['(?<n>a)', '\x24{m}', '\x24{m}'],
  ])('of %j and %j is %j', (from, to, expected) => {
    expect(missingGroup(new RegExp(from), to)).toBe(expected);
  });
});
