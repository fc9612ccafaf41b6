import { systemClock } from '../../src/core/clock.ts';
import { Journal, type JournalOptions } from '../../src/journal/journal.ts';
import type { Job } from '../../src/model/job.ts';
import type { Result } from '../../src/model/result.ts';
import { okResult } from '../model/a-result.ts';

/** The request of a job without anything of its own. */
export const GET = { method: 'GET', headers: {} };

/** The options of a journal, and its warnings. */
export function journalOptions(
  changes: Partial<JournalOptions> = {},
): JournalOptions & { warnings: string[] } {
  const warnings: string[] = [];
  return {
    rules: '',
    keepFailed: false,
    warn: (message) => warnings.push(message),
    clock: systemClock,
    processes: process,
    warnings,
    ...changes,
  };
}

export function job(index: number, url: string, changes: Partial<Job> = {}): Job {
  return { index, source: 'urls.txt', line: index + 1, url, ...changes };
}

/** Returns the result of a job. */
export type Fetch = (job: Job) => Result;

/** Succeeds for every job. */
export const succeed: Fetch = ({ index, source, line, url, id }) =>
  okResult({ index, source, line, url, id });

/** Processes a list as a run does. Returns the URLs that were fetched, and all results by index. */
export async function run(
  path: string,
  urls: readonly string[],
  options: Partial<JournalOptions> & { readonly fetch?: Fetch } = {},
): Promise<{ fetched: string[]; results: Result[]; warnings: string[]; records: number }> {
  const { fetch = succeed, ...rest } = options;
  const settings = journalOptions(rest);
  const journal = await Journal.open(path, settings);
  const fetched: string[] = [];
  const results: Result[] = [];
  for (const [index, url] of urls.entries()) {
    const recalled = journal.recall(job(index, url), GET);
    if (recalled === undefined) fetched.push(url);
    const result = recalled ?? fetch(job(index, url));
    await journal.write(result);
    results.push(result);
  }
  await journal.end();
  return { fetched, results, warnings: settings.warnings, records: journal.records };
}
