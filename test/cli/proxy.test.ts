import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { running } from '../http/client.ts';
import { BROKEN_PROXIES, type ProxyOptions, startProxy, type TestProxy } from '../origin/proxy.ts';
import { type CliResult, runCli } from '../origin/run-cli.ts';
import { startSocks } from '../origin/socks.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { caPem, startHttps } from '../origin/tls.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

const CREDENTIALS = 'me:s3cr%65t';

function aProxy(options?: ProxyOptions): Promise<TestProxy> {
  return running(startProxy(options));
}

/** A proxy that requires credentials, and its URL with percent-encoded credentials. */
async function aLockedProxy(options?: ProxyOptions) {
  const proxy = await aProxy({ ...options, credentials: 'me:s3cret' });
  return { ...proxy, openUrl: proxy.url.replace('//', `//${CREDENTIALS}@`) };
}

async function trusted(): Promise<readonly string[]> {
  return ['--cacert', await aFile([await caPem()], 'ca.pem')];
}

function expectNoSecret({ stdout, stderr }: Pick<CliResult, 'stdout' | 'stderr'>, password = 's3cr'): void {
  expect(stdout + stderr).not.toContain(password);
  expect(stdout + stderr).not.toContain(Buffer.from('me:s3cret').toString('base64'));
}

describe('fanout fetch', () => {
  it('goes through the proxies of the environment, and to the hosts of NO_PROXY directly', async () => {
    const [plain, direct] = [await anOrigin(), await anOrigin({ host: '127.0.0.2' })];
    const secure = await running(startHttps());
    const [http, https] = [await aLockedProxy(), await aProxy()];
    const env = { HTTP_PROXY: http.openUrl, https_proxy: https.authority, NO_PROXY: 'x.test, 127.0.0.2/32' };
    const list = [...urls(plain, '/ok', 20), ...urls(secure, '/ok', 20), ...urls(direct, '/ok', 2)];
    const result = await runInProcess(['fetch', '-c', '2', '--json', ...(await trusted())], {
      env,
      stdin: list.join('\n'),
    });
    expect([result.code, result.stderr]).toEqual([
      0,
      expect.stringContaining('Done: 42 succeeded, 0 failed'),
    ]);
    expectNoSecret(result);
    expect([plain.requests, secure.requests, direct.requests]).toEqual([20, 20, 2]);
    expect([http.log.length, new Set(http.log.map(({ method }) => method))]).toEqual([20, new Set(['GET'])]);
    expect(https.log.map(({ path }) => path)).toEqual(
      Array.from({ length: https.log.length }, () => `127.0.0.1:${secure.port}`),
    );
    expect(https.log[0]?.headers['user-agent']).toMatch(/^fanout\//);
    expect(Math.max(https.log.length, http.accepted.count, https.accepted.count)).toBeLessThanOrEqual(2);
  });

  it('keeps two connections for many hosts of http behind a proxy', async () => {
    const origin = await anOrigin();
    const proxy = await aProxy({ route: origin });
    const list = Array.from({ length: 300 }, (_, index) => `http://host-${index}.test/ok`);
    const { code } = await runInProcess(['fetch', '-q', '-c', '2', '--proxy', proxy.url], {
      stdin: list.join('\n'),
    });
    expect([code, origin.requests]).toEqual([0, 300]);
    expect(proxy.accepted.count).toBeLessThanOrEqual(2);
  });

  it("uses --proxy instead, except for the hosts of NO_PROXY; '' means none", async () => {
    const origin = await anOrigin();
    const [other, mine] = [await aProxy(), await aProxy()];
    const env = { ALL_PROXY: other.url };
    const countRequests = async (flag: string, more = {}) => {
      const before = [other.log.length, mine.log.length, origin.requests];
      const args = ['fetch', '-q', '--proxy', flag, `${origin.url}/ok`];
      expect((await runInProcess(args, { env: { ...env, ...more } })).code).toBe(0);
      return [other.log.length, mine.log.length, origin.requests].map((now, at) => now - (before[at] ?? 0));
    };
    expect(await countRequests(mine.authority)).toEqual([0, 1, 1]);
    expect(await countRequests('')).toEqual([0, 0, 1]);
    expect(await countRequests(mine.url, { no_proxy: '127.0.0.1' })).toEqual([0, 0, 1]);
  });

  it('chooses the proxy anew for each redirect, and sends no proxy credentials to origins', async () => {
    const [first, last] = [await anOrigin(), await anOrigin({ host: '127.0.0.2' })];
    const middle = await running(startHttps());
    const proxy = await aLockedProxy();
    const to = (url: string) => `/redirect-to?url=${encodeURIComponent(url)}`;
    const way = `${first.url}${to(`${middle.url}${to(`${last.url}/ok`)}`)}`;
    const result = await runInProcess(['fetch', '--json', ...(await trusted()), way], {
      env: { ALL_PROXY: proxy.openUrl, NO_PROXY: '127.0.0.2' },
    });
    expect([result.code, JSON.parse(result.stdout).finalUrl]).toEqual([0, `${last.url}/ok`]);
    expect(proxy.log.map(({ method, path }) => [method, path])).toEqual([
      ['GET', way],
      ['CONNECT', `127.0.0.1:${middle.port}`],
    ]);
    expect(JSON.stringify([first.log, middle.log, last.log])).not.toContain('proxy-authorization');
    expectNoSecret(result);
  });
});

describe('fanout fetch through a SOCKS proxy', () => {
  it.each([[[]], [['--threads', '2']]])(
    'fetches http and https, each host on its own, with %j',
    async (more) => {
      const [plain, direct] = [await anOrigin(), await anOrigin({ host: '127.0.0.2' })];
      const secure = await running(startHttps());
      const socks = await running(startSocks({ credentials: 'me:s3cret' }));
      const list = [...urls(plain, '/ok', 5), ...urls(secure, '/ok', 5), ...urls(direct, '/ok', 2)];
      const args = ['fetch', '--json', '-v', '-c', '4', ...(await trusted()), ...more];
      const run = more.length === 0 ? runInProcess : runCli;
      const result = await run(args, {
        env: { ALL_PROXY: `socks5h://${CREDENTIALS}@${socks.authority}`, NO_PROXY: '127.0.0.2' },
        stdin: list.join('\n'),
      });
      expect([result.code, result.stderr]).toEqual([
        0,
        expect.stringContaining('Done: 12 succeeded, 0 failed'),
      ]);
      expect(new Set(socks.log)).toEqual(
        new Set([`5 ipv4 127.0.0.1:${plain.port}`, `5 ipv4 127.0.0.1:${secure.port}`]),
      );
      expect(direct.requests).toBe(2);
      expectNoSecret(result);
    },
  );

  it('shows no credentials if it refuses them, in no output and no journal', async () => {
    const socks = await running(startSocks({ credentials: 'me:other' }));
    const journal = join(await tempDir(), 'run.journal');
    const proxy = `socks5h://${CREDENTIALS}@${socks.authority}`;
    const args = ['fetch', '-vv', '--json', '--journal', journal, '--proxy', proxy, 'http://a.test/'];
    const result = await runInProcess(args);
    expect([result.code, JSON.parse(result.stdout).failure]).toEqual([
      1,
      {
        kind: 'connect',
        code: 'ERR_PROXY_AUTHENTICATION',
        message: `the proxy ${socks.authority} refused the user name or the password`,
      },
    ]);
    expectNoSecret(result);
    expect(await readFile(journal, 'latin1')).not.toContain('s3cr');
  });

  it('checks addresses with --deny-private where names are looked up on this machine', async () => {
    const origin = await anOrigin();
    const socks = await running(startSocks());
    const args = ['fetch', '--deny-private', '--proxy'];
    const checked = await runInProcess([...args, `socks5://${socks.authority}`, `${origin.url}/ok`]);
    expect([checked.code, checked.stdout]).toEqual([1, expect.stringMatching(/^FAIL {2}denied .*loopback/)]);
    const unchecked = await runInProcess([...args, `socks5h://${socks.authority}`, `${origin.url}/ok`]);
    expect([unchecked.code, unchecked.stderr]).toEqual([
      2,
      expect.stringContaining('cannot use --proxy with --deny-private'),
    ]);
    expect(socks.accepted.count).toBe(0);
  });
});

describe('a proxy that', () => {
  it('rejects the credentials fails each URL once, and the credentials are not shown', async () => {
    const [plain, secure] = [await anOrigin(), await running(startHttps())];
    const proxy = await aLockedProxy();
    const wrong = proxy.url.replace('//', '//me:wr0ng@');
    const result = await runInProcess(['fetch', '--proxy', wrong, `${plain.url}/ok`, `${secure.url}/ok`]);
    expect([result.code, proxy.log.length, plain.requests, secure.requests]).toEqual([1, 2, 0, 0]);
    const because = (request: string) =>
      `the proxy ${proxy.authority} refused the ${request}: 407 Proxy Authentication Required`;
    expect(result.stdout).toMatch(`FAIL  connect  ${plain.url}/ok`);
    expect(result.stdout).toMatch(because('request'));
    expect(result.stdout).toMatch(because('tunnel'));
    expectNoSecret(result, 'wr0ng');
  });

  it('cannot be reached fails every host and is named', async () => {
    const gone = await startProxy();
    await gone.close();
    const list = ['http://a.test/', 'http://b.test/', 'https://c.test/'];
    const args = ['fetch', '--json', '--retries', '0', '--proxy', gone.url.replace('//', '//me:s3cret@')];
    const result = await runInProcess([...args, ...list]);
    expect(result.code).toBe(1);
    const failures = result.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).failure);
    expect(failures).toEqual(
      list.map(() => ({
        kind: 'connect',
        code: 'ECONNREFUSED',
        message: `the proxy ${gone.authority} cannot be reached: connect ECONNREFUSED ${gone.authority}`,
      })),
    );
    expectNoSecret(result);
  });

  it.each(['drops', 'answers 503 without a reason', 'never ends its head', 'drops after 200'] as const)(
    '%s gets one connection for each attempt, and no more',
    async (name) => {
      const proxy = await running(BROKEN_PROXIES[name]());
      const args = ['fetch', '--json', '--retries', '1', '--proxy', `${proxy.host}:${proxy.port}`];
      const { code, stdout } = await runInProcess([...args, 'https://a.test/', 'https://b.test/']);
      expect([code, proxy.accepted.count]).toEqual([1, 4]);
      for (const line of stdout.trimEnd().split('\n')) {
        expect(JSON.parse(line)).toMatchObject({ ok: false, attempts: 2 });
        expect(line).toContain(`the proxy ${proxy.host}:${proxy.port}`);
      }
    },
  );

  it.each(['stalls', 'drips its head'] as const)(
    '%s delays a URL by --connect-timeout at most',
    async (name) => {
      const proxy = await running(BROKEN_PROXIES[name]());
      const args = [
        'fetch',
        '--retries',
        '0',
        '--connect-timeout',
        '300ms',
        '--proxy',
        `${proxy.host}:${proxy.port}`,
      ];
      const { code, stdout } = await runInProcess([...args, 'https://a.test/']);
      expect([code, proxy.accepted.count]).toEqual([1, 1]);
      expect(stdout).toMatch(
        /^FAIL {2}timeout {2}https:\/\/a\.test\/ .* through the proxy .* within 300ms$/m,
      );
    },
  );
});

describe('wrong usage', () => {
  it.each([
    ['--proxy', ['--proxy', `ftp://${CREDENTIALS}@p`], {}],
    ['HTTP_PROXY', [], { HTTP_PROXY: `http://${CREDENTIALS}` }],
    ['all_proxy', [], { all_proxy: `socks6://${CREDENTIALS}@p:1` }],
    ['FANOUT_PROXY', [], { FANOUT_PROXY: `http://${CREDENTIALS}@p/path` }],
  ])('of %s ends with 2 and shows no credentials', async (name, args, env) => {
    const result = await runInProcess(['fetch', ...args, 'http://a.test/'], { env });
    expect([result.code, result.stdout]).toEqual([2, '']);
    expect(result.stderr).toMatch(`error: invalid value for ${name}: must `);
    expectNoSecret(result);
  });

  it('is --deny-private with a proxy, since only the proxy knows what it connects to', async () => {
    const origin = await anOrigin();
    const proxy = await aProxy();
    const args = ['fetch', '--deny-private', `${origin.url}/ok`];
    for (const [more, env] of [
      [['--proxy', proxy.url], {}],
      [[], { ALL_PROXY: proxy.url }],
    ] as const) {
      const { code, stderr } = await runInProcess([...args, ...more], { env });
      expect([code, stderr]).toEqual([
        2,
        expect.stringMatching(/cannot use (--proxy|the proxy of the environment) with --deny-private/),
      ]);
    }
    expect([proxy.accepted.count, origin.requests]).toEqual([0, 0]);
    const alone = await runInProcess([...args, '--proxy', ''], { env: { ALL_PROXY: proxy.url } });
    expect([alone.code, alone.stdout]).toEqual([1, expect.stringContaining('FAIL  denied')]);
  });
});

describe('--print-config', () => {
  it('shows the proxy without its credentials', async () => {
    const args = ['fetch', '--print-config', '--proxy', `http://${CREDENTIALS}@p.test:3128`];
    const result = await runInProcess(args);
    expect(JSON.parse(result.stdout).proxy).toBe('http://***@p.test:3128');
    expectNoSecret(result);
    const socks = await runInProcess([...args.slice(0, 3), `socks5h://${CREDENTIALS}@p.test`]);
    expect(JSON.parse(socks.stdout).proxy).toBe('socks5h://***@p.test:1080');
  });
});
