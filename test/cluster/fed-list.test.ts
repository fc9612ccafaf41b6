import { describe, expect, it } from 'vitest';
import { listCounts } from '../../src/cluster/stop-coordinator.ts';

const END = { chunks: 10, read: 100, skipped: 5 };

describe('listCounts()', () => {
  it('counts what has no result as not fetched, once the end of the list is known', () => {
    expect(listCounts({ end: END, fed: undefined }, 60)).toEqual({ read: 100, skipped: 5, notFetched: 35 });
  });

  it('hides nothing when a list that was sent has more results than URLs', () => {
    expect(listCounts({ end: END, fed: undefined }, 96).notFetched).toBe(-1);
  });

  it('takes the whole length of a list that was counted after a stop, and else what was read of it', () => {
    const fed = { chunks: 3, read: 30, skipped: 2 };
    expect(listCounts({ end: undefined, fed }, 10)).toEqual({ read: 30, skipped: 2, notFetched: 18 });
    expect(listCounts({ end: undefined, fed: { ...fed, total: 90, isLast: true } }, 10)).toEqual({
      read: 90,
      skipped: 2,
      notFetched: 78,
    });
  });

  it('believes the results when the sender has told of fewer, or of nothing', () => {
    const fed = { chunks: 1, read: 8, skipped: 2 };
    expect(listCounts({ end: undefined, fed }, 10)).toEqual({ read: 12, skipped: 2, notFetched: 0 });
    expect(listCounts({ end: undefined, fed: undefined }, 10)).toEqual({
      read: 10,
      skipped: 0,
      notFetched: 0,
    });
  });
});
