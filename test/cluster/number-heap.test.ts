import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NumberHeap, type Triple } from '../../src/cluster/ordered-reader.ts';

describe('NumberHeap', () => {
  it('gives out what was put in, by its key', () => {
    const triple = fc.tuple(fc.nat(50), fc.nat(), fc.nat());
    fc.assert(
      fc.property(fc.array(triple, { maxLength: 300 }), (triples) => {
        const heap = new NumberHeap();
        for (const one of triples) heap.push(one);
        expect(heap.size).toBe(triples.length);
        const out: Triple[] = [];
        for (let one = heap.pop(); one !== undefined; one = heap.pop()) out.push(one);
        expect(out.map(([key]) => key)).toEqual(triples.map(([key]) => key).toSorted((a, b) => a - b));
        expect(out.map(String).toSorted()).toEqual(triples.map(String).toSorted());
        expect([heap.lowest, heap.peek()]).toEqual([Number.POSITIVE_INFINITY, undefined]);
      }),
    );
  });
});
