import { expect, test } from 'vitest';
import { type Families, NameServers } from '../../../src/http/dns/name-servers.ts';
import { type DnsEntry, type DnsOptions, startDnsServer } from '../../origin/dns-server.ts';
import { running } from '../client.ts';

async function start(entry: DnsEntry, families: Families = 'both', options: DnsOptions = {}) {
  const server = await running(startDnsServer({ 'a.test': entry }, options));
  const names = new NameServers({ servers: [server.address], families, firstTryMs: 50 });
  return { server, names, lookUp: (name = 'a.test') => names.lookUp(name) };
}

const A = ['127.0.0.1', '127.0.0.2'];
const AAAA = ['::1'];

test.each<[Families, readonly string[], number, number]>([
  ['both', [...A, ...AAAA], 1, 1],
  ['ipv4', A, 1, 0],
  ['ipv6', AAAA, 0, 1],
  ['ipv4-first', A, 1, 0],
])('%s: the addresses are %j', async (families, addresses, queriesA, queriesAaaa) => {
  const { server, lookUp } = await start({ a: A, aaaa: AAAA }, families);
  expect(await lookUp()).toEqual({ addresses, ttlMs: 60_000 });
  expect([server.queriesFor('a.test', 'A'), server.queriesFor('a.test', 'AAAA')]).toEqual([
    queriesA,
    queriesAaaa,
  ]);
});

test('ipv4-first: AAAA is queried if there is no A record', async () => {
  const { lookUp } = await start({ aaaa: AAAA }, 'ipv4-first');
  expect(await lookUp()).toMatchObject({ addresses: AAAA });
});

test('the shortest TTL applies', async () => {
  const { lookUp } = await start({ a: A, ttlSeconds: 70, forAaaa: { aaaa: AAAA, ttlSeconds: 7 } });
  expect(await lookUp()).toEqual({ addresses: [...A, ...AAAA], ttlMs: 7_000 });
});

test.each<[string, DnsEntry]>([
  ['fails', { fail: 'servfail' }],
  ['is silent', { silent: true }],
])('a name server that %s for AAAA does not delay IPv4 addresses', async (_, forAaaa) => {
  const { lookUp } = await start({ a: A, forAaaa });
  expect(await lookUp()).toMatchObject({ addresses: A });
});

test.each<[string, DnsEntry, string]>([
  ['no record of either kind', {}, 'ENODATA'],
  ['only an alias', { cname: 'nothing.test' }, 'ENODATA'],
  ['an alias of itself', { cname: 'a.test' }, 'ENODATA'],
  ['NXDOMAIN', { fail: 'nxdomain' }, 'ENOTFOUND'],
  ['SERVFAIL', { fail: 'servfail' }, 'ESERVFAIL'],
  ['REFUSED', { fail: 'refused' }, 'EREFUSED'],
  ['no A, and SERVFAIL for AAAA', { forAaaa: { fail: 'servfail' } }, 'ESERVFAIL'],
  ['silence', { silent: true }, 'ETIMEOUT'],
])('%s', async (_, entry, code) => {
  const { lookUp } = await start(entry);
  await expect(lookUp()).rejects.toMatchObject({ kind: 'dns', code });
});

test.each(['a..test', `${'x'.repeat(64)}.test`, 'a b.test'])(
  '%j is not a valid name, for good',
  async (name) => {
    const { server, lookUp } = await start({});
    await expect(lookUp(name)).rejects.toMatchObject({ kind: 'dns', code: 'EBADNAME' });
    expect(server.queries).toBe(0);
  },
);

test.each(['under_score.a.test', 'xn--bcher-kva.test', '-a-.test'])('%s is a valid name', async (name) => {
  const { lookUp } = await start({}, 'ipv4', { fallback: { a: A } });
  expect(await lookUp(name)).toMatchObject({ addresses: A });
});

test('a lost query is sent again, up to three times', async () => {
  const { server, lookUp } = await start({ a: A, drops: 3 }, 'ipv4');
  expect(await lookUp()).toMatchObject({ addresses: A });
  expect(server.queriesFor('a.test')).toBe(4);
});

test('eight of hundreds of addresses are used, also over TCP', async () => {
  const many = Array.from({ length: 300 }, (_, i) => `127.0.${i >> 8}.${i & 255}`);
  const { lookUp } = await start({ a: many, truncated: true, forAaaa: {} }, 'ipv4', { tcp: true });
  expect(await lookUp()).toMatchObject({ addresses: many.slice(0, 8) });
});

test('a name server that refuses connections fails the lookup', async () => {
  const { server, names } = await start({});
  await server.close();
  await expect(names.lookUp('a.test')).rejects.toMatchObject({ kind: 'dns', code: 'ECONNREFUSED' });
});

test.each<Families>(['both', 'ipv4-first'])(
  'close() fails queries in flight and later ones (%s)',
  async (families) => {
    const { server, names, lookUp } = await start({ silent: true }, families);
    const inFlight = lookUp();
    names.close();
    const outcomes = await Promise.allSettled([inFlight, lookUp()]);
    expect(outcomes).toMatchObject([{ reason: { code: 'ECANCELLED' } }, { reason: { code: 'ECANCELLED' } }]);
    const other = new NameServers({ servers: [server.address], families: 'ipv6' });
    server.set('a.test', { aaaa: AAAA });
    await other.lookUp('a.test'); // what was sent before it has come by now
    expect(server.queriesFor('a.test', 'AAAA')).toBe(families === 'both' ? 2 : 1);
  },
);

test('`servers` lists the addresses of the name servers', async () => {
  const { server, names } = await start({});
  expect(names.servers).toEqual([server.address]);
});
