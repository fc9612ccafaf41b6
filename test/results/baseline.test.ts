import { describe, expect, it } from 'vitest';
import { Baseline } from '../../src/results/baseline.ts';
import { failedResult, okResult } from '../model/a-result.ts';

const url = 'https://example.com/1';

describe('Baseline.judge()', () => {
  const baseline = new Baseline();
  baseline.add({ url, method: 'GET' });
  baseline.add({ url: 'https://example.com/any' });
  baseline.add({ url: 'https://example.com/named', method: 'GET', id: 'mine' });

  it('calls a failure known that was there before, whatever its kind', () => {
    expect(baseline.judge(failedResult('dns')).baseline).toBe('known');
    expect(baseline.judge(failedResult('status')).baseline).toBe('known');
  });

  it('calls a failure new that was not', () => {
    expect(baseline.judge(failedResult('dns', { url: `${url}1` })).baseline).toBe('new');
    expect(baseline.judge(failedResult('dns', { method: 'POST' })).baseline).toBe('new');
    expect(baseline.judge(failedResult('dns', { id: 'other' })).baseline).toBe('new');
  });

  it('calls a URL mended that failed and is OK', () => {
    expect(baseline.judge(okResult()).baseline).toBe('mended');
  });

  it('says nothing of a URL that was OK and is OK', () => {
    const result = okResult({ url: `${url}1` });
    expect(baseline.judge(result)).toBe(result);
  });

  it('knows a URL of a list under every method and id', () => {
    const result = { url: 'https://example.com/any', method: 'POST', id: 'x' };
    expect(baseline.judge(failedResult('dns', result)).baseline).toBe('known');
  });

  it('knows a result with an id under that id', () => {
    const result = { url: 'https://example.com/named', id: 'mine' };
    expect(baseline.judge(failedResult('dns', result)).baseline).toBe('known');
    expect(baseline.judge(failedResult('dns', { url: result.url })).baseline).toBe('new');
  });
});
