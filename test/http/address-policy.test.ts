import { describe, expect, test } from 'vitest';
import { denyPrivate, filterAllowed, SPECIAL_RANGES } from '../../src/http/ssrf-guard.ts';

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
  ])('refuses %s, since it stands for %s', (address, inner, cidr) => {
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
  ])('lets %s pass', (address) => {
    expect(denyPrivate(address)).toBeUndefined();
  });

  test.each(['', 'localhost', 'example.com', '127.1', '2130706433', '0x7f.1', '[::1]', '8.8.8.8 '])(
    'refuses "%s", which is no address but may become one',
    (text) => {
      expect(denyPrivate(text)).toMatch('is no IP address');
    },
  );

  test('says in one sentence what the address is', () => {
    expect(denyPrivate('127.0.0.1')).toBe(
      '127.0.0.1 is a loopback address (127.0.0.0/8), which --deny-private refuses',
    );
  });

  test('refuses the first and the last address of every range of the tables', () => {
    for (const cidr of Object.keys(SPECIAL_RANGES)) {
      const [first = ''] = cidr.split('/');
      expect(denyPrivate(first), cidr).toBeDefined();
    }
  });
});

// What WHATWG makes of the host of a URL is what is connected to.
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
])('the host of %s is refused', (url, address) => {
  const { hostname } = new URL(url);
  expect(hostname.replace(/^\[|\]$/g, '')).toBe(address);
  expect(denyPrivate(address)).toBeDefined();
});

describe('allowedOf()', () => {
  const public4 = '8.8.8.8';
  const public6 = '2606:4700::1111';

  test('keeps those that the policy lets pass, in their order', () => {
    expect(filterAllowed(['10.0.0.1', public6, '::1', public4], denyPrivate)).toEqual([public6, public4]);
  });

  test('is an error of kind denied about the first address when none is left', () => {
    expect(filterAllowed(['10.0.0.1', '::1'], denyPrivate)).toMatchObject({
      kind: 'denied',
      message: expect.stringMatching(/^10\.0\.0\.1 is a private address/),
    });
  });

  test('keeps all without a policy', () => {
    expect(filterAllowed(['10.0.0.1'], undefined)).toEqual(['10.0.0.1']);
  });
});
