import { describe, expect, it } from 'vitest';
import { toExpectation } from '../../src/config/expectations.ts';
import { deriveRunOptions, runOptions } from '../../src/config/run-options.ts';
import { NameConflicts, rejectInvalidJobs } from '../../src/fetch/job-checks.ts';
import type { Job } from '../../src/model/job.ts';
import { aJob } from '../bodies/a-job.ts';

/** Whether each job is invalid in a run with these options. */
async function check(jobs: readonly Job[], given: object = {}): Promise<(string | undefined)[]> {
  const defaults = Object.fromEntries(Object.entries(runOptions).map(([key, entry]) => [key, entry.default]));
  // Each key of the table has its default or a value of its type.
  const values = { ...defaults, ...given } as Parameters<typeof deriveRunOptions>[0]['values'];
  const options = deriveRunOptions({ values, labels: new Map() }, '0');
  const checked: Job[] = [];
  async function* batches() {
    yield jobs;
  }
  for await (const batch of rejectInvalidJobs(batches(), options)) checked.push(...batch);
  return checked.map(({ invalid }) => invalid);
}

const NONE = toExpectation({
  ...{ contains: [], notContains: [], matches: [], expectHeader: [], expectTime: undefined },
});
const URL = 'https://example.com/';
const FAULT = 'cannot check the body of a HEAD response: remove the body checks, or use GET';

it.each([
  ['contains', { ...NONE, contains: ['a'] }, FAULT],
  ['notContains', { ...NONE, notContains: ['a'] }, FAULT],
  ['matches', { ...NONE, matches: [/a/] }, FAULT],
  ['headers', { ...NONE, headers: [{ name: 'a', value: '' }] }, undefined],
])('a HEAD job that expects %s is checked for it', async (_what, expectation, fault) => {
  const job = aJob(URL, { method: 'HEAD', expect: expectation });
  expect(await check([job])).toEqual([fault]);
  expect(await check([aJob(URL, { expect: expectation })], { head: true })).toEqual([fault]);
  expect(await check([aJob(URL, { method: 'GET', expect: expectation })], { head: true })).toEqual([
    undefined,
  ]);
  expect(await check([aJob(URL, { body: '', expect: expectation })], { head: true })).toEqual([undefined]);
});

it('a HEAD job in a run that searches bodies is invalid, and other jobs are not', async () => {
  const jobs = [aJob(URL, { method: 'HEAD' }), aJob(URL), aJob(URL, { method: 'HEAD', invalid: 'bad' })];
  expect(await check(jobs, { contains: ['a'] })).toEqual([FAULT, undefined, 'bad']);
});

it('a job that asks for the file of another URL is invalid', async () => {
  const jobs = [aJob(URL, { save: 'a' }), aJob(`${URL}b`, { save: 'A' })];
  expect(await check(jobs, { saveDir: 'out' })).toEqual([undefined, expect.stringContaining('"A"')]);
  expect(await check(jobs)).toEqual([undefined, undefined]);
});

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
