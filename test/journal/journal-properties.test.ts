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

/** The names of a few URLs, some of them the same, with arbitrary results. */
const outcomes = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'ä', 'x'.repeat(300)), anyResult), {
  minLength: 1,
  maxLength: 6,
});

interface Written {
  readonly urls: readonly string[];
  /** The result of each URL, as its record has it. */
  readonly recorded: readonly string[];
  readonly bytes: Buffer;
}

/** Writes a journal of these outcomes to `path`. */
async function written(path: string, all: readonly (readonly [string, Result])[]): Promise<Written> {
  await writeFile(path, '');
  const urls = all.map(([name]) => `https://example.com/${name}`);
  const { results } = await run(path, urls, {
    fetch: ({ index, url }) => finished(all[index]?.[1] as Result, index, url), // each URL has one
  });
  return { urls, recorded: results.map(recorded), bytes: await readFile(path) };
}

// A result that was cut off by the end of the run, or is OK without a response, is not written.
function finished({ status = 200, ...result }: Result, index: number, url: string): Result {
  return { ...result, status, index, url, ok: true, failure: undefined };
}

/** What a later run recalls of a success: all but the position of its job and what its own run did, with times in tenths of a ms. */
function recorded({
  index,
  source,
  line,
  input,
  id,
  baseline,
  badRuns,
  file,
  isResumed,
  durationMs,
  ttfbMs,
  totalMs,
  ...rest
}: Result): string {
  const tenths = (ms: number | undefined) => (ms === undefined ? undefined : Math.round(ms * 10) / 10);
  const times = { durationMs: tenths(durationMs), ttfbMs: tenths(ttfbMs), totalMs: tenths(totalMs) };
  const fields = Object.entries({ v: 1, ...rest, ...times });
  return JSON.stringify(Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1))));
}

test('a journal returns every result unchanged', async () => {
  const path = join(await tempDir(), 'journal');
  await fc.assert(
    fc.asyncProperty(outcomes, async (all) => {
      const { urls, recorded: before } = await written(path, all);
      const again = await run(path, urls);
      expect([again.fetched, again.warnings, again.records]).toEqual([[], [], urls.length]);
      expect(again.results.map(recorded)).toEqual(before);
    }),
    runs(12),
  );
});

test('a journal that ends anywhere returns the whole records only', async () => {
  const path = join(await tempDir(), 'journal');
  await fc.assert(
    fc.asyncProperty(outcomes, fc.nat(), async (all, at) => {
      const { urls, recorded: before, bytes } = await written(path, all);
      const [start = bytes] = cutAnyhow(bytes, [at]);
      await writeFile(path, start);
      const whole = Math.max(0, start.toString('latin1').split('\n').length - 2);
      const again = await run(path, urls);
      expect([again.records, again.warnings]).toEqual([whole, []]);
      expect(again.fetched).toEqual(urls.slice(whole));
      expect(again.results.slice(0, whole).map(recorded)).toEqual(before.slice(0, whole));
    }),
    runs(12),
  );
});

test('a journal that was changed anywhere keeps the records before that, and returns no wrong result', async () => {
  const path = join(await tempDir(), 'journal');
  await fc.assert(
    fc.asyncProperty(outcomes, edits, async (all, changes) => {
      const { urls, recorded: before, bytes } = await written(path, all);
      const damaged = edited(bytes, changes, bytes.indexOf('\n') + 1);
      await writeFile(path, damaged);
      const same = damaged.findIndex((byte, index) => byte !== bytes[index]);
      const untouched =
        damaged.toString('latin1', 0, same === -1 ? damaged.length : same).split('\n').length - 2;
      const again = await run(path, urls);
      expect(again.fetched.length).toBeLessThanOrEqual(urls.length - untouched);
      // A URL that was not fetched again has the result that was written for it.
      const recalled = again.results.filter(({ isResumed }) => isResumed === true);
      expect(recalled.length).toBe(urls.length - again.fetched.length);
      for (const result of recalled) expect(before).toContain(recorded(result));
      expect((await run(path, urls)).fetched).toEqual([]);
    }),
    runs(20),
  );
});
