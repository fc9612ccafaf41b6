import { describe, expect, it } from 'vitest';
import { threadForHost } from '../../../src/fetch/threads/threaded-transport.ts';

describe('threadForHost()', () => {
  const hosts = Array.from({ length: 4000 }, (_, index) => `127.0.${index >> 8}.${index & 255}:8080`);

  it.each([1, 2, 3, 64])('gives each of %i threads its part of many hosts', (count) => {
    const parts = Array.from({ length: count }, () => 0);
    for (const host of hosts)
      parts[threadForHost(host, count)] = (parts[threadForHost(host, count)] ?? 0) + 1;
    expect(parts).toHaveLength(count);
    for (const part of parts) {
      expect(part).toBeGreaterThan((0.5 * hosts.length) / count);
      expect(part).toBeLessThan((1.5 * hosts.length) / count);
    }
  });

  it('tells names apart that differ in their last letter', () => {
    const names = Array.from({ length: 26 }, (_, index) => `www.example.${String.fromCharCode(97 + index)}`);
    expect(new Set(names.map((name) => threadForHost(name, 2)))).toEqual(new Set([0, 1]));
  });
});
