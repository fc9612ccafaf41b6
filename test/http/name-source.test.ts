import { expect, test } from 'vitest';
import { NameLookup, type NameLookupOptions } from '../../src/http/dns/lookup.ts';
import type { LookupFunction } from '../../src/http/dns/resolver.ts';
import { dnsError } from '../../src/http/network-errors.ts';

const answer = (address: string) => ({ addresses: [address], ttlMs: 60_000 });
const answers =
  (address: string): LookupFunction =>
  async () =>
    answer(address);
const fails =
  (code: string): LookupFunction =>
  async (name) => {
    throw dnsError(name, code);
  };

interface Fakes {
  readonly servers?: LookupFunction;
  readonly system?: LookupFunction | 'none';
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  readonly family?: NameLookupOptions['family'];
}

/** A source whose name servers say 192.0.2.1 and whose system says 192.0.2.2, unless told otherwise. */
function start({
  servers = answers('192.0.2.1'),
  system = answers('192.0.2.2'),
  hosts = {},
  family,
}: Fakes = {}) {
  const asked: string[] = [];
  const ended: (string | undefined)[] = [];
  const clock = { nowMs: 0 };
  let hostsRead = 0;
  const noting = (who: string, lookUp: LookupFunction) => ({
    lookUp: (name: string, isWanted = () => true) => {
      if (!isWanted()) throw new Error('not wanted');
      asked.push(`${who} ${name}`);
      return lookUp(name);
    },
    close: () => void asked.push(`close ${who}`),
  });
  const source = new NameLookup({
    now: () => clock.nowMs,
    readHosts: async () => {
      hostsRead += 1;
      return new Map(Object.entries(hosts));
    },
    servers: noting('servers', servers),
    system: system === 'none' ? undefined : noting('system', system),
    monitor: { record: (_, code) => void ended.push(code) },
    family,
  });
  const addresses = async (name: string) => (await source.lookUp(name)).addresses;
  return { source, addresses, asked, ended, clock, hostsRead: () => hostsRead };
}

test('a name is asked of the name servers', async () => {
  const { addresses, asked, ended } = start();
  expect(await addresses('a.test')).toEqual(['192.0.2.1']);
  expect([asked, ended]).toEqual([['servers a.test'], [undefined]]);
});

test('a name of the hosts file is not asked for, and the file is read once', async () => {
  const { addresses, asked, hostsRead } = start({
    hosts: { 'a.test': ['192.0.2.9', '::9'] },
  });
  expect(await addresses('a.test')).toEqual(['192.0.2.9', '::9']);
  expect(await addresses('a.test')).toEqual(['192.0.2.9', '::9']);
  expect([asked, hostsRead()]).toEqual([[], 1]);
});

test.each(['localhost', 'app.localhost', 'a.b.localhost'])('%s is this machine', async (name) => {
  const { addresses, asked } = start();
  expect(await addresses(name)).toEqual(['127.0.0.1', '::1']);
  expect(asked).toEqual([]);
});

test('localhost has both addresses of this machine, those of the hosts file first', async () => {
  const { addresses } = start({ hosts: { localhost: ['192.0.2.9', '::1'] } });
  expect(await addresses('localhost')).toEqual(['192.0.2.9', '::1', '127.0.0.1']);
});

test.each(['nope.invalid', 'invalid'])('%s is nothing, without being asked for', async (name) => {
  const { addresses, asked } = start();
  await expect(addresses(name)).rejects.toMatchObject({
    kind: 'dns',
    code: 'ENOTFOUND',
    message: `ENOTFOUND ${name}: there is no such name`,
  });
  expect(asked).toEqual([]);
});

test.each([
  [4, ['127.0.0.1']],
  [6, ['::1']],
] as const)('localhost has one address of IPv%d', async (family, expected) => {
  expect(await start({ family }).addresses('localhost')).toEqual(expected);
});

test('a name of the hosts file without an address of the wanted family has none', async () => {
  const { addresses } = start({ family: 6, hosts: { 'a.test': ['192.0.2.9'] } });
  await expect(addresses('a.test')).rejects.toMatchObject({ kind: 'dns', code: 'ENODATA' });
});

test.each(['intranet', 'printer.local', 'local'])('%s is left to the system', async (name) => {
  const { addresses, asked } = start();
  expect(await addresses(name)).toEqual(['192.0.2.2']);
  expect(asked).toEqual([`system ${name}`]);
});

test.each(['intranet', 'printer.local'])('%s is asked of the name servers that were chosen', async (name) => {
  expect(await start({ system: 'none' }).addresses(name)).toEqual(['192.0.2.1']);
});

test.each(['ESERVFAIL', 'EREFUSED', 'ETIMEOUT', 'ECONNREFUSED'])(
  'after %s the system is asked',
  async (code) => {
    const { addresses, asked, ended } = start({ servers: fails(code) });
    expect(await addresses('a.test')).toEqual(['192.0.2.2']);
    expect([asked, ended]).toEqual([['servers a.test', 'system a.test'], [undefined]]);
  },
);

test.each(['ENOTFOUND', 'ENODATA', 'EBADNAME'])('after %s nobody else is asked', async (code) => {
  const { addresses, asked, ended } = start({ servers: fails(code) });
  await expect(addresses('a.test')).rejects.toMatchObject({ code });
  expect([asked, ended]).toEqual([['servers a.test'], [code]]);
});

test('the system has the last word when it says that there is no such name', async () => {
  const { addresses } = start({ servers: fails('ECONNREFUSED'), system: fails('ENOTFOUND') });
  await expect(addresses('a.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
});

test('name servers that were chosen fail without the system being asked', async () => {
  const { addresses, ended } = start({ servers: fails('EREFUSED'), system: 'none' });
  await expect(addresses('a.test')).rejects.toMatchObject({ code: 'EREFUSED' });
  expect(ended).toEqual(['EREFUSED']);
});

test('a system that fails too is left alone for half a minute', async () => {
  const { addresses, asked, clock } = start({ servers: fails('ETIMEOUT'), system: fails('EAI_AGAIN') });
  const askedSystem = () => asked.filter((line) => line.startsWith('system'));
  await expect(addresses('a.test')).rejects.toMatchObject({ code: 'ETIMEOUT' });
  clock.nowMs += 29_999;
  await expect(addresses('b.test')).rejects.toMatchObject({ code: 'ETIMEOUT' });
  expect(askedSystem()).toEqual(['system a.test']);
  clock.nowMs += 1;
  await expect(addresses('c.test')).rejects.toMatchObject({ code: 'ETIMEOUT' });
  expect(askedSystem()).toEqual(['system a.test', 'system c.test']);
});

test('close() ends what is under way: it asks no system, and is no trouble', async () => {
  let end = () => {};
  const { source, addresses, asked, ended } = start({
    servers: (name) =>
      new Promise((_, reject) => {
        end = () => reject(dnsError(name, 'ECANCELLED'));
      }),
  });
  const waiting = addresses('a.test');
  await Promise.resolve();
  await Promise.resolve();
  source.close();
  end();
  await expect(waiting).rejects.toMatchObject({ code: 'ECANCELLED' });
  expect([asked, ended]).toEqual([['servers a.test', 'close servers', 'close system'], []]);
});
