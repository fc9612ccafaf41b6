import { describe, expect, it } from 'vitest';
import { hostnameOf } from '../../../src/config/parse/addresses.ts';

// The optimising compiler of V8 comes after some thousand calls; `URL.canParse` of Node 20 then reads other bytes.
const MANY = 20_000;

describe('hostnameOf()', () => {
  it.each([
    ['Example.COM', 'example.com'],
    ['bücher.de:8080', 'xn--bcher-kva.de'],
    ['[::0:1]', '[::1]'],
    ['127.1', '127.0.0.1'],
  ])('gives the host of %s as a URL has it', (authority, hostname) => {
    expect(hostnameOf(authority)).toBe(hostname);
  });

  it.each(['', 'a b', 'host:99999', '[::1', '1.2.3.4.5', 'ß\u009b'])('finds no host in %j', (authority) => {
    expect(hostnameOf(authority)).toBeUndefined();
  });

  it('says the same of names outside of ASCII however often it is asked', () => {
    const said = Array.from({ length: MANY }, () => [hostnameOf('bücher.de'), hostnameOf('ß\u009b')].join());
    expect([...new Set(said)]).toEqual(['xn--bcher-kva.de,']);
  });
});
