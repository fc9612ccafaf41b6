import { describe, expect, it } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import { createUrlFilter, EXCLUDED_CODE, hasOtherRedirects, UrlFilter } from '../../src/model/url-filter.ts';

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
