import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fanout, type HostOptions } from '../../src/index.ts';
import { running } from '../http/client.ts';
import { listen } from '../origin/listen.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { startHttps, startSelfSigned } from '../origin/tls.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

type Hosts = Record<string, HostOptions>;

const aConfig = (hosts: Hosts, more = {}) => aFile([JSON.stringify({ hosts, ...more })], 'c.json');

async function fetchWith(
  hosts: Hosts,
  args: readonly string[],
  { env = {}, isThreaded = false }: { env?: Record<string, string>; isThreaded?: boolean } = {},
) {
  const all = ['fetch', '--json', '--ordered', '--retries', '0', '--config', await aConfig(hosts), ...args];
  const result = isThreaded
    ? await runCli([...all, '--threads', '2'], { env })
    : await runInProcess(all, { env });
  const records = result.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  return { ...result, records };
}

const hostOf = ({ url }: { readonly url: string }) => new URL(url).host;

const to = (url: string) => `/redirect-to?url=${encodeURIComponent(url)}`;

describe.each([[false], [true]])('hosts in the configuration file, in threads: %s', (isThreaded) => {
  it('have headers and a user of their own, which no other host gets after a redirect', async () => {
    const [one, other] = [await anOrigin(), await anOrigin({ host: '127.0.0.2' })];
    const hosts = {
      [hostOf(one)]: { headers: { 'X-Key': 'k3y', accept: 'text/html' }, user: 'me:$TOKEN' },
    };
    const list = [`${one.url}${to(`${other.url}/ok`)}`, `${other.url}${to(`${one.url}/ok`)}`];
    const flags = ['-H', 'X-Key: all', '-u', 'all:x', '-vv', ...list];
    const result = await fetchWith(hosts, flags, { env: { TOKEN: 's3cret' }, isThreaded });
    expect(result.code).toBe(0);
    const basic = (user: string) => `Basic ${Buffer.from(user).toString('base64')}`;
    const seen = (log: typeof one.log) =>
      log.map(({ headers }) => [headers['x-key'], headers.authorization, headers.accept]);
    expect(seen(one.log)).toEqual([
      ['k3y', basic('me:s3cret'), 'text/html'],
      ['k3y', basic('me:s3cret'), 'text/html'],
    ]);
    expect(seen(other.log).map(([key]) => key)).not.toContain('k3y');
    expect(JSON.stringify(seen(other.log))).not.toContain(basic('me:s3cret'));
    expect(result.stdout + result.stderr).not.toMatch(/s3cret|k3y/);
  });

  it('accept other statuses, also of the target of a redirect', async () => {
    const [one, other] = [await anOrigin(), await anOrigin({ host: '127.0.0.2' })];
    const hosts = { '127.0.0.2': { accept: '404,999' } };
    const list = [
      `${one.url}/status/404`,
      `${other.url}/status/404`,
      `${one.url}${to(`${other.url}/status/404`)}`,
      `${other.url}/ok`,
      `${other.url}${to(`${one.url}/ok`)}`,
    ];
    const { records } = await fetchWith(hosts, list, { isThreaded });
    expect(records.map(({ ok }) => ok)).toEqual([false, true, true, false, true]);
    expect(records[3].failure.message).toContain('404,999');
    // What a job expects wins.
    const job = JSON.stringify({ url: `${other.url}/status/404`, expect: { status: 200 } });
    const own = await fetchWith(hosts, [await aFile([job])], { isThreaded });
    expect(own.records[0].ok).toBe(false);
  });

  it('are not verified with insecure, and no other host', async () => {
    const [one, other] = [await running(startSelfSigned()), await running(startSelfSigned())];
    const list = [`${one.url}/ok`, `${other.url}/ok`, `${one.url}${to(`${other.url}/ok`)}`];
    for (const more of [[], ['--http2']]) {
      const { records } = await fetchWith({ [hostOf(one)]: { insecure: true } }, [...list, ...more], {
        isThreaded,
      });
      expect(records.map(({ status, failure }) => failure?.kind ?? status)).toEqual([200, 'tls', 'tls']);
    }
    const strict = await fetchWith({ [hostOf(one)]: { insecure: false } }, ['-k', ...list], { isThreaded });
    expect(strict.records.map(({ status, failure }) => failure?.kind ?? status)).toEqual(['tls', 200, 'tls']);
  });

  it('have a timeout of their own: the longest of a chain of redirects', async () => {
    const silent = await running(listen(createServer(() => {})));
    const origin = await anOrigin();
    const url = `http://${silent.authority}/`;
    const { records } = await fetchWith(
      { [silent.authority]: { timeout: '150ms' } },
      ['-m', '60s', url, `${origin.url}/ok`],
      { isThreaded },
    );
    expect(records.map(({ status, failure }) => failure?.message ?? status)).toEqual([
      'no complete response within 150ms',
      200,
    ]);
    const chained = await fetchWith(
      { [hostOf(origin)]: { timeout: '300ms' } },
      ['-m', '150ms', `${origin.url}${to(url)}`],
      { isThreaded },
    );
    expect(chained.records[0].failure.message).toBe('no complete response within 300ms');
  });

  it('have limits of their own', async () => {
    const inFlight = { now: 0, most: 0 };
    const server = createServer((_, response) => {
      inFlight.now += 1;
      inFlight.most = Math.max(inFlight.most, inFlight.now);
      setTimeout(() => {
        inFlight.now -= 1;
        response.end('ok');
      }, 5);
    });
    const limited = await running(listen(server));
    const list = Array.from({ length: 20 }, (_, index) => `http://${limited.authority}/${index}`);
    const { code } = await fetchWith({ '127.0.0.1': { perHost: 2 } }, list, { isThreaded });
    expect(code).toBe(0);
    expect(inFlight.most).toBeLessThanOrEqual(2);
    const origin = await anOrigin();
    const startedAt = performance.now();
    await fetchWith({ [hostOf(origin)]: { hostRate: '20/s' } }, urls(origin, '/ok', 11), { isThreaded });
    // Ten intervals of 50 ms, of which the last may be 10 ms shorter.
    expect(performance.now() - startedAt).toBeGreaterThan(480);
  });
});

describe('hosts', () => {
  it('are options of the library', async () => {
    const origin = await anOrigin();
    const secure = await running(startSelfSigned());
    const hosts = {
      [hostOf(origin)]: { headers: ['X-Key: a'], accept: [200, 404] },
      '127.0.0.1': { insecure: true },
    };
    for await (const { ok } of fanout([`${origin.url}/status/404`, `${secure.url}/ok`], { hosts }))
      expect(ok).toBe(true);
    expect(origin.log[0]?.headers['x-key']).toBe('a');
    expect(() => fanout([], { hosts: { a: { perHost: 0 } } })).toThrow(
      'invalid value for option hosts: "perHost" of "a" must be a positive integer',
    );
  });

  it('are shown by --print-config with secrets masked, and by --dry-run', async () => {
    const config = await aConfig({
      'a.test': { user: 'me:s3cret', headers: { 'X-Key': 'k3y' }, perHost: 2 },
    });
    const shown = await runInProcess(['fetch', '--print-config', '--config', config]);
    expect(JSON.parse(shown.stdout).hosts).toEqual({
      'a.test': { headers: ['x-key: ***'], perHost: 2, user: '***:***' },
    });
    const dry = await runInProcess(['fetch', '--dry-run', '--config', config, 'http://a.test/']);
    expect(JSON.parse(dry.stdout).headers).toEqual(
      expect.arrayContaining(['x-key: ***', 'authorization: ***']),
    );
    expect(shown.stdout + dry.stdout).not.toMatch(/s3cret|k3y/);
  });

  it('win over --header and --user, and give way to --header-for and to what a URL says', async () => {
    const origin = await anOrigin();
    const hosts = { [hostOf(origin)]: { user: 'host:1', headers: { 'X-A': 'host', 'X-B': 'host' } } };
    const url = `${origin.url}/ok`;
    const flags = ['-u', 'run:1', '-H', 'X-A: run', '--header-for', `${hostOf(origin)} X-B: flag`];
    await fetchWith(hosts, [...flags, url, url.replace('//', '//url:1@')]);
    const basic = (user: string) => `Basic ${Buffer.from(user).toString('base64')}`;
    expect(
      origin.log.map(({ headers }) => [headers.authorization, headers['x-a'], headers['x-b']]).sort(),
    ).toEqual([basic('host:1'), basic('url:1')].sort().map((user) => [user, 'host', 'flag']));
  });

  it('that change the request or the verdict make the journal fetch again, and no others', async () => {
    const origin = await anOrigin();
    const journal = join(await tempDir(), 'run.journal');
    const count = async (settings: HostOptions) => {
      const before = origin.requests;
      const { code } = await fetchWith({ [hostOf(origin)]: settings }, [
        ...['--journal', journal, `${origin.url}/ok`],
      ]);
      expect(code).toBe(0);
      return origin.requests - before;
    };
    expect(await count({ headers: { 'X-A': '1' } })).toBe(1);
    expect(await count({ headers: { 'X-A': '1' } })).toBe(0);
    expect(await count({ headers: { 'X-A': '1' }, perHost: 1, hostRate: '9/s', timeout: '9s' })).toBe(0);
    expect(await count({ headers: { 'X-A': '2' } })).toBe(1);
    expect(await count({ headers: { 'X-A': '2' }, accept: '2xx,404' })).toBe(1);
    expect(await count({ headers: { 'X-A': '2' }, accept: '2xx,404', user: 'a:b' })).toBe(1);
  });

  it('with a mistake end with 2 and a suggestion', async () => {
    const config = await aFile(['{"hosts": {"*.test": {"acept": "2xx"}}}'], 'c.json');
    const { code, stderr } = await runInProcess(['fetch', '--config', config, 'http://a.test/']);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('unknown key "acept" of "*.test"; did you mean "accept"?'),
    ]);
    expect((await runInProcess(['fetch', '--hosts', '{}', 'http://a.test/'])).stderr).toContain(
      'unknown option --hosts',
    );
  });

  it('do not change what a sitemap must be', async () => {
    const origin = await anOrigin();
    const { code, stderr } = await fetchWith({ [hostOf(origin)]: { accept: '404' } }, [
      ...['--sitemap', `${origin.url}/status/404`],
    ]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Not Found')]);
  });

  it('use no certificate check through a tunnel or --connect-to but that of the URL', async () => {
    const one = await running(startSelfSigned());
    const secure = await running(startHttps());
    const rule = ['--connect-to', `a.test:443:127.0.0.1:${one.port}`];
    const { records } = await fetchWith({ 'a.test': { insecure: true } }, [
      ...rule,
      ...['https://a.test/ok', `${one.url}/ok`, `${secure.url}/ok`],
    ]);
    expect(records.map(({ status, failure }) => failure?.kind ?? status)).toEqual([200, 'tls', 'tls']);
  });
});
