import { formatCount } from '../format-count.ts';
import type { ReportSummary } from './report-fold.ts';

/** The outcome of a run in one line, and whether that is good. */
export interface VerdictLine {
  readonly mood: 'good' | 'bad' | 'nothing';
  readonly text: string;
}

/** `3 of 100 URLs failed`; failures that do not fail the run are no part of the first number. */
export function verdictLine({ results, failed, known, flaky }: ReportSummary): VerdictLine {
  const failing = failed - known - flaky;
  const total = formatCount(results);
  const urls = results === 1 ? 'URL' : 'URLs';
  if (results === 0) return { mood: 'nothing', text: 'No results' };
  if (failing > 0) return { mood: 'bad', text: `${formatCount(failing)} of ${total} ${urls} failed` };
  if (failed === 0)
    return { mood: 'good', text: results === 1 ? 'The URL is OK' : `All ${total} URLs are OK` };
  return {
    mood: 'good',
    text: `No new failures: ${formatCount(failed)} of ${total} ${urls} failed, which is known or may pass`,
  };
}
