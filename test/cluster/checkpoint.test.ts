import { describe, expect, it } from 'vitest';
import { Bitmap, packBitmap, unpackBitmap } from '../../src/cluster/checkpoint.ts';
import { seededRandom } from '../seeded-random.ts';

describe('Bitmap', () => {
  it('agrees with a set of numbers, also after packing', () => {
    const random = seededRandom(1);
    const [bitmap, set] = [new Bitmap(), new Set<number>()];
    for (let step = 0; step < 500; step++) {
      const index = Math.floor(random() * 1000);
      bitmap.set(index);
      set.add(index);
    }
    for (const one of [bitmap, unpackBitmap(packBitmap(bitmap))]) {
      expect(one.count).toBe(set.size);
      for (let index = 0; index < 1100; index++) expect(one.has(index)).toBe(set.has(index));
    }
  });

  it.each([
    [0, 0],
    [3, 1],
    [4, 2],
    [17, 2],
    [18, 3],
    [1000, 3],
  ])('counts the bits below %i: %i', (end, count) => {
    const bitmap = new Bitmap();
    for (const index of [2, 3, 17]) bitmap.set(index);
    expect(bitmap.countBelow(end)).toBe(count);
  });

  it('finds the lowest index that is not set', () => {
    const bitmap = new Bitmap();
    expect(bitmap.firstClear).toBe(0);
    for (let index = 0; index < 16; index++) bitmap.set(index);
    expect(bitmap.firstClear).toBe(16);
    bitmap.set(17);
    expect(bitmap.firstClear).toBe(16);
  });
});
