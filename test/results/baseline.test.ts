import { describe, expect, it } from 'vitest';
import type { Job } from '../../src/model/job.ts';
import type { Result } from '../../src/model/result.ts';
import { Baseline, type KnownFailure } from '../../src/results/history.ts';
import { failedResult, okResult } from '../model/a-result.ts';

const url = 'https://example.com/1';

describe('Baseline.annotate()', () => {
  const baseline = new Baseline();
  baseline.addRecord(failedResult('reset', { url }));
  baseline.addRecord(okResult({ url: `${url}1`, index: 1 }));
  baseline.addRecord(failedResult('reset', { url: 'https://example.com/named', id: 'mine', index: 2 }));
  baseline.addFailure({ url: 'https://example.com/any' });
  baseline.endRecords();

  it('marks a failure of the baseline as known, whatever its kind', () => {
    expect(baseline.annotate(failedResult('dns')).baseline).toBe('known');
    expect(baseline.annotate(failedResult('status')).baseline).toBe('known');
  });

  it('marks any other failure as new', () => {
    expect(baseline.annotate(failedResult('dns', { url: `${url}1` })).baseline).toBe('new');
    expect(baseline.annotate(failedResult('dns', { method: 'POST' })).baseline).toBe('new');
    expect(baseline.annotate(failedResult('dns', { id: 'other' })).baseline).toBe('new');
  });

  it('takes HEAD for GET, for links that are checked with and without --head', () => {
    expect(baseline.annotate(failedResult('dns', { method: 'HEAD' })).baseline).toBe('known');
    const head = new Baseline();
    head.addFailure({ url, method: 'HEAD' });
    expect(head.annotate(failedResult('dns')).baseline).toBe('known');
    expect([...head.unseen()]).toEqual([]);
  });

  it('marks a URL of the baseline that is OK as fixed', () => {
    expect(baseline.annotate(okResult()).baseline).toBe('fixed');
  });

  it('returns a URL that was OK and is OK unchanged', () => {
    const result = okResult({ url: `${url}1` });
    expect(baseline.annotate(result)).toBe(result);
  });

  it('matches a URL of a list with every method and id', () => {
    const result = { url: 'https://example.com/any', method: 'POST', id: 'x' };
    expect(baseline.annotate(failedResult('dns', result)).baseline).toBe('known');
  });

  it('matches an entry with an id only with that id', () => {
    const result = { url: 'https://example.com/named', id: 'mine' };
    expect(baseline.annotate(failedResult('dns', result)).baseline).toBe('known');
    expect(baseline.annotate(failedResult('dns', { url: result.url })).baseline).toBe('new');
  });
});

describe('a baseline and jobs that share a URL', () => {
  const custom = (index: number, own: Partial<Job> = { body: `${index}` }): Job => ({
    ...{ index, source: 'jobs.jsonl', line: index + 1, url, ...own },
  });
  const fail = (index: number, more: { readonly id?: string } = {}) =>
    failedResult('dns', { url, index, ...more });
  const ok = (index: number) => okResult({ url, index });

  /** What each result is, with `-` for one that is only OK, and whether the baseline is unsure. */
  async function verdicts(baseline: Baseline, jobs: readonly Job[], results: readonly Result[]) {
    for await (const batch of baseline.watch(batchesOf(jobs), 'GET', false)) expect([...batch]).toEqual(jobs);
    const found = results.map((result) => baseline.annotate(result).baseline ?? '-').join(' ');
    return baseline.isUnsure ? `${found}, unsure` : found;
  }

  async function* batchesOf(jobs: readonly Job[]) {
    yield jobs;
  }

  function baselineOf(known: readonly (Result | KnownFailure)[]) {
    const baseline = new Baseline();
    for (const one of known) {
      if ('index' in one) baseline.addRecord(one);
      else baseline.addFailure(one);
    }
    baseline.endRecords();
    return baseline;
  }

  const three = [custom(0), custom(1), custom(2)];
  const ONE: readonly KnownFailure[] = [{ url, method: 'GET', occurrence: 1, kind: 'dns' }];

  it.each<[string, readonly (Result | KnownFailure)[], readonly Job[], readonly Result[], string]>([
    ['the same fails', ONE, three, [ok(2), fail(1), ok(0)], '- known -'],
    ['another one fails', ONE, three, [fail(2), fail(1), ok(0)], 'new known -'],
    ['another one fails and it is fixed', ONE, three, [fail(0), ok(1), ok(2)], 'new fixed -'],
    ['lines come before it', ONE, [custom(7), custom(8)], [fail(8), fail(7)], 'known new'],
    ['records of all jobs', [ok(0), fail(1), ok(2)], three, [fail(0), ok(1), fail(2)], 'new fixed new'],
    [
      'records of all jobs, in any order',
      [fail(1), ok(0)],
      [custom(3), custom(4)],
      [fail(4), fail(3)],
      'known new',
    ],
    ['records of failures only', [fail(1)], three, [fail(0), fail(1), ok(2)], 'new known -, unsure'],
    ['records of failures only, and one job', [fail(1)], [custom(4)], [fail(4)], 'known'],
    [
      'expectations',
      ONE,
      three.map(({ index }) => custom(index, { expect: NOTHING })),
      [fail(0), fail(1)],
      'new known',
    ],
    [
      'headers',
      ONE,
      three.map(({ index }) => custom(index, { headers: { a: `${index}` } })),
      [fail(0), fail(1)],
      'new known',
    ],
    [
      'a line of --update-baseline',
      [{ url, method: 'GET' }],
      [custom(0, {}), custom(1, {})],
      [fail(1), fail(0)],
      'known known',
    ],
    ['a line of another method', [{ url, method: 'PUT' }], [custom(0, {})], [fail(0)], 'new'],
    ['only the URL, twice', [fail(1)], [custom(3, {}), custom(4, {})], [fail(4), fail(3)], 'known known'],
    [
      'ids',
      [fail(1, { id: 'a' })],
      [custom(0, { id: 'b' }), custom(5, { id: 'a' })],
      [fail(0, { id: 'b' }), fail(5, { id: 'a' })],
      'new known',
    ],
  ])('hides no new failure: %s', async (_, records, jobs, results, expected) => {
    expect(await verdicts(baselineOf(records), jobs, results)).toBe(expected);
  });

  it('is unsure of a line of a list that several jobs match', async () => {
    expect(await verdicts(baselineOf([{ url }]), three, [fail(0), ok(1)])).toBe('new -, unsure');
    expect(await verdicts(baselineOf([{ url }]), [custom(0)], [fail(0)])).toBe('known');
  });
});

describe('Baseline.unseen()', () => {
  const of = (path: string) => `https://example.com/${path}`;

  it('gives the failures of jobs that had no result, as the baseline has them', () => {
    const baseline = new Baseline();
    const old: readonly KnownFailure[] = [
      { url: of('a') },
      { url: of('b'), method: 'POST', id: 'x', kind: 'dns' },
      { url: of('c'), method: 'GET', occurrence: 1, kind: 'status', status: 404 },
      { url: of('c'), method: 'GET', occurrence: 4, kind: 'status', status: 404 },
      { url: of('seen'), method: 'GET', kind: 'dns' },
      { url: of('fixed') },
    ];
    for (const failure of old) baseline.addFailure(failure);
    baseline.endRecords();
    baseline.annotate(failedResult('reset', { url: of('seen') }));
    baseline.annotate(okResult({ url: of('fixed') }));
    expect([...baseline.unseen()]).toEqual(old.slice(0, 4));
  });

  it('gives those of records, with their places if several jobs share them', () => {
    const baseline = new Baseline();
    baseline.addRecord(failedResult('dns', { url: of('a'), index: 0 }));
    baseline.addRecord(okResult({ url: of('b'), index: 1 }));
    baseline.addRecord(failedResult('dns', { url: of('b'), index: 2 }));
    baseline.addRecord(okResult({ url: of('c'), index: 3 }));
    baseline.endRecords();
    expect([...baseline.unseen()]).toEqual([
      { url: of('a'), method: 'GET', kind: 'dns' },
      { url: of('b'), method: 'GET', kind: 'dns', occurrence: 1 },
    ]);
  });
});

const NOTHING = { contains: [], notContains: [], matches: [], headers: [] };
