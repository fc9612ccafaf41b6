import type { Result } from './result.ts';

/** How a result stands to the runs before: `known`, `new`, `mended`, `bad run 2`; mostly nothing. */
export function standingNotes({ baseline, badRuns }: Result): readonly string[] {
  const notes: string[] = [];
  if (baseline !== undefined) notes.push(baseline);
  if (badRuns !== undefined) notes.push(`bad run ${badRuns}`);
  return notes;
}
