import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, test } from 'vitest';
import { type AddressPolicy, denyPrivate, filterAllowed, SPECIAL_RANGES } from '../../src/http/ssrf-guard.ts';
import { runs } from '../arbitrary/runs.ts';
import { startOrigin } from '../origin/origin.ts';
import { startHttps } from '../origin/tls.ts';
import { running, startClient } from './client.ts';

describe('denyPrivate()', () => {
  test.each([
    ['0.0.0.0', '0.0.0.0/8'],
    ['0.255.255.255', '0.0.0.0/8'],
    ['10.0.0.0', '10.0.0.0/8'],
    ['10.255.255.255', '10.0.0.0/8'],
    ['100.64.0.0', '100.64.0.0/10'],
    ['100.127.255.255', '100.64.0.0/10'],
    ['127.0.0.1', '127.0.0.0/8'],
    ['127.255.255.254', '127.0.0.0/8'],
    ['169.254.169.254', '169.254.0.0/16'],
    ['172.16.0.0', '172.16.0.0/12'],
    ['172.31.255.255', '172.16.0.0/12'],
    ['192.0.0.8', '192.0.0.0/24'],
    ['192.0.2.1', '192.0.2.0/24'],
    ['192.88.99.1', '192.88.99.0/24'],
    ['192.168.255.255', '192.168.0.0/16'],
    ['198.18.0.0', '198.18.0.0/15'],
    ['198.19.255.255', '198.18.0.0/15'],
    ['198.51.100.1', '198.51.100.0/24'],
    ['203.0.113.1', '203.0.113.0/24'],
    ['224.0.0.1', '224.0.0.0/4'],
    ['239.255.255.255', '224.0.0.0/4'],
    ['240.0.0.1', '240.0.0.0/4'],
    ['255.255.255.255', '255.255.255.255/32'],
    ['::', '::/128'],
    ['::1', '::1/128'],
    ['0:0:0:0:0:0:0:1', '::1/128'],
    ['::7f00:1', '::/96'],
    ['::8.8.8.8', '::/96'],
    ['64:ff9b:1::808:808', '64:ff9b:1::/48'],
    ['64:ff9b::1:808:808', '::/3'],
    ['100::1', '100::/64'],
    ['100:0:0:1::1', '::/3'],
    ['200::1', '::/3'],
    ['2001::1', '2001::/23'],
    ['2001:10::1', '2001::/23'],
    ['2001:1ff::1', '2001::/23'],
    ['2001:db8::1', '2001:db8::/32'],
    ['3fff::1', '3fff::/20'],
    ['4000::1', '4000::/2'],
    ['5f00::1', '5f00::/16'],
    ['8000::1', '8000::/1'],
    ['fc00::1', 'fc00::/7'],
    ['FD00:EC2::254', 'fc00::/7'],
    ['fe80::1', 'fe80::/10'],
    ['fe80::1%lo', 'fe80::/10'],
    ['febf::1', 'fe80::/10'],
    ['fec0::1', 'fec0::/10'],
    ['ff02::1', 'ff00::/8'],
  ])('refuses %s, which is of %s', (address, cidr) => {
    expect(denyPrivate(address)).toMatch(`${address} is `);
    expect(denyPrivate(address)).toMatch(`(${cidr}), which --deny-private refuses`);
  });

  test.each([
    ['::ffff:127.0.0.1', '127.0.0.1', '127.0.0.0/8'],
    ['::ffff:7f00:1', '127.0.0.1', '127.0.0.0/8'],
    ['0:0:0:0:0:ffff:7f00:0001', '127.0.0.1', '127.0.0.0/8'],
    ['::FFFF:a9fe:a9fe', '169.254.169.254', '169.254.0.0/16'],
    ['::ffff:0:10.0.0.1', '10.0.0.1', '10.0.0.0/8'],
    ['64:ff9b::192.168.0.1', '192.168.0.1', '192.168.0.0/16'],
    ['64:ff9b::a00:1', '10.0.0.1', '10.0.0.0/8'],
    ['2002:7f00:1::', '127.0.0.1', '127.0.0.0/8'],
    ['2002:c0a8:1:1:2:3:4:5', '192.168.0.1', '192.168.0.0/16'],
  ])('refuses %s, which embeds %s', (address, inner, cidr) => {
    expect(denyPrivate(address)).toMatch(`${address}, which stands for ${inner}, is `);
    expect(denyPrivate(address)).toMatch(`(${cidr})`);
  });

  test.each([
    '1.0.0.0',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2001:200::1',
    '2001:db7::1',
    '2606:4700::1111',
    '2a00:1450::1',
    '3ffe::1',
    '::ffff:8.8.8.8',
    '64:ff9b::808:808',
    '2002:808:808::1',
  ])('allows %s', (address) => {
    expect(denyPrivate(address)).toBeUndefined();
  });

  test.each(['', 'localhost', 'example.com', '127.1', '2130706433', '0x7f.1', '[::1]', '8.8.8.8 '])(
    'refuses "%s", which is not an address but may resolve to one',
    (text) => {
      expect(denyPrivate(text)).toMatch('is not an IP address');
    },
  );

  test('says in one sentence what the address is', () => {
    expect(denyPrivate('127.0.0.1')).toBe(
      '127.0.0.1 is a loopback address (127.0.0.0/8), which --deny-private refuses',
    );
  });

  test('refuses every address that ipaddr.js calls special and that is not globally reachable', () => {
    const global = ['unicast', 'as112', 'amt', 'as112v6', 'ipv4Mapped', 'rfc6145', 'rfc6052', '6to4'];
    const start = fc.constantFrom(
      0,
      1,
      0x64,
      0x100,
      0x2001,
      0x2002,
      0x2620,
      0x3fff,
      0x5f00,
      0xfc00,
      0xfe80,
      0xfec0,
    );
    const byte = fc.nat(255);
    const ipv4 = fc.array(byte, { minLength: 4, maxLength: 4 });
    const ipv6 = fc
      .tuple(
        fc.oneof(start, fc.nat(0xffff)),
        fc.array(fc.oneof(fc.constant(0), byte), { minLength: 14, maxLength: 14 }),
      )
      .map(([group, rest]) => [group >> 8, group & 0xff, ...rest]);
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (bytes) => {
        const address = ipaddr.fromByteArray(bytes);
        if (!global.includes(address.range())) expect(denyPrivate(address.toString())).toBeDefined();
      }),
      runs(500),
    );
  });

  test('refuses the first and the last address of every range of the table', () => {
    for (const cidr of Object.keys(SPECIAL_RANGES)) {
      const [first = ''] = cidr.split('/');
      const { IPv4, IPv6 } = ipaddr;
      const last = (first.includes(':') ? IPv6 : IPv4).broadcastAddressFromCIDR(cidr).toString();
      expect([denyPrivate(first), denyPrivate(last)], cidr).toEqual([expect.any(String), expect.any(String)]);
    }
  });
});

test.each([
  ['http://0x7f.1/', '127.0.0.1'],
  ['http://2130706433/', '127.0.0.1'],
  ['http://017700000001/', '127.0.0.1'],
  ['http://0177.0.0.01/', '127.0.0.1'],
  ['http://127.1/', '127.0.0.1'],
  ['http://127.0.0.1./', '127.0.0.1'],
  ['http://１２７.０.０.１/', '127.0.0.1'],
  ['http://127。0。0。1/', '127.0.0.1'],
  ['http://%31%32%37.0.0.1/', '127.0.0.1'],
  ['http://[::ffff:127.0.0.1]/', '::ffff:7f00:1'],
  ['http://[::ffff:7f00:1]/', '::ffff:7f00:1'],
  ['http://[0:0:0:0:0:0:0:1]/', '::1'],
])('denyPrivate() refuses the host of %s as the URL standard parses it', (url, address) => {
  const { hostname } = new URL(url);
  expect(hostname.replace(/^\[|\]$/g, '')).toBe(address);
  expect(denyPrivate(address)).toBeDefined();
});

describe('filterAllowed()', () => {
  const public4 = '8.8.8.8';
  const public6 = '2606:4700::1111';

  test('keeps the addresses that the policy allows, in their order', () => {
    expect(filterAllowed(['10.0.0.1', public6, '::1', public4], denyPrivate)).toEqual([public6, public4]);
  });

  test('is an error of kind denied about the first address if the policy refuses all', () => {
    expect(filterAllowed(['10.0.0.1', '::1'], denyPrivate)).toMatchObject({
      kind: 'denied',
      message: expect.stringMatching(/^10\.0\.0\.1 is a private address/),
    });
  });

  test('keeps all addresses without a policy', () => {
    expect(filterAllowed(['10.0.0.1'], undefined)).toEqual(['10.0.0.1']);
  });
});

describe('a client with denyPrivate()', () => {
  /** The address that the policy of these tests allows. */
  const PUBLIC = '127.0.0.2';

  const addressPolicy: AddressPolicy = (address) => (address === PUBLIC ? undefined : denyPrivate(address));

  /** A public and a private origin on one port, and a client whose lookups resolve to these lists of addresses in turn. */
  async function start(...lookups: readonly (readonly string[])[]) {
    const open = await running(startOrigin({ host: PUBLIC }));
    const inner = await running(startOrigin({ host: '127.0.0.1', port: open.port }));
    const left = [...lookups];
    const lookUp = async () => left.shift() ?? [];
    const client = await startClient({ addressPolicy, lookUp });
    return { open, inner, client, url: `http://name.test:${open.port}/ok` };
  }

  test('fails for good, and sends nothing, if a name has only a refused address', async () => {
    const { inner, client, url } = await start(['127.0.0.1']);
    expect((await client.send(url)).failed).toEqual({
      failure: {
        kind: 'denied',
        message: '127.0.0.1 is a loopback address (127.0.0.0/8), which --deny-private refuses',
      },
      isRetryable: false,
    });
    expect(inner.connections).toBe(0);
  });

  test.each(['127.0.0.1', '127.1', '0x7f.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]'])(
    'denies the literal address %s',
    async (host) => {
      const { inner, client } = await start();
      const { failed } = await client.send(`http://${host}:${inner.port}/ok`);
      expect(failed).toMatchObject({ failure: { kind: 'denied' }, isRetryable: false });
      expect(inner.connections).toBe(0);
    },
  );

  test('skips a refused address among others', async () => {
    const { open, inner, client, url } = await start(['127.0.0.1', PUBLIC]);
    expect((await client.send(url)).response?.status).toBe(200);
    expect([inner.connections, open.connections]).toEqual([0, 1]);
  });

  test('fails to connect if the allowed addresses refuse connections', async () => {
    const { open, inner, client, url } = await start([PUBLIC, '127.0.0.1']);
    await open.close();
    expect((await client.send(url)).failed).toMatchObject({
      failure: { kind: 'connect', code: 'ECONNREFUSED' },
      isRetryable: true,
    });
    expect(inner.connections).toBe(0);
  });

  test('checks the address that is connected to, also if a name changes its addresses', async () => {
    const { open, inner } = await start();
    let address = PUBLIC;
    const { agent, send } = await startClient({ addressPolicy, lookUp: async () => [address] });
    expect((await send(`http://one.test:${open.port}/ok`)).response?.status).toBe(200);
    address = '127.0.0.1';
    expect((await send(`http://two.test:${open.port}/ok`)).failed?.failure.kind).toBe('denied');
    expect((await send(`http://one.test:${open.port}/ok`)).response?.status, 'the kept connection').toBe(200);
    expect([open.connections, inner.connections, agent.inFlight]).toEqual([1, 0, 0]);
  });

  test('denies a lookup that resolves to a name, which would be looked up again', async () => {
    const { inner, client, url } = await start(['localhost']);
    expect((await client.send(url)).failed?.failure.kind).toBe('denied');
    expect(inner.connections).toBe(0);
  });

  test('denies an https origin before the handshake', async () => {
    const server = await running(startHttps());
    const { send } = await startClient({ addressPolicy });
    expect((await send(server.url)).failed?.failure.kind).toBe('denied');
    expect(server.connections).toBe(0);
  });
});
