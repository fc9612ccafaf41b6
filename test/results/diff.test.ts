import { describe, expect, it } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import { type Difference, RunDiff } from '../../src/results/diff.ts';
import { failedResult, okResult } from '../model/a-result.ts';

const RULE = { ratio: 2, floorMs: 500 };

/** The changes of each result of the later run, and the counts. */
function diffOf(old: readonly Result[], now: readonly Result[]) {
  const diff = new RunDiff(RULE);
  for (const result of old) diff.addEarlier(result);
  const found = new Map<string, string[]>(now.map((result) => [nameOf(result), []]));
  const add = (differences: readonly Difference[]) => {
    for (const { change, result } of differences) found.get(nameOf(result))?.push(change);
  };
  for (const result of now) add(diff.compare(result));
  for (const differences of diff.rest()) add(differences);
  return { changes: now.map((result) => found.get(nameOf(result))), counts: diff.counts };
}

function nameOf({ index, url, id }: Result): string {
  return `${index} ${url} ${id}`;
}

const inOrder = (...results: readonly Result[]) => results.map((result, index) => ({ ...result, index }));

const body = (sha256: string) => ({ bytes: 7, sha256 });

describe('one URL in two runs', () => {
  it.each<[string, Result, Result, string[]]>([
    ['the same', okResult(), okResult(), []],
    ['newlyFailing', okResult(), failedResult('dns'), ['newlyFailing']],
    [
      'newly failing after a warning',
      okResult({ warning: { kind: 'blocked', message: '' } }),
      failedResult('dns'),
      ['newlyFailing'],
    ],
    ['fixed', failedResult('dns'), okResult(), ['fixed']],
    ['still failing, in another way', failedResult('dns'), failedResult('tls'), []],
    ['moved', okResult(), okResult({ finalUrl: 'https://a/' }), ['moved']],
    ['moved on', okResult({ finalUrl: 'https://a/' }), okResult({ finalUrl: 'https://b/' }), ['moved']],
    ['moved back', okResult({ finalUrl: 'https://a/' }), okResult(), ['moved']],
    ['slower', okResult({ durationMs: 500 }), okResult({ durationMs: 1000 }), ['slower']],
    ['slower by too small a ratio', okResult({ durationMs: 1000 }), okResult({ durationMs: 1999 }), []],
    ['slower by too little time', okResult({ durationMs: 10 }), okResult({ durationMs: 509 }), []],
    ['faster', okResult({ durationMs: 5000 }), okResult({ durationMs: 10 }), []],
    ['changed in length', okResult({ bytes: 1 }), okResult({ bytes: 2 }), ['changed']],
    ['changed in hash', okResult({ body: body('a') }), okResult({ body: body('b') }), ['changed']],
    [
      'the same in hash',
      okResult({ bytes: 1, body: body('a') }),
      okResult({ bytes: 2, body: body('a') }),
      [],
    ],
    ['hashed only now', okResult({ bytes: 7 }), okResult({ bytes: 7, body: body('a') }), []],
    ['resumed, of the same length', okResult({ bytes: 7 }), okResult({ bytes: 3, body: { bytes: 7 } }), []],
    [
      'refreshed, and the same',
      okResult({ body: body('a') }),
      okResult({ status: 304, file: 'unchanged', body: body('a') }),
      [],
    ],
    [
      'refreshed before',
      okResult({ status: 304, file: 'unchanged', body: body('a') }),
      okResult({ file: 'changed', body: body('b') }),
      ['changed'],
    ],
    [
      'not fetched, since its file exists',
      okResult({ finalUrl: 'https://b.test/', body: body('a') }),
      okResult({ file: 'existing', body: { bytes: 9 } }),
      [],
    ],
    ['changed in status', okResult({ status: 200 }), okResult({ status: 204 }), ['changed']],
    [
      'all at once',
      okResult({ bytes: 1 }),
      okResult({ bytes: 2, finalUrl: 'https://a/', durationMs: 9000 }),
      ['moved', 'slower', 'changed'],
    ],
    ['broken and slower', okResult(), failedResult('timeout', { durationMs: 9000 }), ['newlyFailing']],
  ])('is %s', (_, old, now, changes) => {
    expect(diffOf([old], [now]).changes).toEqual([changes]);
  });
});

describe('two runs', () => {
  const at = (url: string, result: Result): Result => ({ ...result, url });

  it('may have their URLs in different orders', () => {
    const [a, b] = [at('https://a/', okResult({ bytes: 1 })), at('https://b/', okResult({ bytes: 2 }))];
    expect(diffOf([a, b], [b, a])).toMatchObject({
      changes: [[], []],
      counts: { same: 2, added: 0, removed: 0 },
    });
  });

  it('count URLs that are in only one of them, and a failure that was added as newly failing', () => {
    const { changes, counts } = diffOf(
      [at('https://a/', okResult()), at('https://b/', failedResult('dns'))],
      [at('https://c/', okResult()), at('https://d/', failedResult('dns'))],
    );
    expect(changes).toEqual([[], ['newlyFailing']]);
    expect(counts).toMatchObject({
      old: 2,
      new: 2,
      added: 2,
      removed: 2,
      newlyFailing: 1,
      same: 0,
      stillFailing: 0,
    });
  });

  it('compare a URL that occurs several times with itself, the first with the first', () => {
    const old = inOrder(okResult({ bytes: 1 }), okResult({ bytes: 2 }), okResult({ bytes: 3 }));
    const now = inOrder(okResult({ bytes: 1 }), okResult({ bytes: 9 }), okResult({ bytes: 3 }), okResult());
    const { changes, counts } = diffOf(old, now);
    expect(changes).toEqual([[], ['changed'], [], []]);
    expect(counts).toMatchObject({ same: 2, changed: 1, added: 1, removed: 0 });
  });

  it('distinguish methods', () => {
    const { counts } = diffOf([okResult({ method: 'HEAD' })], [okResult({ method: 'GET' })]);
    expect(counts).toMatchObject({ added: 1, removed: 1, same: 0 });
  });

  it('count each change of a URL, and each URL as the same or still failing only when nothing changed', () => {
    const { counts } = diffOf(
      inOrder(okResult({ bytes: 1 }), failedResult('dns')),
      inOrder(okResult({ bytes: 2, finalUrl: 'https://a/' }), failedResult('dns')),
    );
    expect(counts).toMatchObject({
      moved: 1,
      changed: 1,
      same: 0,
      stillFailing: 1,
      newlyFailing: 0,
      fixed: 0,
      slower: 0,
    });
  });
});

describe('jobs that share a URL', () => {
  const posts = (...results: readonly Result[]) => inOrder(...results).map((r) => ({ ...r, method: 'POST' }));
  const named = (results: readonly Result[]) => results.map((result, at) => ({ ...result, id: `job ${at}` }));
  const shifted = (results: readonly Result[]) => results.map((r) => ({ ...r, index: r.index + 5 }));
  const RUN = posts(okResult({ bytes: 1 }), failedResult('dns'), okResult({ bytes: 3, status: 201 }));
  const ORDERS = [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
    [1, 0, 2],
  ];
  const ordered = (results: readonly Result[], order: readonly number[]) =>
    order.flatMap((at) => results[at] ?? []);

  it.each<[string, readonly Result[], readonly Result[]]>([
    ['without ids', RUN, RUN],
    ['with ids', named(RUN), named(RUN)],
    ['in a list with lines before them', RUN, shifted(RUN)],
    ['with ids, in another order of the list', named(RUN), inOrder(...named(RUN).toReversed())],
  ])('do not differ %s, whichever finishes first', (_, old, now) => {
    for (const first of ORDERS) {
      for (const second of ORDERS) {
        const { changes, counts } = diffOf(ordered(old, first), ordered(now, second));
        expect(changes).toEqual([[], [], []]);
        expect(counts).toMatchObject({ same: 2, stillFailing: 1, added: 0, removed: 0, new: 3 });
      }
    }
  });

  it.each<[string, readonly Result[], readonly Result[], object]>([
    ['one was not fetched before', RUN, RUN, { old: 2, same: 2, added: 1, newlyFailing: 1, stillFailing: 0 }],
    ['the first file has only failures', RUN.slice(1, 2), RUN, { same: 0, stillFailing: 1, added: 2 }],
    ['the second file has only failures', RUN, RUN.slice(1, 2), { stillFailing: 1, removed: 2 }],
  ])('are compared with themselves if %s', (name, old, now, counts) => {
    const aborted = failedResult('aborted', { attempts: 0, index: 1, method: 'POST' });
    const earlier = name.includes('not fetched') ? old.with(1, aborted) : old;
    for (const order of ORDERS) expect(diffOf(earlier, ordered(now, order)).counts).toMatchObject(counts);
  });

  it('are not compared with a job of another id, or without one', () => {
    const [old, now] = [okResult({ id: 'a' }), okResult({ id: 'b' })];
    expect(diffOf([old], [now]).counts).toMatchObject({ added: 1, removed: 1 });
    expect(diffOf([old], [okResult()]).counts).toMatchObject({ added: 1, removed: 1 });
  });

  it('are named by method, URL and id when they are removed', () => {
    const diff = new RunDiff(RULE);
    const one = { id: 'a\nb c', method: 'POST', url: 'not a URL' };
    diff.addEarlier(okResult(one));
    expect([...diff.removed()]).toEqual([expect.objectContaining(one)]);
  });
});
