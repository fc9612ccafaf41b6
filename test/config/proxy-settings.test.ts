import { describe, expect, it } from 'vitest';
import { proxy } from '../../src/config/parse/addresses.ts';
import { proxySettings } from '../../src/config/proxy-settings.ts';
import { UsageError } from '../../src/model/errors.ts';
import { refusal, resolve } from './resolve-given.ts';

const NOTHING = { proxy: undefined, denyPrivate: false };

/** The proxies for http and for https, by their names. */
function hosts(environment: Record<string, string>): readonly unknown[] {
  const settings = proxySettings(NOTHING, environment);
  return [settings?.http?.hostname, settings?.https?.hostname];
}

describe('proxySettings()', () => {
  it.each<[Record<string, string>, readonly unknown[]]>([
    [{}, [undefined, undefined]],
    [{ http_proxy: 'a' }, ['a', undefined]],
    [{ HTTP_PROXY: 'a' }, ['a', undefined]],
    [{ HTTPS_PROXY: 'a' }, [undefined, 'a']],
    [{ http_proxy: 'a', HTTP_PROXY: 'b', https_proxy: 'c', HTTPS_PROXY: 'd' }, ['a', 'c']],
    [{ ALL_PROXY: 'a' }, ['a', 'a']],
    [{ all_proxy: 'a', ALL_PROXY: 'b', HTTPS_PROXY: 'c' }, ['a', 'c']],
    [{ http_proxy: '', https_proxy: ' ', NO_PROXY: 'x' }, [undefined, undefined]],
    [{ http_proxy: '', HTTP_PROXY: 'b' }, ['b', undefined]],
    [{ ftp_proxy: 'a', FANOUT_PROXY: 'b', PROXY: 'c' }, [undefined, undefined]],
  ])('finds in %j for http and https: %j', (environment, expected) => {
    expect(hosts(environment)).toEqual(expected);
  });

  it('ignores HTTP_PROXY under CGI, where whoever sends a request sets it', () => {
    expect(hosts({ HTTP_PROXY: 'evil', REQUEST_METHOD: 'GET' })).toEqual([undefined, undefined]);
    expect(hosts({ HTTP_PROXY: 'evil', ALL_PROXY: 'a', REQUEST_METHOD: '' })).toEqual(['a', 'a']);
    expect(hosts({ http_proxy: 'a', HTTPS_PROXY: 'b', REQUEST_METHOD: 'GET' })).toEqual(['a', 'b']);
  });

  it('is undefined when there is no proxy, so that nothing is asked for each URL', () => {
    expect([
      proxySettings(NOTHING, { NO_PROXY: '*' }),
      proxySettings({ ...NOTHING, proxy: null }, { ALL_PROXY: 'a' }),
    ]).toEqual([undefined, undefined]);
  });

  it('takes the proxy that is given for both schemes, and reads no other variable than NO_PROXY', () => {
    const given = proxy.parse('mine:1');
    const environment = { HTTP_PROXY: 'socks5://x', https_proxy: 'b', no_proxy: 'x', NO_PROXY: 'y' };
    const options = { ...NOTHING, proxy: given };
    expect(proxySettings(options, environment)).toEqual({ http: given, https: given, bypass: 'x' });
    expect(proxySettings(options, { no_proxy: '', NO_PROXY: 'y' })).toMatchObject({ bypass: 'y' });
  });

  it.each([
    [{ HTTP_PROXY: 'ftp://me:s3cret@p' }, 'HTTP_PROXY'],
    [{ https_proxy: 'http://me:s3cret' }, 'https_proxy'],
    [{ ALL_PROXY: 'socks5://me:s3cret@p:1' }, 'ALL_PROXY'],
  ])('refuses %j by the name of the variable, without its value', (environment, name) => {
    const settings = () => proxySettings(NOTHING, environment);
    expect(settings).toThrow(UsageError);
    expect(settings).toThrow(new RegExp(`^Cannot use the value for ${name}: it must (?!.*s3cret)`));
  });

  it('refuses a proxy with --deny-private, wherever it comes from', () => {
    const given = () => proxySettings({ proxy: proxy.parse('p'), denyPrivate: true }, {});
    const found = () => proxySettings({ ...NOTHING, denyPrivate: true }, { HTTPS_PROXY: 'p' });
    expect(given).toThrow(UsageError);
    expect(given).toThrow(/^Cannot use a proxy with --deny-private: only the proxy knows/);
    expect(found).toThrow(/^Cannot use a proxy of the environment with --deny-private/);
    expect(proxySettings({ proxy: null, denyPrivate: true }, { HTTPS_PROXY: 'p' })).toBeUndefined();
    expect(proxySettings({ ...NOTHING, denyPrivate: true }, { NO_PROXY: 'p' })).toBeUndefined();
  });

  it('leaves a variable alone that is hidden by others', () => {
    expect(hosts({ http_proxy: 'a', https_proxy: 'b', ALL_PROXY: 'socks5://p' })).toEqual(['a', 'b']);
  });
});

describe('--proxy', () => {
  it('is refused by its name, without its value', () => {
    expect(refusal({ flags: { proxy: 'http://me:s3cret@p/x' } })).toBe(
      'Cannot use the value for --proxy: it must look like http://[user:password@]host[:port]',
    );
  });

  it('overrides what the configuration file says, also with nothing', () => {
    const file = { proxy: 'http://$ME:x@p:1' };
    expect(resolve({ environment: { ME: 'me' }, file }).proxy?.credentials?.user).toBe('me');
    expect(resolve({ flags: { proxy: '' }, environment: { ME: 'me' }, file }).proxy).toBeNull();
    expect(resolve({}).proxy).toBeUndefined();
  });
});
