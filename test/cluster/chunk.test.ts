import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { chunkJobs, encodeJob } from '../../src/cluster/chunk.ts';
import { parseExpectation } from '../../src/config/expectations.ts';
import { JobFactory } from '../../src/input/read-jobs.ts';

const JOBS = [
  ...new JobFactory({ parseExpectation, keepsInput: true }, { read: 0, skipped: 0 }).fromLines(
    [
      'http://user:secret@h.test/a',
      JSON.stringify({
        url: 'http://h.test/b',
        method: 'post',
        headers: { 'X-Y': 'z' },
        body: 'text\u2028',
        id: 'mine',
        save: 'b.html',
        expect: { status: '301,404', contains: 'a', matches: ['^b', 'c\\d'], header: 'x: y', time: '2s' },
      }),
      'ftp://nowhere/',
      'HTTP://h.test/a\tb',
    ],
    'urls.txt',
    1,
  ),
];
const LINES = JOBS.map((job) => encodeJob(job));
const LINE = LINES[0] ?? '';

describe('chunkJobs()', () => {
  it('returns the jobs of a chunk, with all that a line of a list can hold', () => {
    const jobs = chunkJobs(gzipSync(LINES.join('\n')));
    expect(JSON.parse(JSON.stringify(jobs))).toEqual(JSON.parse(JSON.stringify(JOBS)));
    expect(jobs?.map(({ input }) => input)).toEqual([
      'http://***@h.test/a',
      undefined,
      undefined,
      'HTTP://h.test/a\tb',
    ]);
    const expectation = jobs?.[1]?.expect;
    expect(expectation?.matches.map(String)).toEqual(['/^b/', '/c\\d/']);
    expect([200, 301, 404].map((status) => expectation?.status?.has(status))).toEqual([false, true, true]);
  });

  it.each([
    ['no gzip', Buffer.from('text')],
    ['a job without gzip', Buffer.from('{"index":0}')],
    ['nothing', new Uint8Array()],
    ['an empty text', gzipSync('')],
    ['no jobs', gzipSync('{"v":1}')],
    ['one job twice', gzipSync(`${LINE}\n${LINE}`)],
    ['more than 64 MiB', gzipSync(LINE + ' '.repeat(64 * 1024 ** 2))],
  ])('refuses a message of %s', (_, body) => {
    expect(chunkJobs(body)).toBeUndefined();
  });
});
