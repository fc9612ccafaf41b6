import { describe, expect, it } from 'vitest';
import { toProxySettings } from '../../src/config/network-options.ts';
import { proxy } from '../../src/config/parse/server-urls.ts';
import { UsageError } from '../../src/model/errors.ts';
import { refusal, resolve } from './resolve-given.ts';

const NOTHING = { proxy: undefined, denyPrivate: false, unixSocket: undefined };

/** The proxies for http and for https, by their names. */
function hosts(environment: Record<string, string>): readonly unknown[] {
  const settings = toProxySettings(NOTHING, environment);
  return [settings?.http?.hostname, settings?.https?.hostname];
}

describe('toProxySettings()', () => {
  it.each<[Record<string, string>, readonly unknown[]]>([
    [{}, [undefined, undefined]],
    [{ http_proxy: 'a' }, ['a', undefined]],
    [{ HTTP_PROXY: 'a' }, ['a', undefined]],
    [{ HTTPS_PROXY: 'a' }, [undefined, 'a']],
    [{ http_proxy: 'a', HTTP_PROXY: 'b', https_proxy: 'c', HTTPS_PROXY: 'd' }, ['a', 'c']],
    [{ ALL_PROXY: 'a' }, ['a', 'a']],
    [{ all_proxy: 'a', ALL_PROXY: 'b', HTTPS_PROXY: 'c' }, ['a', 'c']],
    [{ all_proxy: 'a', ALL_PROXY: 'b', HTTP_PROXY: 'c' }, ['c', 'a']],
    [{ http_proxy: '', https_proxy: ' ', NO_PROXY: 'x' }, [undefined, undefined]],
    [{ http_proxy: '', HTTP_PROXY: 'b' }, ['b', undefined]],
    [{ ftp_proxy: 'a', FANOUT_PROXY: 'b', PROXY: 'c' }, [undefined, undefined]],
  ])('finds in %j for http and https: %j', (environment, expected) => {
    expect(hosts(environment)).toEqual(expected);
  });

  it('ignores HTTP_PROXY under CGI, where a client can set it', () => {
    expect(hosts({ HTTP_PROXY: 'evil', REQUEST_METHOD: 'GET' })).toEqual([undefined, undefined]);
    expect(hosts({ HTTP_PROXY: 'evil', ALL_PROXY: 'a', REQUEST_METHOD: '' })).toEqual(['a', 'a']);
    expect(hosts({ http_proxy: 'a', HTTPS_PROXY: 'b', REQUEST_METHOD: 'GET' })).toEqual(['a', 'b']);
  });

  it('gives undefined if there is no proxy', () => {
    expect([
      toProxySettings(NOTHING, { NO_PROXY: '*' }),
      toProxySettings({ ...NOTHING, proxy: null }, { ALL_PROXY: 'a' }),
    ]).toEqual([undefined, undefined]);
  });

  it('uses --proxy for both schemes, and reads only NO_PROXY', () => {
    const given = proxy.parse('mine:1');
    const environment = { HTTP_PROXY: 'socks6://x', https_proxy: 'b', no_proxy: 'x', NO_PROXY: 'y' };
    const options = { ...NOTHING, proxy: given };
    expect(toProxySettings(options, environment)).toEqual({ http: given, https: given, bypass: 'x' });
    expect(toProxySettings(options, { no_proxy: '', NO_PROXY: 'y' })).toMatchObject({ bypass: 'y' });
  });

  it.each([
    [{ HTTP_PROXY: 'ftp://me:s3cret@p' }, 'HTTP_PROXY'],
    [{ https_proxy: 'http://me:s3cret' }, 'https_proxy'],
    [{ ALL_PROXY: 'socks6://me:s3cret@p:1' }, 'ALL_PROXY'],
  ])('refuses %j by the name of the variable, without its value', (environment, name) => {
    const settings = () => toProxySettings(NOTHING, environment);
    expect(settings).toThrow(UsageError);
    expect(settings).toThrow(new RegExp(`^invalid value for ${name}: must (?!.*s3cret)`));
  });

  it('refuses a proxy with --deny-private, wherever it comes from', () => {
    const given = () => toProxySettings({ ...NOTHING, proxy: proxy.parse('p'), denyPrivate: true }, {});
    const found = () => toProxySettings({ ...NOTHING, denyPrivate: true }, { HTTPS_PROXY: 'p' });
    expect(given).toThrow(UsageError);
    expect(given).toThrow(/^cannot use --proxy with --deny-private, which cannot check/);
    expect(found).toThrow(/^cannot use the proxy of the environment with --deny-private/);
    expect(
      toProxySettings({ ...NOTHING, proxy: null, denyPrivate: true }, { HTTPS_PROXY: 'p' }),
    ).toBeUndefined();
    expect(toProxySettings({ ...NOTHING, denyPrivate: true }, { NO_PROXY: 'p' })).toBeUndefined();
  });

  it.each(['socks5', 'socks4'])(
    'takes a proxy of %s:// with --deny-private, which gets addresses',
    (scheme) => {
      const given = toProxySettings(
        { ...NOTHING, proxy: proxy.parse(`${scheme}://p`), denyPrivate: true },
        {},
      );
      expect(given?.http?.hostname).toBe('p');
      const found = () =>
        toProxySettings({ ...NOTHING, denyPrivate: true }, { http_proxy: `${scheme}://p`, https_proxy: 'p' });
      expect(found).toThrow(/^cannot use the proxy of the environment with --deny-private/);
    },
  );

  it.each(['socks5h', 'socks4a'])('refuses a proxy of %s:// with --deny-private', (scheme) => {
    const given = () =>
      toProxySettings({ ...NOTHING, proxy: proxy.parse(`${scheme}://p`), denyPrivate: true }, {});
    expect(given).toThrow(/^cannot use --proxy with --deny-private.*; with socks5:\/\/ it can/);
  });

  it('uses no proxy of the environment with a Unix domain socket', () => {
    expect(toProxySettings({ ...NOTHING, unixSocket: 's' }, { ALL_PROXY: 'p' })).toBeUndefined();
  });

  it('does not read a variable that others override', () => {
    expect(hosts({ http_proxy: 'a', https_proxy: 'b', ALL_PROXY: 'socks6://p' })).toEqual(['a', 'b']);
  });
});

describe('--proxy', () => {
  it('is refused by its name, without its value', () => {
    expect(refusal({ flags: { proxy: 'http://me:s3cret@p/x' } })).toBe(
      'invalid value for --proxy: must look like http://[user:password@]host[:port], or start with https://, socks5:// or socks5h://',
    );
  });

  it('overrides what the configuration file says, also with nothing', () => {
    const file = { proxy: 'http://$ME:x@p:1' };
    expect(resolve({ environment: { ME: 'me' }, file }).proxy?.credentials?.user).toBe('me');
    expect(resolve({ flags: { proxy: '' }, environment: { ME: 'me' }, file }).proxy).toBeNull();
    expect(resolve({}).proxy).toBeUndefined();
  });
});
