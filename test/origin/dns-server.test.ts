import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { type DnsEntry, type DnsOptions, startDnsServer } from './dns-server.ts';

async function start(zone: Record<string, DnsEntry>, options: DnsOptions = {}, timeout = 5000) {
  const server = await startDnsServer(zone, options);
  onTestFinished(() => server.close());
  const resolver = new Resolver({ timeout, tries: 1 });
  resolver.setServers([server.address]);
  return { server, resolver };
}

test('A and AAAA records come with their time to live', async () => {
  const { resolver } = await start({
    'a.test': { a: ['127.0.0.1', '127.0.0.2'], aaaa: ['::1'], ttlSeconds: 7 },
  });
  expect(await resolver.resolve4('a.test', { ttl: true })).toEqual([
    { address: '127.0.0.1', ttl: 7 },
    { address: '127.0.0.2', ttl: 7 },
  ]);
  expect(await resolver.resolve6('a.test')).toEqual(['::1']);
});

test.each([
  ['fail: nxdomain', { fail: 'nxdomain' }, 'ENOTFOUND'],
  ['fail: servfail', { fail: 'servfail' }, 'ESERVFAIL'],
  ['fail: refused', { fail: 'refused' }, 'EREFUSED'],
  ['no record of the type', { aaaa: ['::1'] }, 'ENODATA'],
] as const)('%s', async (_name, entry, code) => {
  const { resolver } = await start({ 'a.test': entry });
  await expect(resolver.resolve4('a.test')).rejects.toMatchObject({ code });
});

test('a name that is not in the zone is NXDOMAIN, or what the fallback says', async () => {
  const { resolver } = await start({});
  await expect(resolver.resolve4('nope.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  const other = await start({}, { fallback: { a: ['127.0.0.3'] } });
  expect(await other.resolver.resolve4('nope.test')).toEqual(['127.0.0.3']);
});

test('silence makes the resolver give up', async () => {
  const { server, resolver } = await start({ 'a.test': { silent: true } }, {}, 50);
  await expect(resolver.resolve4('a.test')).rejects.toMatchObject({ code: 'ETIMEOUT' });
  expect(server.queriesFor('a.test')).toBeGreaterThan(0);
});

test('an alias is followed to its addresses', async () => {
  const { resolver } = await start({
    'www.test': { cname: 'cdn.test' },
    'cdn.test': { cname: 'edge.test' },
    'edge.test': { a: ['127.0.0.4'] },
  });
  expect(await resolver.resolve4('www.test')).toEqual(['127.0.0.4']);
  expect(await resolver.resolveCname('www.test')).toContain('cdn.test');
});

test('an alias that points to itself gets one bounded answer without an address', async () => {
  const { server, resolver } = await start({ 'loop.test': { cname: 'loop.test' } });
  expect(await resolver.resolve4('loop.test')).toEqual([]); // c-ares takes aliases alone for a success
  expect(server.queries).toBe(1);
});

test('an answer with latency comes after one without', async () => {
  const { resolver } = await start({
    'slow.test': { a: ['127.0.0.1'], latencyMs: 50 },
    'fast.test': { a: ['127.0.0.1'] },
  });
  const order: string[] = [];
  const asked = ['slow.test', 'fast.test'].map(async (name) => {
    await resolver.resolve4(name);
    order.push(name);
  });
  await Promise.all(asked);
  expect(order).toEqual(['fast.test', 'slow.test']);
});

test('queries are counted by name and type, whatever their case', async () => {
  const { server, resolver } = await start({ 'a.test': { a: ['127.0.0.1'], aaaa: ['::1'] } });
  await resolver.resolve4('a.test');
  await resolver.resolve4('A.Test');
  await resolver.resolve6('a.test');
  expect(server.queries).toBe(3);
  expect([
    server.queriesFor('a.test'),
    server.queriesFor('a.test', 'A'),
    server.queriesFor('b.test'),
  ]).toEqual([3, 2, 0]);
});

test('set() changes what is said from then on', async () => {
  const { server, resolver } = await start({ 'a.test': { fail: 'servfail' } });
  await expect(resolver.resolve4('a.test')).rejects.toThrow();
  server.set('a.test', { a: ['127.0.0.5'] });
  expect(await resolver.resolve4('a.test')).toEqual(['127.0.0.5']);
});

test('a packet that is no DNS is ignored', async () => {
  const { server, resolver } = await start({ 'a.test': { a: ['127.0.0.1'] } });
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  for (const garbage of [Buffer.from('x'), Buffer.alloc(12), Buffer.alloc(600, 0xff)]) {
    socket.send(garbage, server.port, server.host);
  }
  await once(socket, 'listening');
  expect(await resolver.resolve4('a.test')).toEqual(['127.0.0.1']);
});

test('the server listens on ::1 when asked, and closes twice', async () => {
  const { server, resolver } = await start({ 'a.test': { a: ['127.0.0.1'] } }, { host: '::1' });
  expect(server.address).toBe(`[::1]:${server.port}`);
  expect(await resolver.resolve4('a.test')).toEqual(['127.0.0.1']);
  await Promise.all([server.close(), server.close()]);
});

test('a truncated answer comes whole over TCP', async () => {
  const a = Array.from({ length: 200 }, (_, i) => `127.0.1.${i}`);
  const { server, resolver } = await start({ 'long.test': { a, truncated: true } }, { tcp: true });
  expect(await resolver.resolve4('long.test')).toEqual(a);
  expect(server.queriesFor('long.test')).toBe(2);
});

test('the first queries are dropped, and AAAA has answers of its own, when asked', async () => {
  const { server, resolver } = await start(
    { 'a.test': { a: ['127.0.0.1'], drops: 1, forAaaa: { fail: 'servfail' } } },
    {},
    50,
  );
  await expect(resolver.resolve4('a.test')).rejects.toMatchObject({ code: 'ETIMEOUT' });
  expect(await resolver.resolve4('a.test')).toEqual(['127.0.0.1']);
  await expect(resolver.resolve6('a.test')).rejects.toMatchObject({ code: 'ESERVFAIL' });
  expect(server.queriesFor('a.test', 'AAAA')).toBe(1);
});
