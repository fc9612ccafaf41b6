import { describe, expect, it } from 'vitest';
import { refusal, resolve } from './resolve-given.ts';

describe('values that depend on others', () => {
  it('makes the queue hold 1000 jobs, or 4 for each worker', () => {
    expect(resolve({}).queue).toBe(1000);
    expect(resolve({ flags: { concurrency: '250' } }).queue).toBe(1000);
    expect(resolve({ flags: { concurrency: '251' } }).queue).toBe(1004);
    expect(resolve({ flags: { concurrency: '1', queue: '4' } }).queue).toBe(4);
  });

  it('refuses a queue that is too small for the workers', () => {
    expect(refusal({ flags: { concurrency: '32' }, file: { queue: 127 } })).toBe(
      'Cannot use 127 for "queue" in fanout.config.json: it must be at least 4 times the concurrency, 128',
    );
  });

  it('takes POST when there is data, HEAD with --head, and otherwise GET', () => {
    expect(resolve({}).method).toBe('GET');
    expect(resolve({ flags: { data: '' } }).method).toBe('POST');
    expect(resolve({ flags: { data: 'x', method: 'put' } }).method).toBe('PUT');
    expect(resolve({ flags: { head: true } }).method).toBe('HEAD');
  });

  it('names the version in the user agent', () => {
    expect(resolve({}).userAgent).toBe('fanout/1.2.3');
    expect(resolve({ flags: { userAgent: '' } }).userAgent).toBe('');
  });
});
