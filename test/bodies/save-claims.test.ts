import { expect, it } from 'vitest';
import { NameConflicts } from '../../src/bodies/name-conflicts.ts';
import type { Job } from '../../src/model/job.ts';
import { aJob } from './a-job.ts';

const REFUSED = expect.stringContaining('a job before it has this name for another URL');

function refusals(...jobs: Job[]): (string | undefined)[] {
  return [...new NameConflicts(() => new Set<string>(), 'GET').check(jobs)].map(({ invalid }) => invalid);
}

it('a name belongs to the first URL that asks for it, each time it comes', () => {
  const [a, b] = [aJob('http://h/a', { save: 'x' }), aJob('http://h/b', { save: 'x' })];
  expect(refusals(a, b, a, b, b)).toEqual([undefined, REFUSED, undefined, REFUSED, REFUSED]);
});

it.each([
  ['A.txt', 'a.txt'],
  ['é', 'É'],
  ['stra\u00dfe', 'STRASSE'],
])('%s and %s are one name on some file systems', (first, second) => {
  expect(refusals(aJob('http://h/a', { save: first }), aJob('http://h/b', { save: second }))).toEqual([
    undefined,
    REFUSED,
  ]);
});

it('another request for the same URL is another owner', () => {
  expect(refusals(aJob('http://h/a', { save: 'x' }), aJob('http://h/a', { save: 'x', body: '1' }))).toEqual([
    undefined,
    REFUSED,
  ]);
});

it('jobs without a name of their own pass, and so does what is invalid already', () => {
  const invalid = aJob('http://h/b', { save: 'x', invalid: 'no' });
  expect(
    refusals(aJob('http://h/a'), aJob('http://h/a'), invalid, aJob('http://h/a', { save: 'x' })),
  ).toEqual([undefined, undefined, 'no', undefined]);
});
