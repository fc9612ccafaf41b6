import { describe, expect, it } from 'vitest';
import { didYouMean } from '../../src/config/did-you-mean.ts';

describe('didYouMean()', () => {
  it('gives the candidate with the fewest changes', () => {
    expect(didYouMean('retris', ['retryOn', 'retries', 'unique'])).toBe('retries');
    expect(didYouMean('headd', ['head', 'header'])).toBe('head');
    expect(didYouMean('headd', ['header', 'head'])).toBe('head');
  });

  it('takes no notice of case, dashes and underscores', () => {
    expect(didYouMean('MAX_REDIRECTS', ['maxRedirects'])).toBe('maxRedirects');
    expect(didYouMean('--max-redirects', ['maxRedirects'])).toBe('maxRedirects');
  });

  it('gives nothing when more than a third would change', () => {
    expect(didYouMean('home', ['head', 'queue'])).toBeUndefined();
    expect(didYouMean('', ['head'])).toBeUndefined();
    expect(didYouMean('head', [])).toBeUndefined();
  });

  it('allows one change in a short word', () => {
    expect(didYouMean('ab', ['ac'])).toBe('ac');
    expect(didYouMean('ab', ['cd'])).toBeUndefined();
  });
});
