import { describe, expect, it } from 'vitest';
import { chunkJobs } from '../../src/cluster/chunk.ts';
import { Chunker } from '../../src/cluster/feeder.ts';
import { parseExpectation } from '../../src/config/expectations.ts';
import { JobFactory } from '../../src/input/read-jobs.ts';
import type { Job } from '../../src/model/job.ts';

function jobsOf(lines: readonly string[]): Job[] {
  const factory = new JobFactory({ parseExpectation }, { read: 0, skipped: 0 });
  return [...factory.fromLines(lines, 'urls.txt', 1)];
}

function chunksOf(jobs: readonly Job[], size: number, partitions = 1) {
  const chunker = new Chunker({ size, partitions, maxBytes: 1024 ** 2 });
  const full = jobs.flatMap((job) => chunker.add(job) ?? []);
  return [...full, ...chunker.end()].map((chunk) => chunk.encode());
}

const URLS = Array.from({ length: 25 }, (_, index) => `http://h${index % 5}.test/${index}`);

describe('Chunker', () => {
  it('numbers chunks from 0, and the last one may be short', () => {
    const chunks = chunksOf(jobsOf(URLS), 10);
    expect(chunks.map(({ id, body }) => [id, chunkJobs(body)?.length])).toEqual([
      [0, 10],
      [1, 10],
      [2, 5],
    ]);
  });

  it.each([1, 4])('gives the same chunks for the same list, with %i partitions', (partitions) => {
    const [first, second] = [1, 2].map(() => chunksOf(jobsOf(URLS), 3, partitions));
    expect(first).toEqual(second);
    const all = first?.flatMap(({ body }) => chunkJobs(body) ?? []).map(({ url }) => url);
    expect(all?.sort()).toEqual(URLS.toSorted());
  });

  it('puts all URLs of a host into one partition', () => {
    const partitionOf = new Map<string, Set<number>>();
    for (const { partition, body } of chunksOf(jobsOf(URLS), 2, 4)) {
      for (const { url } of chunkJobs(body) ?? []) {
        const { host } = new URL(url);
        partitionOf.set(host, (partitionOf.get(host) ?? new Set()).add(partition));
      }
    }
    expect([...partitionOf.values()].map(({ size }) => size)).toEqual([1, 1, 1, 1, 1]);
    expect(new Set([...partitionOf.values()].flatMap((set) => [...set])).size).toBeGreaterThan(1);
  });

  it('cuts a chunk short whose jobs are large', () => {
    const large = JSON.stringify({ url: 'http://h/', method: 'POST', body: 'x'.repeat(200_000) });
    expect(chunksOf(jobsOf([large, large, large]), 500)).toHaveLength(2);
  });

  it('sends an invalid job instead of one that no message can hold', () => {
    const huge = { index: 0, source: 's', line: 1, url: 'http://h/', body: 'x'.repeat(700_000) };
    const [chunk] = chunksOf([huge], 500);
    expect(chunkJobs(chunk?.body ?? new Uint8Array())).toEqual([
      { index: 0, source: 's', line: 1, url: 'http://h/', invalid: expect.stringContaining('700') },
    ]);
  });
});
