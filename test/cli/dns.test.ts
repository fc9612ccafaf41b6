import { describe, expect, it, onTestFinished } from 'vitest';
import { type DnsEntry, type DnsServer, startDnsServer } from '../origin/dns-server.ts';
import { type CliResult, runCli } from '../origin/run-cli.ts';
import { anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

const LOOPBACK: DnsEntry = { a: ['127.0.0.1'] };

async function aNameServer(
  zone: Readonly<Record<string, DnsEntry>>,
  fallback?: DnsEntry,
): Promise<DnsServer> {
  const server = await startDnsServer(zone, fallback === undefined ? {} : { fallback });
  onTestFinished(() => server.close());
  return server;
}

interface Fetched extends CliResult {
  readonly records: readonly {
    readonly status?: number;
    readonly attempts: number;
    readonly failure?: { readonly kind: string; readonly code?: string; readonly message: string };
  }[];
}

async function fetchAll(
  urls: readonly string[],
  flags: readonly string[],
  run: (args: readonly string[], options: { readonly stdin: string }) => Promise<CliResult> = runInProcess,
): Promise<Fetched> {
  const args = ['fetch', '--json', '--ordered', ...flags];
  const result = await run(args, { stdin: urls.join('\n') });
  const lines = result.stdout.split('\n').filter((line) => line !== '');
  return { ...result, records: lines.map((line) => JSON.parse(line) as Fetched['records'][number]) };
}

const failures = ({ records }: Fetched) =>
  records.map(({ failure, attempts }) => [failure?.kind, failure?.code, attempts]);

describe('--dns-server', () => {
  it('gets one query for each name and address family', async () => {
    const origin = await anOrigin();
    const names = await aNameServer({}, LOOPBACK);
    const hosts = ['a1.test', 'A1.test', 'a1.test.', 'a2.test', 'under_score.test', 'bücher.test', 'single'];
    const { code, records } = await fetchAll(
      hosts.flatMap((host) => [`http://${host}:${origin.port}/ok?1`, `http://${host}:${origin.port}/ok?2`]),
      ['--dns-server', names.address],
    );
    expect([code, records.map(({ status }) => status)]).toEqual([0, Array.from({ length: 14 }, () => 200)]);
    for (const name of ['a1.test', 'a2.test', 'under_score.test', 'xn--bcher-kva.test', 'single']) {
      expect([name, names.queriesFor(name, 'A')]).toEqual([name, 1]);
    }
  });

  it('gets no query for localhost, the hosts file, address literals and names under .invalid', async () => {
    const origin = await anOrigin();
    const names = await aNameServer({});
    const fetched = await fetchAll(
      [`http://localhost:${origin.port}/ok`, `http://127.0.0.1:${origin.port}/ok`, 'http://nope.invalid/'],
      ['--dns-server', names.address],
    );
    expect(fetched.records.map(({ status }) => status)).toEqual([200, 200, undefined]);
    expect(failures(fetched)[2]).toEqual(['dns', 'ENOTFOUND', 1]);
    expect(names.queries).toBe(0);
  });

  it('does not retry a name that does not exist, and retries a server failure', async () => {
    const names = await aNameServer({ 'broken.test': { fail: 'servfail' } });
    const fetched = await fetchAll(
      ['http://nope.test/', 'http://broken.test/'],
      ['--dns-server', names.address, '--retries', '1'],
    );
    expect(fetched.code).toBe(1);
    expect(failures(fetched)).toEqual([
      ['dns', 'ENOTFOUND', 1],
      ['dns', 'ESERVFAIL', 2],
    ]);
    expect(fetched.records[0]?.failure?.message).toBe('no such name (ENOTFOUND)');
    expect(fetched.stderr).not.toContain('fanout:');
  });

  it.each([
    [[], 1],
    [['--silent'], 0],
  ])('that fails for most names causes a warning, with %j %d times', async (flags, times) => {
    const names = await aNameServer({}, { fail: 'refused' });
    const list = Array.from({ length: 20 }, (_, index) => `http://a${index}.test/`);
    const { stderr } = await fetchAll(list, ['--dns-server', names.address, '--retries', '0', ...flags]);
    const warnings = stderr
      .split('\n')
      .filter((line) => line.startsWith('warning: most names cannot be looked up'));
    expect(warnings).toHaveLength(times);
    for (const line of warnings)
      expect(line).toContain(
        `(name servers: ${names.address}): the name server refused the query (EREFUSED)`,
      );
  });

  it('does not keep the process alive after the run if it does not respond', async () => {
    const names = await aNameServer({}, { silent: true });
    const fetched = await fetchAll(
      ['http://a.test/'],
      ['--dns-server', names.address, '--timeout', '100ms', '--retries', '0'],
      // The queries and the timeout of the look-up would last longer.
      (args, options) => runCli(args, { ...options, killAfterMs: 5_000 }),
    );
    expect(failures(fetched)).toEqual([['dns', 'ETIMEOUT', 1]]);
  });

  it('gives addresses that are tried in turn', async () => {
    const origin = await anOrigin();
    const names = await aNameServer({ 'a.test': { a: ['127.0.0.2', '127.0.0.1'] } });
    const { records } = await fetchAll([`http://a.test:${origin.port}/ok`], ['--dns-server', names.address]);
    expect(records).toMatchObject([{ status: 200, attempts: 1 }]);
  });
});

describe('--resolve', () => {
  it('wins over the hosts file, literals and DNS, and tries its addresses in turn', async () => {
    const origin = await anOrigin();
    const { port } = origin;
    const names = await aNameServer({});
    const { records } = await fetchAll(
      [`http://A.test:${port}/ok`, `http://localhost:${port}/ok`, `http://192.0.2.1:${port}/ok`],
      [
        ...['--dns-server', names.address, '--resolve', `a.TEST:${port}:127.0.0.2,[::1],127.0.0.1`],
        ...['--resolve', `localhost:${port}:127.0.0.2`, '--resolve', `*:${port}:127.0.0.1`],
        ...['--retries', '0'],
      ],
    );
    expect(records.map(({ status, failure }) => status ?? failure?.kind)).toEqual([200, 'connect', 200]);
    expect(names.queries).toBe(0);
  });

  it('says how it is written', async () => {
    const { code, stderr } = await runInProcess(['fetch', '--resolve', 'a.test:127.0.0.1', 'http://a.test/']);
    expect(code).toBe(2);
    expect(stderr).toContain(
      'invalid value "a.test:127.0.0.1" for --resolve: must look like HOST:PORT:ADDRESS',
    );
  });
});

describe('-4 and -6', () => {
  it.each([
    ['-4', 'A', 'AAAA', '127.0.0.1'],
    ['-6', 'AAAA', 'A', '::1'],
  ])('%s queries only %s, and not %s', async (flag, queried, other, host) => {
    const origin = await anOrigin({ host });
    const names = await aNameServer({ 'a.test': { a: ['127.0.0.1'], aaaa: ['::1'] } });
    const { records } = await fetchAll(
      [`http://a.test:${origin.port}/ok`, `http://localhost:${origin.port}/ok`],
      ['--dns-server', names.address, flag],
    );
    expect(records.map(({ status }) => status)).toEqual([200, 200]);
    expect([names.queriesFor('a.test', queried), names.queriesFor('a.test', other)]).toEqual([1, 0]);
  });

  it('refuse literals and --resolve addresses of the other family', async () => {
    const flags = ['-6', '--resolve', 'a.test:80:127.0.0.1'];
    const fetched = await fetchAll(['http://127.0.0.1/', 'http://a.test/'], flags);
    expect(failures(fetched)).toEqual([
      ['dns', 'ENODATA', 1],
      ['dns', 'ENODATA', 1],
    ]);
    expect(fetched.records[0]?.failure?.message).toBe('no IPv6 address, which --ipv6 asks for (ENODATA)');
  });

  it('exclude each other', async () => {
    const { code, stderr } = await runInProcess(['fetch', '-4', '-6', 'http://a.test/']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('cannot use --ipv4 with --ipv6')]);
  });
});
