import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  DnsFailureMonitor,
  NameLookup,
  type NameLookupOptions,
  parseHostsFile,
  readHostsFile,
  SystemResolver,
} from '../../../src/http/dns/lookup.ts';
import type { LookupFunction } from '../../../src/http/dns/resolver.ts';
import { dnsError } from '../../../src/http/network-errors.ts';
import { startProcess } from '../../origin/run-cli.ts';
import { tempDir } from '../../origin/temp-dir.ts';

describe('NameLookup', () => {
  const records = (address: string) => ({ addresses: [address], ttlMs: 60_000 });

  const resolvesTo =
    (address: string): LookupFunction =>
    async () =>
      records(address);

  const fails =
    (code: string): LookupFunction =>
    async () => {
      throw dnsError(code);
    };

  interface Fakes {
    readonly servers?: LookupFunction;
    readonly system?: LookupFunction | 'none';
    readonly hosts?: Readonly<Record<string, readonly string[]>>;
    readonly family?: NameLookupOptions['family'];
  }

  /** A lookup whose name servers resolve to 192.0.2.1 and whose system to 192.0.2.2, unless given. */
  function start({
    servers = resolvesTo('192.0.2.1'),
    system = resolvesTo('192.0.2.2'),
    hosts = {},
    family,
  }: Fakes = {}) {
    const queries: string[] = [];
    const recorded: (string | undefined)[] = [];
    const clock = { nowMs: 0 };
    let hostsRead = 0;
    const recording = (who: string, lookUp: LookupFunction) => ({
      lookUp: (name: string, isWanted = () => true) => {
        if (!isWanted()) throw new Error('not wanted');
        queries.push(`${who} ${name}`);
        return lookUp(name);
      },
      close: () => void queries.push(`close ${who}`),
    });
    const lookup = new NameLookup({
      now: () => clock.nowMs,
      readHosts: async () => {
        hostsRead += 1;
        return new Map(Object.entries(hosts));
      },
      servers: recording('servers', servers),
      system: system === 'none' ? undefined : recording('system', system),
      monitor: { record: (_, code) => void recorded.push(code) },
      family,
    });
    const addresses = async (name: string) => (await lookup.lookUp(name)).addresses;
    return { lookup, addresses, queries, recorded, clock, hostsRead: () => hostsRead };
  }

  test('queries the name servers', async () => {
    const { addresses, queries, recorded } = start();
    expect(await addresses('a.test')).toEqual(['192.0.2.1']);
    expect([queries, recorded]).toEqual([['servers a.test'], [undefined]]);
  });

  test('queries nothing for a name in the hosts file, which is read once', async () => {
    const { addresses, queries, hostsRead } = start({
      hosts: { 'a.test': ['192.0.2.9', '::9'] },
    });
    expect(await addresses('a.test')).toEqual(['192.0.2.9', '::9']);
    expect(await addresses('a.test')).toEqual(['192.0.2.9', '::9']);
    expect([queries, hostsRead()]).toEqual([[], 1]);
  });

  test.each(['localhost', 'app.localhost', 'a.b.localhost'])('resolves %s to this machine', async (name) => {
    const { addresses, queries } = start();
    expect(await addresses(name)).toEqual(['127.0.0.1', '::1']);
    expect(queries).toEqual([]);
  });

  test('resolves localhost to the hosts file, then to both loopback addresses', async () => {
    const { addresses } = start({ hosts: { localhost: ['192.0.2.9', '::1'] } });
    expect(await addresses('localhost')).toEqual(['192.0.2.9', '::1', '127.0.0.1']);
  });

  test.each(['nope.invalid', 'invalid'])('finds no %s, without a query', async (name) => {
    const { addresses, queries } = start();
    await expect(addresses(name)).rejects.toMatchObject({
      kind: 'dns',
      code: 'ENOTFOUND',
      message: 'no such name (ENOTFOUND)',
    });
    expect(queries).toEqual([]);
  });

  test.each([
    [4, ['127.0.0.1']],
    [6, ['::1']],
  ] as const)('resolves localhost to its IPv%d address', async (family, expected) => {
    expect(await start({ family }).addresses('localhost')).toEqual(expected);
  });

  test('fails for a name in the hosts file without an address of the wanted family', async () => {
    const { addresses } = start({ family: 6, hosts: { 'a.test': ['192.0.2.9'] } });
    await expect(addresses('a.test')).rejects.toMatchObject({ kind: 'dns', code: 'ENODATA' });
  });

  test.each(['intranet', 'printer.local', 'local'])('looks %s up by the system', async (name) => {
    const { addresses, queries } = start();
    expect(await addresses(name)).toEqual(['192.0.2.2']);
    expect(queries).toEqual([`system ${name}`]);
  });

  test.each(['intranet', 'printer.local'])('looks %s up by the name servers of the user', async (name) => {
    expect(await start({ system: 'none' }).addresses(name)).toEqual(['192.0.2.1']);
  });

  test.each(['ESERVFAIL', 'EREFUSED', 'ETIMEOUT', 'ECONNREFUSED'])(
    'queries the system after %s',
    async (code) => {
      const { addresses, queries, recorded } = start({ servers: fails(code) });
      expect(await addresses('a.test')).toEqual(['192.0.2.2']);
      expect([queries, recorded]).toEqual([['servers a.test', 'system a.test'], [undefined]]);
    },
  );

  test.each(['ENOTFOUND', 'ENODATA', 'EBADNAME'])('queries nothing else after %s', async (code) => {
    const { addresses, queries, recorded } = start({ servers: fails(code) });
    await expect(addresses('a.test')).rejects.toMatchObject({ code });
    expect([queries, recorded]).toEqual([['servers a.test'], [code]]);
  });

  test('reports the negative answer of the system', async () => {
    const { addresses } = start({ servers: fails('ECONNREFUSED'), system: fails('ENOTFOUND') });
    await expect(addresses('a.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  test('does not query the system if the user named name servers', async () => {
    const { addresses, recorded } = start({ servers: fails('EREFUSED'), system: 'none' });
    await expect(addresses('a.test')).rejects.toMatchObject({ code: 'EREFUSED' });
    expect(recorded).toEqual(['EREFUSED']);
  });

  test('skips a system that failed as well for 30 s', async () => {
    const { addresses, queries, clock } = start({ servers: fails('ETIMEOUT'), system: fails('EAI_AGAIN') });
    const systemQueries = () => queries.filter((line) => line.startsWith('system'));
    await expect(addresses('a.test')).rejects.toMatchObject({ code: 'ETIMEOUT' });
    clock.nowMs += 29_999;
    await expect(addresses('b.test')).rejects.toMatchObject({ code: 'ETIMEOUT' });
    expect(systemQueries()).toEqual(['system a.test']);
    clock.nowMs += 1;
    await expect(addresses('c.test')).rejects.toMatchObject({ code: 'ETIMEOUT' });
    expect(systemQueries()).toEqual(['system a.test', 'system c.test']);
  });

  test('close() ends lookups in flight without a query to the system, and records no failure', async () => {
    let end = () => {};
    const { lookup, addresses, queries, recorded } = start({
      servers: () =>
        new Promise((_, reject) => {
          end = () => reject(dnsError('ECANCELLED'));
        }),
    });
    const waiting = addresses('a.test');
    await Promise.resolve();
    await Promise.resolve();
    lookup.close();
    end();
    await expect(waiting).rejects.toMatchObject({ code: 'ECANCELLED' });
    expect([queries, recorded]).toEqual([['servers a.test', 'close servers', 'close system'], []]);
  });
});

describe('a lookup without free descriptors', () => {
  /** A shell on Windows knows no limits of open files. */
  const hasLimits = process.platform !== 'win32';

  const SCRIPT = fileURLToPath(new URL('out-of-descriptors.ts', import.meta.url));

  test.runIf(hasLimits)('fails with ResourceExhaustedError, whatever error the system reports', async () => {
    const command = `ulimit -n 100; exec "$0" --import tsx "${SCRIPT}"`;
    const { stdout, stderr } = await startProcess('sh', ['-c', command, process.execPath]).done;
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      connect: 'ResourceExhaustedError EMFILE',
      'hosts file': 'ResourceExhaustedError EMFILE',
      'name of the name servers': 'ResourceExhaustedError EMFILE',
      'name of the system': 'ResourceExhaustedError EMFILE',
      'unknown name afterwards': 'ConnectError ENOTFOUND',
    });
  });
});

describe('SystemResolver', () => {
  test('resolves localhost by getaddrinfo', async () => {
    const { addresses, ttlMs } = await new SystemResolver(undefined).lookUp('localhost');
    expect(addresses[0]).toBe('127.0.0.1');
    expect(ttlMs).toBe(60_000);
  });

  test('resolves addresses of the wanted family only', async () => {
    const { addresses } = await new SystemResolver(4).lookUp('localhost');
    expect(addresses).toContain('127.0.0.1');
    expect(addresses.filter((address) => address.includes(':'))).toEqual([]);
  });

  test('fails with a DNS error for an unknown name', async () => {
    const name = `${'x'.repeat(64)}.test`; // refused before anybody is queries
    await expect(new SystemResolver(undefined).lookUp(name)).rejects.toMatchObject({
      kind: 'dns',
      code: expect.stringMatching(/^E/),
    });
  });

  test('does not look up a name that is no longer wanted when its turn comes', async () => {
    await expect(new SystemResolver(undefined).lookUp('localhost', () => false)).rejects.toMatchObject({
      kind: 'dns',
      code: 'EAI_AGAIN',
    });
  });

  test('looks two names up at a time, and close() rejects those that wait', async () => {
    const system = new SystemResolver(undefined);
    const queries = Array.from({ length: 4 }, () => system.lookUp('localhost'));
    system.close();
    const recorded = await Promise.allSettled(queries);
    expect(recorded.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
  });
});

describe('readHostsFile()', () => {
  const parsed = (text: string) => Object.fromEntries(parseHostsFile(text));

  test('gives each name of a line its address', () => {
    expect(parsed('127.0.0.1 localhost\n192.0.2.1\tdb  DB.Example alias.')).toEqual({
      localhost: ['127.0.0.1'],
      db: ['192.0.2.1'],
      'db.example': ['192.0.2.1'],
      alias: ['192.0.2.1'],
    });
  });

  test('gives a name of several lines all their addresses, once each and in their order', () => {
    expect(parsed('127.0.0.1 a\n::1 a b\n127.0.0.1 a\n')).toEqual({ a: ['127.0.0.1', '::1'], b: ['::1'] });
  });

  test('ignores byte-order mark, comments, CRLF and white space', () => {
    expect(parsed('\ufeff# hosts\r\n  ::1 a # not.this\r\n\r\n')).toEqual({ a: ['::1'] });
  });

  test.each([
    'localhost',
    'a 127.0.0.1',
    '127.1 a',
    '999.0.0.1 a',
    '[::1] a',
    '127.0.0.1',
    '#127.0.0.1 a',
    '\0',
  ])('skips the line %j', (line) => {
    expect(parsed(`${line}\n::1 good`)).toEqual({ good: ['::1'] });
  });

  test('takes a missing file or a directory for empty', async () => {
    const dir = await tempDir();
    expect(await readHostsFile(join(dir, 'missing'))).toEqual(new Map());
    expect(await readHostsFile(dir)).toEqual(new Map());
    await writeFile(join(dir, 'hosts'), '::1 a');
    expect(await readHostsFile(join(dir, 'hosts'))).toEqual(new Map([['a', ['::1']]]));
  });

  test('reads localhost from the file of this system', async () => {
    expect((await readHostsFile()).get('localhost')).toContain('127.0.0.1');
  });
});

describe('DnsFailureMonitor', () => {
  /** The warnings after lookups with these codes, one name each. */
  function warningsAfter(
    codes: readonly (string | undefined)[],
    nameOf = (index: number) => `${index}.test`,
  ): string[] {
    const messages: string[] = [];
    const monitor = new DnsFailureMonitor({
      warn: (message) => messages.push(message),
      servers: () => ['192.0.2.53', '[::1]:5353'],
    });
    for (const [index, code] of codes.entries()) monitor.record(nameOf(index), code);
    return messages;
  }

  const times = (count: number, code: string | undefined) => Array.from({ length: count }, () => code);

  test('warns once that most lookups fail, with the name servers and the reason', () => {
    expect(warningsAfter(times(50, 'ETIMEOUT'))).toEqual([
      'most names cannot be looked up (name servers: 192.0.2.53, [::1]:5353): the name server did not respond in time (ETIMEOUT); use --dns-server to ask another one',
    ]);
  });

  test('warns at the fifth name', () => {
    expect(warningsAfter(times(4, 'EREFUSED'))).toEqual([]);
    expect(warningsAfter(times(5, 'EREFUSED'))).toHaveLength(1);
  });

  test('warns when more lookups have failed than succeeded', () => {
    const mixed = [...times(10, undefined), ...times(10, 'ESERVFAIL')];
    expect(warningsAfter(mixed)).toEqual([]);
    expect(warningsAfter([...mixed, 'ESERVFAIL'])).toHaveLength(1);
  });

  test.each(['ENOTFOUND', 'ENODATA', 'EBADNAME'])('%s is not a failure', (code) => {
    expect(warningsAfter(times(50, code))).toEqual([]);
  });

  test('does not warn if one name fails repeatedly', () => {
    expect(warningsAfter(times(50, 'ESERVFAIL'), () => 'a.test')).toEqual([]);
  });
});
