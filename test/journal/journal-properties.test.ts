import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import { cutAnyhow, edited, edits } from '../arbitrary/bytes.ts';
import { anyResult } from '../arbitrary/results.ts';
import { runs } from '../arbitrary/runs.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { run } from './a-journal.ts';

/** What became of a few URLs, some of them the same, with anything in their results. */
const outcomes = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'ä', 'x'.repeat(300)), anyResult), {
  minLength: 1,
  maxLength: 6,
});

interface Written {
  readonly urls: readonly string[];
  /** What each URL of the list ended in, as a record has it. */
  readonly told: readonly string[];
  readonly bytes: Buffer;
}

/** A journal of these outcomes, at `path`. */
async function written(path: string, all: readonly (readonly [string, Result])[]): Promise<Written> {
  await writeFile(path, '');
  const urls = all.map(([name]) => `https://example.com/${name}`);
  const { results } = await run(path, urls, {
    fetch: ({ index, url }) => ({ ...(all[index]?.[1] as Result), index, url, ...finished }), // there is one for each
  });
  return { urls, told: results.map(told), bytes: await readFile(path) };
}

// A result that was cut off by the end of the run is not kept.
const finished = { ok: true, failure: undefined } as const;

/** What a later run has of a result: nothing of its place, and its times in tenths of a ms. */
function told({
  index,
  source,
  line,
  id,
  baseline,
  badRuns,
  isResumed,
  durationMs,
  ttfbMs,
  ...rest
}: Result): string {
  const tenths = (ms: number | undefined) => (ms === undefined ? undefined : Math.round(ms * 10) / 10);
  const kept = Object.entries({ v: 1, ...rest, durationMs: tenths(durationMs), ttfbMs: tenths(ttfbMs) });
  return JSON.stringify(Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))));
}

test('a journal gives back every result as it was, whatever is in it', async () => {
  const path = join(await tempDir(), 'journal');
  await fc.assert(
    fc.asyncProperty(outcomes, async (all) => {
      const { urls, told: before } = await written(path, all);
      const again = await run(path, urls);
      expect([again.fetched, again.warnings, again.records]).toEqual([[], [], urls.length]);
      expect(again.results.map(told)).toEqual(before);
    }),
    runs(12),
  );
});

test('a journal that ends anywhere gives back all that was whole, and no more', async () => {
  const path = join(await tempDir(), 'journal');
  await fc.assert(
    fc.asyncProperty(outcomes, fc.nat(), async (all, at) => {
      const { urls, told: before, bytes } = await written(path, all);
      const [start = bytes] = cutAnyhow(bytes, [at]);
      await writeFile(path, start);
      const whole = Math.max(0, start.toString('latin1').split('\n').length - 2);
      const again = await run(path, urls);
      expect([again.records, again.warnings]).toEqual([whole, []]);
      expect(again.fetched).toEqual(urls.slice(whole));
      expect(again.results.slice(0, whole).map(told)).toEqual(before.slice(0, whole));
    }),
    runs(12),
  );
});

test('a journal that was changed anywhere loses nothing before that, and tells nothing that was not so', async () => {
  const path = join(await tempDir(), 'journal');
  await fc.assert(
    fc.asyncProperty(outcomes, edits, async (all, changes) => {
      const { urls, told: before, bytes } = await written(path, all);
      const damaged = edited(bytes, changes, bytes.indexOf('\n') + 1);
      await writeFile(path, damaged);
      const same = damaged.findIndex((byte, index) => byte !== bytes[index]);
      const untouched =
        damaged.toString('latin1', 0, same === -1 ? damaged.length : same).split('\n').length - 2;
      const again = await run(path, urls);
      expect(again.fetched.length).toBeLessThanOrEqual(urls.length - untouched);
      // What was not fetched again is what was written for that very URL.
      const recalled = again.results.filter(({ isResumed }) => isResumed === true);
      expect(recalled.length).toBe(urls.length - again.fetched.length);
      for (const result of recalled) expect(before).toContain(told(result));
      expect((await run(path, urls)).fetched).toEqual([]);
    }),
    runs(20),
  );
});
