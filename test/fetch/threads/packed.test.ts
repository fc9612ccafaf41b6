import { describe, expect, it } from 'vitest';
import { parseExpectation } from '../../../src/config/expectations.ts';
import { resolveRunOptions } from '../../../src/config/library-options.ts';
import { packJob, packOptions, unpackJob, unpackOptions } from '../../../src/fetch/threads/messages.ts';
import type { Expectation } from '../../../src/model/expectation.ts';
import type { Job } from '../../../src/model/job.ts';

describe('on the way to another thread', () => {
  it('options stay what they are', () => {
    const options = resolveRunOptions(
      {
        accept: '200-299,304',
        retryOn: '5xx,network',
        matches: ['a+'],
        resolve: ['a.test:80:127.0.0.1'],
        rate: '5/s',
        hosts: { 'a.test': { accept: 404, headers: ['x-a: 1'], perHost: 2, hostRate: '3/m', user: 'a:b' } },
        remap: '(a) b$1',
        connectTo: '::b:1',
      },
      '1.2.3',
    );
    const arrived = unpackOptions(structuredClone(packOptions(options)));
    expect([304, 305].map((status) => arrived.accept.has(status))).toEqual([true, false]);
    expect([500, 429].map((status) => arrived.retryOn.statuses.has(status))).toEqual([true, false]);
    const { accept, retryOn, journal, keepFailed, ordered, threads, keepsStreams, extract, ...rest } =
      options;
    expect(arrived).toEqual({ ...rest, accept: expect.anything(), retryOn: expect.anything() });
    expect(arrived.retryOn.network).toBe(true);
    expect(arrived.hosts.get('a.test')?.accept?.has(404)).toBe(true);
  });

  it('what a job expects stays what it is', () => {
    const expectation = parseExpectation({ status: '301', matches: 'x$', time: '2s' }) as Expectation;
    const job: Job = { index: 3, source: '-', line: 4, url: 'http://a.test/', expect: expectation };
    const arrived = unpackJob(structuredClone(packJob(job)));
    expect([301, 200].map((status) => arrived.expect?.status?.has(status))).toEqual([true, false]);
    expect(arrived.expect).toMatchObject({ matches: [/x$/], maxTimeMs: 2000 });
    expect(arrived).toMatchObject({ index: 3, source: '-', line: 4, url: 'http://a.test/' });
  });
});
