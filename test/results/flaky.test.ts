import { describe, expect, it } from 'vitest';
import { FlakyHistory } from '../../src/results/history.ts';
import { failedResult, okResult } from '../model/a-result.ts';

const entry = { method: 'GET', url: 'https://example.com/1', id: undefined };

describe('FlakyHistory', () => {
  it('counts bad runs until there are enough of them in a row', () => {
    let history = new FlakyHistory(3);
    const seen = [];
    for (let run = 1; run <= 4; run += 1) {
      seen.push(history.annotate(failedResult('dns')).badRuns);
      history = new FlakyHistory(3, history.entries(true));
    }
    expect(seen).toEqual([1, 2, undefined, undefined]);
  });

  it('starts counting again after a good run', () => {
    const history = new FlakyHistory(3, [{ ...entry, badRuns: 2 }]);
    expect(history.annotate(okResult())).toEqual(okResult());
    expect([...history.entries(true)]).toEqual([]);
    expect([...history.entries(false)]).toEqual([]);
    const next = new FlakyHistory(3, history.entries(true));
    expect(next.annotate(failedResult('dns')).badRuns).toBe(1);
  });

  it.each([
    ['before', [okResult(), failedResult('dns'), okResult()]],
    ['after', [failedResult('dns'), okResult(), okResult()]],
  ])('counts a bad run of jobs that share a URL if one is OK %s another fails', (_, results) => {
    let history = new FlakyHistory(3);
    const seen = [];
    for (let run = 1; run <= 3; run += 1) {
      seen.push(results.map((result) => history.annotate(result)).find(({ ok }) => !ok)?.badRuns);
      expect([...history.entries(run !== 2)]).toEqual([{ ...entry, badRuns: run }]);
      history = new FlakyHistory(3, history.entries(true));
    }
    expect(seen).toEqual([1, 2, undefined]);
  });

  it('learns nothing from a request that the end of the run cut off', () => {
    const history = new FlakyHistory(3, [{ ...entry, badRuns: 1 }]);
    const cutOff = failedResult('aborted', { attempts: 1 });
    expect(history.annotate(cutOff)).toEqual(cutOff);
    expect([...history.entries(false)]).toEqual([{ ...entry, badRuns: 1 }]);
  });

  it('counts one bad run for a URL that is in the list twice', () => {
    const history = new FlakyHistory(3);
    expect(history.annotate(failedResult('dns')).badRuns).toBe(1);
    expect(history.annotate(failedResult('dns')).badRuns).toBe(1);
    expect([...history.entries(true)]).toEqual([{ ...entry, badRuns: 1 }]);
  });

  it('distinguishes entries by method, URL and id', () => {
    const history = new FlakyHistory(3, [{ ...entry, badRuns: 1 }]);
    expect(history.annotate(failedResult('dns', { method: 'PUT' })).badRuns).toBe(1);
    expect(history.annotate(failedResult('dns', { id: 'mine' })).badRuns).toBe(1);
    expect(history.annotate(failedResult('dns', { url: 'https://example.com/2' })).badRuns).toBe(1);
    expect(history.annotate(failedResult('dns')).badRuns).toBe(2);
  });

  it.each([
    ['an invalid URL', failedResult('invalid')],
    ['a denied address', failedResult('denied')],
    ['404', failedResult('status', { status: 404 })],
    ['410', failedResult('status', { status: 410 })],
  ])('does not excuse what does not pass by itself: %s', (_, result) => {
    expect(new FlakyHistory(3).annotate(result)).toEqual(result);
  });

  it('excuses 503 and a redirect to a 404 that times out', () => {
    const history = new FlakyHistory(3);
    expect(history.annotate(failedResult('status', { status: 503 })).badRuns).toBe(1);
    expect(history.annotate(failedResult('timeout', { url: 'http://b/', status: 404 })).badRuns).toBe(1);
  });

  it('does not count with a threshold of one', () => {
    expect(new FlakyHistory(1).annotate(failedResult('dns')).badRuns).toBeUndefined();
  });

  it('forgets URLs that are no longer in the list, but only if the run was complete', () => {
    const history = new FlakyHistory(3, [{ ...entry, badRuns: 2 }]);
    expect([...history.entries(true)]).toEqual([]);
    expect([...history.entries(false)]).toEqual([{ ...entry, badRuns: 2 }]);
  });
});
