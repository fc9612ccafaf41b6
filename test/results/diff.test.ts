import { describe, expect, it } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import { RunDiff } from '../../src/results/diff.ts';
import { failedResult, okResult } from '../model/a-result.ts';

const RULE = { ratio: 2, floorMs: 500 };

/** The changes of each result of the later run, and the counts. */
function diffOf(old: readonly Result[], now: readonly Result[]) {
  const diff = new RunDiff(RULE);
  for (const result of old) diff.addEarlier(result);
  const changes = now.map((result) => diff.compare(result).map(({ change }) => change));
  return { changes, counts: diff.counts };
}

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
    const old = [okResult({ bytes: 1 }), okResult({ bytes: 2 }), okResult({ bytes: 3 })];
    const { changes, counts } = diffOf(old, [
      okResult({ bytes: 1 }),
      okResult({ bytes: 9 }),
      okResult({ bytes: 3 }),
      okResult(),
    ]);
    expect(changes).toEqual([[], ['changed'], [], []]);
    expect(counts).toMatchObject({ same: 2, changed: 1, added: 1, removed: 0 });
  });

  it('distinguish methods', () => {
    const { counts } = diffOf([okResult({ method: 'HEAD' })], [okResult({ method: 'GET' })]);
    expect(counts).toMatchObject({ added: 1, removed: 1, same: 0 });
  });

  it('count each change of a URL, and each URL as the same or still failing only when nothing changed', () => {
    const { counts } = diffOf(
      [okResult({ bytes: 1 }), failedResult('dns')],
      [okResult({ bytes: 2, finalUrl: 'https://a/' }), failedResult('dns')],
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
