import { describe, expect, it } from 'vitest';
import { CustomRequests, filterSink } from '../../src/cli/outputs.ts';
import type { Job } from '../../src/model/job.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { RecordingSink } from '../results/recording-sink.ts';

describe('filterSink()', () => {
  it('passes on the results that are wanted, and the end', async () => {
    const sink = new RecordingSink();
    const filter = filterSink(sink, ({ ok }) => !ok);
    filter.write(okResult({ index: 0 }));
    filter.write(failedResult('dns', { index: 1 }));
    filter.write(okResult({ index: 2 }));
    const summary = new SummaryFold().summary(0);
    await filter.end(summary);
    expect(sink).toMatchObject({ indexes: [1], summaries: [summary] });
  });

  it('passes on the back-pressure of its sink', async () => {
    const filter = filterSink(new RecordingSink(() => Promise.resolve()), ({ ok }) => !ok);
    expect(filter.write(failedResult('dns'))).toBeInstanceOf(Promise);
    expect(filter.write(okResult())).toBeUndefined();
  });
});

describe('CustomRequests', () => {
  it('finds a job until it is dropped, and never one that is only a URL', async () => {
    const requests = await watching([aJob(0, { body: 'text' }), aJob(1, { method: 'PUT', id: 'mine' })]);
    expect(requests.find({ index: 0 })).toEqual({ keys: { body: 'text' } });
    expect(requests.find({ index: 1 })).toBeUndefined();
    requests.drop(0);
    expect(requests.find({ index: 0 })).toBeUndefined();
  });

  it('names the headers that it leaves out: the first five, and how many more', async () => {
    const names = ['g', 'f', 'e', 'd', 'c', 'b', 'a'];
    const headers = Object.fromEntries(names.map((name) => [`x-${name}`, 'secret']));
    const requests = await watching([aJob(0, { headers: { ...headers, accept: 'a/b' } })]);
    expect(requests.omittedHeaders).toBe('');
    expect(requests.find({ index: 0 })).toMatchObject({ keys: { headers: { accept: 'a/b' } } });
    expect(requests.omittedHeaders).toBe('x-a, x-b, x-c, x-d, x-e and 2 more');
  });
});

function aJob(index: number, more: Partial<Job>): Job {
  return { index, source: 'list', line: index + 1, url: 'http://host/', ...more };
}

/** The requests of these jobs, after all of them were read. */
async function watching(jobs: readonly Job[]): Promise<CustomRequests> {
  const requests = new CustomRequests();
  const read: Job[] = [];
  for await (const batch of requests.watch(oneByOne(jobs))) read.push(...batch);
  expect(read).toEqual(jobs);
  return requests;
}

async function* oneByOne(jobs: readonly Job[]): AsyncGenerator<readonly Job[]> {
  for (const job of jobs) yield [job];
}
