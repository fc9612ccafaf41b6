import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Chunker } from '../../src/cluster/feeder.ts';
import { chunkJobs, encodeJob, jobWire } from '../../src/cluster/job-codec.ts';
import { parseExpectation } from '../../src/config/expectations.ts';
import { JobFactory } from '../../src/input/read-jobs.ts';
import type { Job } from '../../src/model/job.ts';

function jobsOf(lines: readonly string[]): Job[] {
  const factory = new JobFactory({ parseExpectation }, { read: 0, skipped: 0 });
  return [...factory.fromLines(lines, 'urls.txt', 1)];
}

function chunksOf(jobs: readonly Job[], size: number, partitions = 1) {
  const chunker = new Chunker({ size, partitions, wire: jobWire, maxBytes: 1024 ** 2 });
  const full = jobs.flatMap((job) => chunker.add(job) ?? []);
  return [...full, ...chunker.end()].map((chunk) => chunk.encode());
}

const URLS = Array.from({ length: 25 }, (_, index) => `http://h${index % 5}.test/${index}`);

describe('Chunker', () => {
  it('numbers chunks from 0, and the last one may be short', () => {
    const chunks = chunksOf(jobsOf(URLS), 10);
    expect(chunks.map(({ id, body }) => [id, chunkJobs(body, jobWire)?.length])).toEqual([
      [0, 10],
      [1, 10],
      [2, 5],
    ]);
  });

  it.each([1, 4])('gives the same chunks for the same list, with %i partitions', (partitions) => {
    const [first, second] = [1, 2].map(() => chunksOf(jobsOf(URLS), 3, partitions));
    expect(first).toEqual(second);
    const all = first?.flatMap(({ body }) => chunkJobs(body, jobWire) ?? []).map(({ url }) => url);
    expect(all?.sort()).toEqual(URLS.toSorted());
  });

  it('puts all URLs of a host into one partition', () => {
    const partitionOf = new Map<string, Set<number>>();
    for (const { partition, body } of chunksOf(jobsOf(URLS), 2, 4)) {
      for (const { url } of chunkJobs(body, jobWire) ?? []) {
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

  it('sends an invalid job in place of one that no message can hold', () => {
    const huge = { index: 0, source: 's', line: 1, url: 'http://h/', body: 'x'.repeat(700_000) };
    const [chunk] = chunksOf([huge], 500);
    expect(chunkJobs(chunk?.body ?? new Uint8Array(), jobWire)).toEqual([
      { index: 0, source: 's', line: 1, url: 'http://h/', invalid: expect.stringContaining('700') },
    ]);
  });
});

describe('chunkJobs()', () => {
  const [job = ''] = jobsOf(URLS).map((one) => encodeJob(one, jobWire));

  it.each([
    ['no gzip', Buffer.from('text')],
    ['empty', gzipSync('')],
    ['of no jobs', gzipSync('{"v":1}')],
    ['one job twice', gzipSync(`${job}\n${job}`)],
    ['larger than it may be', gzipSync(job + ' '.repeat(64 * 1024 ** 2))],
  ])('are none when the message is %s', (_, body) => {
    expect(chunkJobs(body, jobWire)).toBeUndefined();
  });

  it('are there when it is as it should be', () => {
    expect(chunkJobs(gzipSync(job), jobWire)).toHaveLength(1);
  });
});

describe('jobs on their way through a broker', () => {
  it('come out as they went in, with all that a line can say', () => {
    const jobs = jobsOf([
      'http://user:secret@h.test/a',
      JSON.stringify({
        url: 'http://h.test/b',
        method: 'post',
        headers: { 'X-Y': 'z' },
        body: 'text\u2028',
        id: 'mine',
        save: 'b.html',
        expect: { status: '301,404', contains: 'a', matches: ['^b', 'c\\d'], header: 'x: y', maxTime: '2s' },
      }),
      'ftp://nowhere/',
    ]);
    const [chunk] = chunksOf(jobs, 10);
    const read = chunkJobs(chunk?.body ?? new Uint8Array(), jobWire);
    expect(JSON.stringify(read)).toBe(JSON.stringify(jobs));
    expect(read?.[1]?.expect?.matches.map(String)).toEqual(['/^b/', '/c\\d/']);
    expect([200, 301, 404].map((status) => read?.[1]?.expect?.status?.has(status))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it.each([
    ['no gzip', Buffer.from('{"index":0}')],
    ['nothing', new Uint8Array()],
  ])('are refused when the chunk is %s', (_, body) => {
    expect(chunkJobs(body, jobWire)).toBeUndefined();
  });
});
