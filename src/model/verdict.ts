import type { Result } from './result.ts';

export type Verdict = 'OK' | 'WARN' | 'FAIL';

/** The word for a result in the first column. */
export function verdictOf(result: Result): Verdict {
  if (!result.ok) return 'FAIL';
  return result.warning === undefined ? 'OK' : 'WARN';
}

/** Whether a result makes the run fail: a failure does, unless the baseline knows it or it may be a flaw of the day. */
export function failsRun(result: Result): boolean {
  return !result.ok && result.baseline !== 'known' && result.badRuns === undefined;
}
