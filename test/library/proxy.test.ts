import { afterEach, describe, expect, it, vi } from 'vitest';
import { type FanoutOptions, fanout, UsageError } from '../../src/index.ts';
import { running } from '../http/client.ts';
import { startOrigin } from '../origin/origin.ts';
import { startProxy } from '../origin/proxy.ts';

async function verdicts(urls: readonly string[], options: FanoutOptions): Promise<readonly boolean[]> {
  const all: boolean[] = [];
  for await (const { ok } of fanout(urls, { retries: 0, ...options })) all.push(ok);
  return all;
}

afterEach(() => vi.unstubAllEnvs());

describe('fanout()', () => {
  it('uses the proxy of its options', async () => {
    const [origin, proxy] = [await running(startOrigin()), await running(startProxy())];
    expect(await verdicts([`${origin.url}/ok`], { proxy: proxy.url })).toEqual([true]);
    expect(proxy.log).toHaveLength(1);
  });

  it('reads only the environment of its options', async () => {
    const [origin, proxy] = [await running(startOrigin()), await running(startProxy())];
    vi.stubEnv('HTTP_PROXY', proxy.url);
    vi.stubEnv('http_proxy', proxy.url);
    expect(await verdicts([`${origin.url}/ok`], {})).toEqual([true]);
    expect(proxy.log).toHaveLength(0);
    expect(await verdicts([`${origin.url}/ok`], { proxyEnvironment: process.env })).toEqual([true]);
    expect(proxy.log).toHaveLength(1);
    const proxyEnvironment = { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' };
    expect(await verdicts([`${origin.url}/ok`], { proxyEnvironment })).toEqual([true]);
    expect(proxy.log).toHaveLength(1);
  });

  it('refuses an invalid proxy at once', () => {
    expect(() => fanout([], { proxy: 'ftp://me:s3cret@p' })).toThrow(
      new UsageError(
        'invalid value for option proxy: must look like http://[user:password@]host[:port], or start with https://, socks5:// or socks5h://',
      ),
    );
    expect(() => fanout([], { proxyEnvironment: { ALL_PROXY: 'socks6://p' } })).toThrow(UsageError);
  });
});
