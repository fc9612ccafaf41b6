import { describe, expect, it } from 'vitest';
import { listCounts } from '../../src/cluster/stop-coordinator.ts';

const END = { chunks: 10, read: 100, skipped: 5, jobs: 0, sha256: '' };

describe('listCounts()', () => {
  it('counts URLs without a result as not fetched, once the end of the list is known', () => {
    expect(listCounts({ end: END, feed: undefined }, 60)).toEqual({ read: 100, skipped: 5, notFetched: 35 });
  });

  it('returns a negative count when a list that was sent has more results than URLs', () => {
    expect(listCounts({ end: END, feed: undefined }, 96).notFetched).toBe(-1);
  });

  it('takes the length of a list that was counted after a stop, or else the URLs that were read', () => {
    const feed = { chunks: 3, read: 30, skipped: 2 };
    expect(listCounts({ end: undefined, feed }, 10)).toEqual({ read: 30, skipped: 2, notFetched: 18 });
    expect(listCounts({ end: undefined, feed: { ...feed, total: 90, isLast: true } }, 10)).toEqual({
      read: 90,
      skipped: 2,
      notFetched: 78,
    });
  });

  it('takes the number of results when the sender reported fewer URLs, or none', () => {
    const feed = { chunks: 1, read: 8, skipped: 2 };
    expect(listCounts({ end: undefined, feed }, 10)).toEqual({ read: 12, skipped: 2, notFetched: 0 });
    expect(listCounts({ end: undefined, feed: undefined }, 10)).toEqual({
      read: 10,
      skipped: 0,
      notFetched: 0,
    });
  });
});
