import { expect, test } from 'vitest';
import { OwnRequests } from '../../src/cli/outputs.ts';
import type { Job } from '../../src/model/job.ts';

function aJob(index: number, more: Partial<Job>): Job {
  return { index, source: 'list', line: index + 1, url: 'http://host/', ...more };
}

async function watching(jobs: readonly Job[]): Promise<OwnRequests> {
  const requests = new OwnRequests();
  const seen: Job[] = [];
  for await (const batch of requests.watch(batchesOf(jobs))) seen.push(...batch);
  expect(seen).toEqual(jobs);
  return requests;
}

async function* batchesOf(jobs: readonly Job[]): AsyncGenerator<readonly Job[]> {
  for (const job of jobs) yield [job];
}

test('a job is found until it is dropped, and one that is a URL alone never', async () => {
  const requests = await watching([aJob(0, { body: 'text' }), aJob(1, { method: 'PUT', id: 'mine' })]);
  expect(requests.find(0)).toEqual({ body: 'text' });
  expect(requests.find(1)).toBeUndefined();
  requests.drop(0);
  expect(requests.find(0)).toBeUndefined();
});

test('the names of the headers left out are kept, of many only the first', async () => {
  const names = ['g', 'f', 'e', 'd', 'c', 'b', 'a'];
  const headers = Object.fromEntries(names.map((name) => [`x-${name}`, 'secret']));
  const requests = await watching([aJob(0, { headers: { ...headers, accept: 'a/b' } })]);
  expect(requests.leftOut).toBe('');
  expect(requests.find(0)).toEqual({ headers: { accept: 'a/b' } });
  expect(requests.leftOut).toBe('x-a, x-b, x-c, x-d, x-e and 2 more');
});
