import { describe, expect, it } from 'vitest';
import { Baseline } from '../../src/results/history.ts';
import { failedResult, okResult } from '../model/a-result.ts';

const url = 'https://example.com/1';

describe('Baseline.annotate()', () => {
  const baseline = new Baseline();
  baseline.add({ url, method: 'GET' });
  baseline.add({ url: 'https://example.com/any' });
  baseline.add({ url: 'https://example.com/named', method: 'GET', id: 'mine' });

  it('marks a failure of the baseline as known, whatever its kind', () => {
    expect(baseline.annotate(failedResult('dns')).baseline).toBe('known');
    expect(baseline.annotate(failedResult('status')).baseline).toBe('known');
  });

  it('marks any other failure as new', () => {
    expect(baseline.annotate(failedResult('dns', { url: `${url}1` })).baseline).toBe('new');
    expect(baseline.annotate(failedResult('dns', { method: 'POST' })).baseline).toBe('new');
    expect(baseline.annotate(failedResult('dns', { id: 'other' })).baseline).toBe('new');
  });

  it('marks a URL of the baseline that is OK as fixed', () => {
    expect(baseline.annotate(okResult()).baseline).toBe('fixed');
  });

  it('returns a URL that was OK and is OK unchanged', () => {
    const result = okResult({ url: `${url}1` });
    expect(baseline.annotate(result)).toBe(result);
  });

  it('matches a URL of a list with every method and id', () => {
    const result = { url: 'https://example.com/any', method: 'POST', id: 'x' };
    expect(baseline.annotate(failedResult('dns', result)).baseline).toBe('known');
  });

  it('matches an entry with an id only with that id', () => {
    const result = { url: 'https://example.com/named', id: 'mine' };
    expect(baseline.annotate(failedResult('dns', result)).baseline).toBe('known');
    expect(baseline.annotate(failedResult('dns', { url: result.url })).baseline).toBe('new');
  });
});
