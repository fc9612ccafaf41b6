import { describe, expect, it } from 'vitest';
import { KeySet } from '../../src/input/hash-set.ts';

describe('KeySet', () => {
  it('add() returns true for a new string only', () => {
    const seen = new KeySet();
    expect(seen.add('a')).toBe(true);
    expect(seen.add('b')).toBe(true);
    expect(seen.add('a')).toBe(false);
    expect(seen.add('')).toBe(true);
    expect(seen.add('')).toBe(false);
  });

  it('distinguishes 100,000 strings while it grows, and finds each of them afterwards', () => {
    const seen = new KeySet();
    const texts = Array.from({ length: 100_000 }, (_, at) => `GET\nhttps://example.com/${at}`);
    expect(texts.filter((text) => !seen.add(text))).toEqual([]);
    expect(texts.filter((text) => seen.add(text))).toEqual([]);
    expect(seen.add('GET\nhttps://example.com/100000')).toBe(true);
  });

  it('stores a few bytes per string, whatever its length', () => {
    const before = process.memoryUsage().arrayBuffers;
    const seen = new KeySet();
    const tail = 'x'.repeat(1000);
    for (let at = 0; at < 150_000; at++) seen.add(`https://example.com/${at}/${tail}`);
    // Twice the limit of 32 bytes, since the smaller tables may not be collected yet.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(150_000 * 64);
    expect(seen.add(`https://example.com/0/${tail}`)).toBe(false);
  });
});
