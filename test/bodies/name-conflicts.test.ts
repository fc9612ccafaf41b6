import { describe, expect, it } from 'vitest';
import { NameConflicts } from '../../src/bodies/name-conflicts.ts';
import type { Job } from '../../src/model/job.ts';
import { aJob } from './a-job.ts';

const REFUSED = expect.stringContaining('an earlier job with another URL has this name');

function conflicts(...jobs: Job[]): (string | undefined)[] {
  return [...new NameConflicts(() => new Set<string>(), 'GET').check(jobs)].map(({ invalid }) => invalid);
}

describe('NameConflicts', () => {
  it('gives a name to the first URL that requests it, each time that URL occurs', () => {
    const [a, b] = [aJob('http://h/a', { save: 'x' }), aJob('http://h/b', { save: 'x' })];
    expect(conflicts(a, b, a, b, b)).toEqual([undefined, REFUSED, undefined, REFUSED, REFUSED]);
  });

  it.each([
    ['A.txt', 'a.txt'],
    ['é', 'É'],
    ['stra\u00dfe', 'STRASSE'],
  ])('treats %s and %s as one name, as some file systems do', (first, second) => {
    expect(conflicts(aJob('http://h/a', { save: first }), aJob('http://h/b', { save: second }))).toEqual([
      undefined,
      REFUSED,
    ]);
  });

  it('treats another request for the same URL as another owner', () => {
    expect(
      conflicts(aJob('http://h/a', { save: 'x' }), aJob('http://h/a', { save: 'x', body: '1' })),
    ).toEqual([undefined, REFUSED]);
  });

  it('passes jobs without a name, and jobs that are already invalid', () => {
    const invalid = aJob('http://h/b', { save: 'x', invalid: 'no' });
    expect(
      conflicts(aJob('http://h/a'), aJob('http://h/a'), invalid, aJob('http://h/a', { save: 'x' })),
    ).toEqual([undefined, undefined, 'no', undefined]);
  });
});
