import { describe, expect, it } from 'vitest';
import { FlakyHistory } from '../../src/results/flaky.ts';
import { failedResult, okResult } from '../model/a-result.ts';

const entry = { method: 'GET', url: 'https://example.com/1', id: undefined };

describe('BadRuns', () => {
  it('lets a failure pass until there were enough of them in a row', () => {
    let bad = new FlakyHistory(3);
    const seen = [];
    for (let run = 1; run <= 4; run += 1) {
      seen.push(bad.judge(failedResult('dns')).badRuns);
      bad = new FlakyHistory(3, bad.remembered(true));
    }
    expect(seen).toEqual([1, 2, undefined, undefined]);
  });

  it('counts from the beginning after a good run', () => {
    const bad = new FlakyHistory(3, [{ ...entry, badRuns: 2 }]);
    expect(bad.judge(okResult())).toEqual(okResult());
    expect([...bad.remembered(true)]).toEqual([]);
    expect(bad.judge(failedResult('dns')).badRuns).toBe(1);
  });

  it('counts one bad run for a URL that stands in the list twice', () => {
    const bad = new FlakyHistory(3);
    expect(bad.judge(failedResult('dns')).badRuns).toBe(1);
    expect(bad.judge(failedResult('dns')).badRuns).toBe(1);
    expect([...bad.remembered(true)]).toEqual([{ ...entry, badRuns: 1 }]);
  });

  it('tells apart what differs in method, URL or id', () => {
    const bad = new FlakyHistory(3, [{ ...entry, badRuns: 1 }]);
    expect(bad.judge(failedResult('dns', { method: 'HEAD' })).badRuns).toBe(1);
    expect(bad.judge(failedResult('dns', { id: 'mine' })).badRuns).toBe(1);
    expect(bad.judge(failedResult('dns', { url: 'https://example.com/2' })).badRuns).toBe(1);
    expect(bad.judge(failedResult('dns')).badRuns).toBe(2);
  });

  it('fails at once when one bad run is enough', () => {
    expect(new FlakyHistory(1).judge(failedResult('dns')).badRuns).toBeUndefined();
  });

  it('forgets what is no longer in the list, but only when the run has come to its end', () => {
    const bad = new FlakyHistory(3, [{ ...entry, badRuns: 2 }]);
    expect([...bad.remembered(true)]).toEqual([]);
    expect([...bad.remembered(false)]).toEqual([{ ...entry, badRuns: 2 }]);
  });
});
